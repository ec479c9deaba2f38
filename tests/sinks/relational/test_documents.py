"""Whatever document QLDB took is held, and can be put together again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from qldb_stream.ion import ion_hash, loads
from qldb_stream.testing.strategies import ion_documents
from tests.sinks.relational.databases import Place, SqliteFile, make_postgres
from tests.sinks.relational.support import apply_all, ion, journal_of, opened

DEEP = "[" * 150 + "1" + "]" * 150
TORTURE = (
    "{plain: 1}",
    "{f: 3.602879701896397e+16, g: -9.2e18, d: 36028797018963970., e: 3602879701896397d1}",
    "{s: '$ion_1_0', t: [['$ion_1_0']]}",
    "{'': 1, ' ': 2, '\"': 3, 'a b': 4, 'A B': 5, 'a_b': 6, select: 7, qldb_hash: 8}",
    "{'é': 9, 'É': 10}",
    "{xmin: 1, ctid: 2, oid: 3, valid_from: 4, document: 5, rowid: 6, '1st': 7, '%s': 8, '?': 9}",
    "{n: 5, d: 12.50, f: 1e0, big: 123456789012345678901234567890, m: -0., z: -0e0}",
    "{n: 1d-20000, d: 1d200000, f: nan, big: +inf, m: 1e308, z: 0d-20000}",
    "{d: 0.1234567890123456789012345678901234567890, f: 0.1e0, n: -9223372036854775809}",
    "{t: 2020-01-01T00:00:00.123Z, u: 2020-01-01T00:00:00.123456789Z, v: 2020T, w: 2020-02-03}",
    "{t: 0001-01-01T00:00:00Z, u: 9999-12-31T23:59:59.999Z, v: 2020-01-01T00:00-00:00}",
    "{t: 2020-01-01T10:00:00+02:00, u: 2020-01-01T00:00:00-00:00}",
    "{s: symbol, a: x::1, b: x::'y', l: x::[1], n: null.int, m: null, o: null.struct}",
    '{s: "nul\\0l", j: {"k\\0y": "v\\0l"}, c: {{"clob"}}, b: {{AAEC}}, e: (a b (c))}',
    "{j: {t: 2020-01-01T00:00:00.123Z, b: {{AAEC}}, n: null.int, s: symbol, x: x::1, d: 1.50}}",
    "{j: {big: 1d200000, f: nan, m: -0e0, i: 123456789012345678901234567890.12345}}",
    "{r: 1, r: 2, q: {a: 1, a: 2}}",
    "x::{a: 1}",
    f"{{deep: {DEEP}}}",
    "[1, 2]",
    "5",
    "null.struct",
    "{}",
    '{long: "' + "x" * 128_000 + '"}',
    "{" + ", ".join(f"f{n}: {n}" for n in range(700)) + "}",
    "{'" + "n" * 300 + "': 1, '" + "n" * 299 + "m': 2, '" + "é" * 100 + "': 3}",
)


def check(place: Place, documents: list[Any]) -> None:
    """Apply a document a block; every one must read back as what it was."""
    blocks = journal_of(documents)
    with opened(place.url) as sink:
        apply_all(sink, blocks)
        strand = blocks[0].address.strand_id
        assert list(sink.expect(blocks)) == list(sink.history(strand, 0, 2**62))
        found = {revision.document_id: revision.data for revision in sink.current(strand)}
        expected = {r.document_id: r.data for r in sink.expect(blocks)}
        assert expected == found


def test_a_torture_of_documents(place: Place) -> None:
    """Every type, odd and colliding names, huge numbers, odd times, depth, length, no struct."""
    check(place, ion(*TORTURE))


@pytest.mark.parametrize("text", TORTURE)
def test_each_alone_in_one_column(tmp_path: Path, text: str) -> None:
    """With schema=json nothing is lost either."""
    blocks = journal_of(ion(text))
    with opened(f"sqlite:{tmp_path}/x.db?schema=json") as sink:
        apply_all(sink, blocks)
        strand = blocks[0].address.strand_id
        assert list(sink.expect(blocks)) == list(sink.history(strand, 0, 2**62))


def test_columns_widen_without_loss(place: Place) -> None:
    """A column that was a number, a time, a text, bytes or a truth becomes JSON, values kept."""
    first = ["1", "2.50", "1e0", "true", '"x"', "2020-01-01T00:00:00.123Z", "{{AAEC}}", "{a: 1}"]
    documents = [f"{{v{n}: {value}}}" for n, value in enumerate(first)]
    documents += [f"{{v{n}: {value}}}" for n in range(len(first)) for value in first]
    check(place, ion(*documents))


def test_rest_holds_what_columns_do_not(place: Place) -> None:
    """A user reads `qldb_rest` with `loads`, and finds the very Ion."""
    blocks = journal_of(ion("{a: x::1, b: null, c: 5}"))
    with opened(place.url) as sink:
        apply_all(sink, blocks)
    ((a, c, rest),) = place.query("SELECT a, c, qldb_rest FROM customers")
    assert (1, 5) == (a, c)
    assert ion("{a: x::1, b: null}")[0].hash() == ion_hash(loads(bytes(rest)))


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents=st.lists(ion_documents(), min_size=1, max_size=4))
def test_any_documents(tmp_path_factory: pytest.TempPathFactory, documents: list[Any]) -> None:
    """A law: whatever documents come, in whatever order, they read back (SQLite)."""
    check(SqliteFile(tmp_path_factory.mktemp("any")), documents)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents=st.lists(ion_documents(), min_size=1, max_size=12))
def test_any_documents_in_postgresql(postgres: dict[str, str], documents: list[Any]) -> None:
    """The same law for PostgreSQL."""
    with make_postgres(postgres) as place:
        check(place, documents)

"""Documents as columns: types, names, and what becomes of whole tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pyarrow.parquet as pq
import pytest

from qldb_stream.events import Block, RevisionKind
from qldb_stream.ion import iter_text, load_slice
from qldb_stream.sinks.parquet import list_files
from qldb_stream.sinks.parquet._sink import ParquetSink
from tests.sinks.parquet.support import (
    BLOCKS,
    STRAND,
    check,
    files_of,
    ledger_blocks,
    query,
    write,
)

TYPES: list[tuple[list[Any], str, list[Any]]] = [
    ([1, None, 2**40], "BIGINT", [1, None, 2**40]),
    ([1, 2**63], "DECIMAL(38,0)", [1, 2**63]),
    ([1, "two", True], "VARCHAR", ["1", "two", "true"]),
    ([1, 1.5], "DOUBLE", [1.0, 1.5]),
    ([2**60, 1.5], "VARCHAR", [str(2**60), "1.5"]),
    ([True, False], "BOOLEAN", [True, False]),
    ([{"a": 1}, [2]], "VARCHAR", ['{"a":1}', "[2]"]),
    ([10**50, 1], "VARCHAR", [str(10**50), "1"]),
]


@pytest.mark.parametrize(("values", "type_name", "expected"), TYPES)
@pytest.mark.parametrize("runs", [1, 9])
def test_a_column_widens(
    path: Path, values: list[Any], type_name: str, expected: list[Any], runs: int
) -> None:
    """Whether its values come together or one by one, a column has the type that holds all."""
    blocks = ledger_blocks(
        "CREATE TABLE T", *(("INSERT INTO T ?", {"v": v, "n": i}) for i, v in enumerate(values))
    )
    write(path, *([blocks] if runs == 1 else ([block] for block in blocks)))
    for kind in ("history", "current"):
        files = list_files(str(path), kind, "T")
        found = query(
            f"SELECT v, typeof(v) FROM read_parquet({files}, union_by_name=true) ORDER BY n"
        )
        assert [(value, type_name) for value in expected] == found
    check(path, blocks)


TORTURE = """{ n: null, n2: null.int, b: true, i: -0, d: 1d3, d2: -0.0, d3: 1.50000, d4: 1d-40,
    big: 123456789012345678901234567890123456789, f: 1e0, nn: nan, inf: -inf, t: 2020T,
    t2: 2020-02-29T, t3: 2020-02-29T10:30-00:00, t4: 9999-12-31T23:59:59.999999+23:59,
    t5: 0001-01-01T00:00:00.5-01:00, t6: 2020-01-01T00:00:00.1234567Z, s: "a\\0b\\u20ac", s2: "",
    sym: 'x y', c: {{"clob"}}, bl: {{aGk=}}, l: [1, [2]], se: (a b), st: {a: {b: null}},
    an: x::1, an2: x::y::"z", '': 1, 'a\\0b': 2, 'a.b': 3, r: 1, r: 2, D: 1 }"""


@pytest.mark.parametrize("text", [TORTURE, "[1, 2]", "{}", "x::{a: 1}", '"text"', "null"])
def test_every_type_of_ion_has_its_place(path: Path, text: str) -> None:
    """Odd values, names and documents are kept whole, and read back as they are expected."""
    block = next(b for b in BLOCKS if any(r.kind is RevisionKind.INSERT for r in b.revisions))
    nested = "[" * 60 + "]" * 60
    long = text.replace("D: 1", f"deep: {nested}, long: '{'y' * 2**17}', many: 0x{9**9999:x}")
    data = next(iter_text(long.encode()))
    revisions = tuple(attrs.evolve(r, data_ion=data) for r in block.revisions if r.metadata)
    written = attrs.evolve(block, revisions=revisions)
    write(path, [written])
    check(path, [written])
    row = pq.ParquetFile(path / files_of(path)[0]["name"]).read().to_pylist()[0]
    assert data.hash() == load_slice(row["data"]).hash()
    if text is not TORTURE:
        return
    shown = {
        "b": True,
        "i": 0,
        "d": 1000,
        "d4": "1E-40",
        "f": 1.0,
        "inf": float("-inf"),
        "t": "2020T",
        "s": "a\0b\u20ac",
        "s2": "",
        "sym": "x y",
        "se": '["a","b"]',
        "st": '{"a":{"b":null}}',
        "an": "1",
        "an2": "z",
        "field": 1,
        "a.b": 3,
        "r": 1,
        "l": "[1,[2]]",
    }
    assert shown == {name: row[name] for name in shown}
    assert "n" not in row
    assert datetime(2020, 2, 29, tzinfo=UTC) == row["t2"]


def test_odd_names_have_columns_of_their_own(path: Path) -> None:
    """Names of proof columns, capitals, and no name at all: each field has one column."""
    document = {"version": "a", "Table": "b", "x": "c", "X": "d", "": "e", 'naïve "q"': "f"}
    blocks = ledger_blocks("CREATE TABLE T", ("INSERT INTO T ?", document))
    write(path, blocks)
    files = list_files(str(path), "history", "T")
    sql = f"SELECT version_2, Table_2, x, X_2, field FROM read_parquet({files})"
    assert [("a", "b", "c", "d", "e")] == query(sql)
    check(path, blocks)


def test_a_dropped_table_has_no_current_state(path: Path) -> None:
    """Its history stays; it is there again when it is undropped, beside a new one of its name."""
    made: list[Any] = ["CREATE TABLE T", ("INSERT INTO T ?", {"n": 1})]
    blocks = ledger_blocks(
        *made, "DROP TABLE T", 'UNDROP TABLE "{T}"', ("INSERT INTO T ?", {"n": 2})
    )
    dropped = next(i for i, b in enumerate(blocks) if "DROP TABLE T" in _texts(b))
    counts = []
    for end in (dropped, dropped + 1, dropped + 2, len(blocks)):
        write(path, blocks[:end])
        sink = ParquetSink(path)
        current = list(sink.current(blocks[0].address.strand_id))
        history = list(sink.history(blocks[0].address.strand_id, 0, 99))
        sink.close()
        counts.append((len(current), len(history)))
    assert [(1, 1), (0, 1), (1, 1), (2, 2)] == counts


def _texts(block: Block) -> list[str]:
    info = block.summary.transaction_info
    return [] if info is None else [statement.statement for statement in info.statements]


def test_masked_and_withheld_revisions_say_so(path: Path) -> None:
    """What a filter changed is named in `masked`; a withheld document is not there."""
    block = next(b for b in BLOCKS if any(r.kind is RevisionKind.INSERT for r in b.revisions))
    masked = tuple(attrs.evolve(r, masked=("a.b", "c")) for r in block.revisions)
    write(path, [attrs.evolve(block, revisions=masked)])
    files = [f["name"] for f in files_of(path) if f["name"].startswith("history")]
    names = [str(path / name) for name in files]
    assert {("a.b", "c")} == {
        tuple(row[0]) for row in query(f"SELECT masked FROM read_parquet({names})")
    }
    withheld = tuple(
        attrs.evolve(r, is_withheld=True, data_ion=None, data_hash=b"h" * 32)
        for r in block.revisions
    )
    write(path.with_name("other"), [attrs.evolve(block, revisions=withheld)])
    sink = ParquetSink(path.with_name("other"))
    assert {RevisionKind.WITHHELD} == {s.kind for s in sink.history(STRAND, 0, 99)}
    assert [] == list(sink.current(STRAND))
    sink.close()

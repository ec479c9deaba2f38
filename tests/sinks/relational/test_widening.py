"""A column of PostgreSQL that gets another type when there are many rows."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.sinks.relational.databases import make_postgres
from tests.sinks.relational.support import apply_all, ion, journal_of, opened

ROWS = 1_500
BYTES = 6_000
MOST_BYTES = 4_000_000


@pytest.mark.parametrize(
    ("first", "value"),
    [
        ("{{AAEC}}", f"decode(repeat('a', {BYTES * 2}), 'hex')"),
        ("2020-01-01T00:00:00.123Z", "now() + n * interval '1 second'"),
    ],
)
def test_rows_are_never_all_in_memory(postgres: dict[str, str], first: str, value: str) -> None:
    """Values are noted slice by slice; each is in `qldb_rest` and in the column afterwards."""
    blocks = journal_of(ion(f"{{a: {first}}}", "{a: 1}"))
    with make_postgres(postgres) as place:
        with opened(place.url) as sink:
            apply_all(sink, blocks[:1])
            # Rows of another strand, as long as documents may be.
            place.query(
                "INSERT INTO customers_history (qldb_strand_id, qldb_sequence_no, "
                "qldb_document_id, qldb_version, qldb_kind, qldb_hash, qldb_verification, "
                "qldb_masked, a) SELECT 'other', n, 'd' || n, 0, 'insert', qldb_hash, 'verified', "
                f"NULL, {value} FROM customers_history, generate_series(1, {ROWS}) AS n"
            )
            tracemalloc.start()
            try:
                apply_all(sink, blocks[1:])
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < MOST_BYTES
        assert [(ROWS + 1, ROWS + 2)] == place.query(
            "SELECT count(qldb_rest), count(a) FROM customers_history"
        )

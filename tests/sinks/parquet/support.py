"""What the tests of `parquet:` share: a journal, and how it is written and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.report import Position
from qldb_stream.sinks.parquet._sink import ParquetSink
from qldb_stream.testing.journals import JournalShape, make_journal

REPOSITORY = Path(__file__).resolve().parents[3]
SHAPE = JournalShape(redactions=0.2, deletes=0.1)
JOURNAL = make_journal(11, blocks=40, shape=SHAPE)
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())
STRAND = JOURNAL.strand_id


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash, start=0)


def apply(sink: ParquetSink, blocks: Sequence[Block], token: int = 0) -> Position:
    """Apply a run of blocks, to the position of its last."""
    return sink.apply(blocks, position_at(blocks[-1]), token)


def write(path: Path, *runs: Sequence[Block], **options: Any) -> None:
    """Write runs of blocks, each by a sink of its own."""
    for run in runs:
        sink = ParquetSink(path, **options)
        apply(sink, run)
        sink.close()


def check(path: Path, blocks: Sequence[Block] = ERASED) -> None:
    """Compare all that a folder holds with what it should hold of these blocks."""
    sink = ParquetSink(path)
    strand_id = blocks[0].address.strand_id
    expected = list(sink.expect(blocks))
    assert expected == list(sink.history(strand_id, 0, 10**9))
    newest = {stored.document_id: stored for stored in expected}
    there = [stored for stored in newest.values() if stored.data is not None]
    found = list(sink.current(strand_id))
    key = lambda stored: stored.document_id  # noqa: E731 - used twice, here
    assert sorted(there, key=key) == sorted(found, key=key)
    sink.close()
    seen = {str(file.relative_to(path)) for file in path.rglob("*.parquet")}
    assert seen == {file["name"] for file in files_of(path)}


def files_of(path: Path) -> list[dict[str, Any]]:
    """Give all files that the manifest names."""
    manifest = json.loads((path / "_qldb_stream" / "manifest.json").read_text())
    return [
        f for t in manifest["tables"].values() for kind in ("history", "current") for f in t[kind]
    ]


def ledger_blocks(*statements: tuple[str, Any] | str) -> list[Block]:
    """Run statements, each in a transaction, and give the blocks; {T} is the id of table T."""
    with Ledger.open(":memory:") as ledger:
        driver = ledger.driver()
        table_id = ""
        for statement in statements:
            text, parameters = (statement, ()) if isinstance(statement, str) else statement
            text = text.replace("{T}", table_id)
            given = parameters if isinstance(parameters, tuple) else (parameters,)
            driver.execute_lambda(lambda txn: list(txn.execute_statement(text, *given)))  # noqa: B023 - run at once
            named = driver.execute_lambda(
                lambda txn: list(
                    txn.execute_statement("SELECT tableId FROM information_schema.user_tables")
                )
            )
            table_id = named[0]["tableId"] if named else ""
        return list(ledger.blocks())


def query(sql: str) -> list[tuple[Any, ...]]:
    """Ask DuckDB."""
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()

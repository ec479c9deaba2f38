"""Blocks applied to an embedded ledger, and what is asked of it then."""

from __future__ import annotations

from typing import Any

from qldb_stream.events import Block, TableInfo
from qldb_stream.ledger import Ledger
from qldb_stream.replay import lookup_ids
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import STRAND, block, digest, document_id

OTHERS = TableInfo("Others", "9zYxWvUtSrQpOnMlKjIhG8")
CREATED = block(0, statements=["CREATE TABLE Things"])


def at(sequence_no: int, **more: Any) -> Position:
    """The position after a block made by hand."""
    return Position(STRAND, sequence_no, digest("block", sequence_no), **more)


def deliver(sink: LedgerSink, *blocks: Block, token: int = 1, **more: Any) -> None:
    """Apply blocks one by one."""
    for each in blocks:
        reached = at(each.address.sequence_no, **more)
        assert sink.apply([each], reached, token).covers(reached)


def rows(ledger: Ledger, statement: str, *parameters: Any) -> list[Any]:
    """Run a query on the destination."""

    def work(txn: Any) -> list[Any]:
        return list(txn.execute_statement(statement, *parameters))

    return ledger.driver().execute_lambda(work)


def mapped(ledger: Ledger, number: int) -> str:
    """The destination's id of document `number`."""
    (record,) = lookup_ids(ledger, [document_id(number)])
    return record.destination_id


def history(ledger: Ledger, table: str = "Things") -> list[tuple[int, Any]]:
    """Version and data of every revision of a table, by version."""
    statement = f"SELECT h.metadata.version, h.data FROM history({table}) AS h"
    found = rows(ledger, statement)
    return sorted(((row["version"], row.get("data")) for row in found), key=lambda row: row[0])


def tip(ledger: Ledger) -> int:
    """The number of the destination's last block."""
    return ledger.digest().tip.sequence_no

"""
What a replay would do, without doing it.

The plan of each block is the one that a replay into a ledger carries out (`replay.plan_block`):
it names tables and documents, and says why a block cannot be repeated. Other sinks take more
than a ledger does, so there a refusal is a hint.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import attrs

from qldb_stream.errors import ReplayRefusedError
from qldb_stream.events import Block
from qldb_stream.partiql import table_of_ddl
from qldb_stream.replay import (
    BlockPlan,
    ChangeKind,
    DocumentChange,
    TableChange,
    plan_block,
)
from qldb_stream.report import DryRunReport, PlannedTable, Position
from qldb_stream.typing import Sink

__all__ = ["DryRunSink"]

_LISTED: Final = 1000  # refused blocks that are named; the rest is counted
_BY_ID: Final = "(a table that is undropped by its id)"
_FIELDS: Final = {
    ChangeKind.INSERT: "inserts",
    ChangeKind.UPDATE: "updates",
    ChangeKind.DELETE: "deletes",
}


class DryRunSink:
    """
    Plans what another sink would be given, from where that is.

    Args:
        sink: is asked for its position, and for nothing else; stays open.
        name: the sink in the report.
    """

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink = sink
        self._name = name
        self._blocks = 0
        self._tables: dict[str, PlannedTable] = {}
        self._refused: list[tuple[str, int, str]] = []
        self._refused_blocks = 0

    def position(self, strand_id: str) -> Position | None:
        """Give what the other sink has."""
        return self._sink.position(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:  # noqa: ARG002 - nothing is written
        """Plan some blocks; none is written."""
        for block in blocks:
            self._blocks += 1
            try:
                self._add(plan_block(block), _withheld(block))
            except ReplayRefusedError as exc:
                self._refuse(exc)
        return position

    def close(self) -> None:
        """Do nothing: the other sink stays open."""

    def dry_run(self) -> DryRunReport:
        """Sum up what was planned."""
        tables = [self._tables[name] for name in sorted(self._tables)]
        refused = tuple(self._refused)
        return DryRunReport(self._name, self._blocks, tuple(tables), refused, self._refused_blocks)

    def _add(self, plan: BlockPlan, withheld: Collection[tuple[str, int]]) -> None:
        for operation in plan.operations:
            if isinstance(operation, DocumentChange):
                is_withheld = (operation.source_id, operation.version) in withheld
                field = "withheld" if is_withheld else _FIELDS[operation.kind]
                self._count(operation.table.table_name, field)
            else:
                self._count(_named(operation), "ddl")

    def _count(self, table: str, field: str) -> None:
        found = self._tables.get(table, PlannedTable(table))
        self._tables[table] = attrs.evolve(found, **{field: getattr(found, field) + 1})

    def _refuse(self, error: ReplayRefusedError) -> None:
        self._refused_blocks += 1
        if len(self._refused) < _LISTED:
            self._refused.append((error.strand_id, error.sequence_no, error.problem))


def _withheld(block: Block) -> frozenset[tuple[str, int]]:
    """Give the documents, with their versions, that a filter's conditions did not admit."""
    return frozenset(
        (revision.metadata.id, revision.metadata.version)
        for revision in block.revisions
        if revision.is_withheld and revision.metadata is not None
    )


def _named(change: TableChange) -> str:
    return table_of_ddl(change) or _BY_ID

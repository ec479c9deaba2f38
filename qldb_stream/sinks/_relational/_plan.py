"""
What a run of blocks writes: pure, from blocks and a draft of the catalog to rows.

A row is the same in the current state and in the history: the sink's own columns, then the
document's. Within a run only the newest revision of a document goes to the current state.
When a column has to become JSON on the way, rows that were made before do not fit any more,
and the run is planned again; that happens once for each such column.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Final

import attrs

from qldb_stream.events import Block, RedactedRevision, Revision, RevisionKind, TableInfo
from qldb_stream.formulas import hash_data
from qldb_stream.sinks._ddl import iter_drops
from qldb_stream.sinks._relational._catalog import OWN_COLUMNS, Draft
from qldb_stream.sinks._relational._cells import Cell, Cells
from qldb_stream.sinks._relational._documents import Layout, ReplanError
from qldb_stream.sinks._relational._kinds import time_text

__all__ = ["WITH_DATA", "BlockRow", "Erasure", "RunPlan", "TableRows", "plan_run"]

UNKNOWN_TABLE: Final = TableInfo("unknown_table", "")
"""Where revisions go of which nobody says the table."""

WITH_DATA: Final = frozenset({RevisionKind.INSERT, RevisionKind.UPDATE})
_GONE: Final = frozenset({RevisionKind.DELETE, RevisionKind.WITHHELD})
_REST: Final = OWN_COLUMNS - 1
_VERIFIED: Final = "verified"  # the pipeline delivers no other blocks

BlockRow = tuple[str, int, bytes, bytes, str, str]
Erasure = tuple[str, int, str, int]
"""A revision whose data goes: strand, block, document, version."""


@attrs.define
class TableRows:
    """
    What one table gets.

    `history` has all rows in order. `current` has the newest row of each living document by
    document id; `gone` the version of those that are no longer there. `born` are documents
    whose first revision is among the rows.
    """

    layout: Layout
    history: list[list[Cell]] = attrs.field(factory=list)
    current: dict[str, list[Cell]] = attrs.field(factory=dict)
    gone: dict[str, int] = attrs.field(factory=dict)
    born: set[str] = attrs.field(factory=set)


@attrs.define
class RunPlan:
    """What a run writes: rows by table id, the chain of blocks, and what it redacts."""

    tables: dict[str, TableRows] = attrs.field(factory=dict)
    blocks: list[BlockRow] = attrs.field(factory=list)
    redacted: list[tuple[int, RedactedRevision]] = attrs.field(factory=list)
    documents: int = 0

    def pad(self) -> None:
        """Make all rows of a table as long as the last."""
        for table in self.tables.values():
            for row in table.history:
                row.extend([None] * (table.layout.width - len(row)))


def plan_run(
    draft: Draft,
    cells: Cells,
    blocks: Sequence[Block],
    erased: Collection[Erasure],
    *,
    one_column: bool,
    applied: int = -1,
    follows_ddl: bool = True,
) -> RunPlan:
    """
    Plan what blocks write, and change the draft as they need it.

    Args:
        draft: the catalog; tables and columns are added to it.
        cells: how the database takes values.
        blocks: in order.
        erased: revisions of these blocks whose redaction came before them.
        one_column: whether documents are one column of JSON.
        applied: the number up to which blocks were applied before; what of these comes late says
            nothing of which tables that are known are there.
        follows_ddl: whether the blocks drop tables; not when they are written anew.

    Raises:
        DecodeError: something in a block cannot be read.
    """
    while True:
        planner = _Planner(draft, cells, erased, one_column=one_column)
        try:
            for block in blocks:
                planner.add(block)
        except ReplanError:
            continue
        planner.plan.pad()
        if follows_ddl:
            _follow(draft, blocks, applied)
        return planner.plan


def _follow(draft: Draft, blocks: Sequence[Block], applied: int) -> None:
    """
    Find which tables are there after the blocks.

    Block by block, whatever a run holds of them: a document says that its table is there, under
    that name; what the block drops and brings back comes behind that.
    """
    draft.hide_new()
    for block in blocks:
        is_late = block.address.sequence_no <= applied
        for revision in block.revisions:
            info = revision.table or UNKNOWN_TABLE
            if revision.metadata is not None and not (is_late and info.table_id in draft.before):
                draft.revive(info)
        for is_there, named in iter_drops(block):
            if is_there:
                draft.undrop(named)
            else:
                draft.drop(named)


class _Planner:
    def __init__(
        self, draft: Draft, cells: Cells, erased: Collection[Erasure], *, one_column: bool
    ) -> None:
        self.plan = RunPlan()
        self._draft = draft
        self._cells = cells
        self._erased = erased
        self._one_column = one_column

    def add(self, block: Block) -> None:
        """Plan one block."""
        summary = block.summary
        address = summary.address
        self.plan.blocks.append(
            (
                address.strand_id,
                address.sequence_no,
                summary.block_hash,
                summary.previous_block_hash,
                summary.transaction_id,
                time_text(summary.block_timestamp),
            )
        )
        for revision in block.revisions:
            if revision.metadata is not None:
                self._add_revision(block, revision)
        if summary.redaction_info is not None:
            self.plan.redacted += [
                (address.sequence_no, found) for found in summary.redaction_info.revisions
            ]

    def _add_revision(self, block: Block, revision: Revision) -> None:
        table = self._table(revision.table or UNKNOWN_TABLE)
        kind, row = self._row(block, revision, table.layout)
        document_id, version = row[2], row[3]
        table.history.append(row)
        self.plan.documents += 1
        if not version:
            table.born.add(document_id)
        if kind in _GONE:
            table.current.pop(document_id, None)
            table.gone[document_id] = version
        else:
            table.current[document_id] = row
            table.gone.pop(document_id, None)

    def _row(
        self, block: Block, revision: Revision, layout: Layout
    ) -> tuple[RevisionKind, list[Cell]]:
        metadata, address = revision.metadata, block.summary.address
        assert metadata is not None
        kind = revision.kind
        key = (address.strand_id, address.sequence_no, metadata.id, metadata.version)
        is_erased = bool(self._erased) and key in self._erased and kind in WITH_DATA
        if is_erased:
            kind = RevisionKind.REDACTED
        row: list[Cell] = [
            *key,
            kind.value,
            revision.hash,
            hash_data(revision),
            metadata.tx_id,
            time_text(metadata.tx_time),
            block.summary.block_hash,
            _VERIFIED,
            json.dumps(revision.masked) if revision.masked else None,
            None,
        ]
        if revision.data_ion is not None and not is_erased and not revision.is_withheld:
            row[_REST] = layout.fill(row, revision.data)
        return kind, row

    def _table(self, info: TableInfo) -> TableRows:
        found = self.plan.tables.get(info.table_id)
        if found is None:
            table = self._draft.table(info)
            layout = Layout(self._draft, table, self._cells, one_column=self._one_column)
            found = self.plan.tables[info.table_id] = TableRows(layout)
        return found

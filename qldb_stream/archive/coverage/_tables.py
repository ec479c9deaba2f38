"""
The tables of a strand, as its blocks tell them: made, written to, dropped.

Names come from DDL, ids from revisions; the first document of a table joins the two. A
name may be used again after a drop, which is another table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from qldb_stream.archive.coverage._memory import Memory
from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, DocumentInfo, Revision, RevisionKind, TableInfo
from qldb_stream.partiql import Ddl, maybe_ddl
from qldb_stream.partiql.ast import CreateTable, DropTable, UndropTable
from qldb_stream.report import TableCoverage
from qldb_stream.statements import readable_statements

__all__ = ["Tables"]

_MOST_TABLES: Final = 10_000
"""Far more than a ledger may have (facts 5.8); what a stranger writes beyond them is one entry."""
_FURTHER: Final = "(further tables)"
_UNKNOWN: Final = TableInfo("(unknown)", "")
_NO_DOCUMENTS: Final[Mapping[str, DocumentInfo]] = {}


@attrs.define(eq=False)
class _Table:
    """What is known of a table; `home` is its number in the memory."""

    name: str
    table_id: str | None
    home: int
    revisions: int = 0
    deleted: int = 0
    first: int | None = None
    last: int | None = None
    created: int | None = None
    dropped: int | None = None


class Tables:
    """
    Collects the tables of one strand.

    Args:
        memory: counts documents; shared by all strands.
        first_home: the number of the first table in it.
    """

    def __init__(self, memory: Memory, first_home: int) -> None:
        self._memory = memory
        self._first_home = first_home
        self._tables: list[_Table] = []
        self._by_id: dict[str, _Table] = {}
        self._live: dict[str, _Table] = {}  # by name
        self._further: _Table | None = None  # stands for all beyond the limit

    @property
    def next_home(self) -> int:
        """Give the number that is free for the next strand's first table."""
        return self._first_home + len(self._tables)

    def feed(self, block: Block) -> None:
        """Take in the next block."""
        number = block.address.sequence_no
        changes = list(_iter_ddl(block))
        for change in changes:
            if isinstance(change, CreateTable):
                self._create(change.name).created = number
            elif isinstance(change, UndropTable):
                self._undrop(change.table_id)
        documents = _documents(block)
        for revision in block.revisions:
            if revision.metadata is not None:
                self._count(number, revision, _table_of(revision, documents))
        for change in changes:
            if isinstance(change, DropTable):
                self._drop(change.name, number)

    def report(self, documents: Mapping[int, int]) -> tuple[TableCoverage, ...]:
        """Sum up, by name and then in the order in which they came."""
        found = sorted(self._tables, key=lambda table: (table.name, table.home))
        return tuple(
            [
                TableCoverage(
                    table.name,
                    table.table_id,
                    documents.get(table.home, 0),
                    table.revisions,
                    table.deleted,
                    table.first,
                    table.last,
                    table.created,
                    table.dropped,
                )
                for table in found
            ]
        )

    def _count(self, number: int, revision: Revision, info: TableInfo | None) -> None:
        table = self._of(info or _UNKNOWN)
        table.revisions += 1
        table.deleted += revision.kind is RevisionKind.DELETE
        table.first = number if table.first is None else table.first
        table.last = number
        assert revision.document_id is not None
        self._memory.add_document(table.home, revision.document_id)

    def _of(self, info: TableInfo) -> _Table:
        """Find a table by its id, or by the name of a live one of which no id is known."""
        found = self._by_id.get(info.table_id)
        if found is None:
            found = self._live.get(info.table_name)
            if found is None or found.table_id is not None:
                found = self._create(info.table_name)
            if found is not self._further:
                found.table_id = info.table_id or None
                self._by_id[info.table_id] = found
        return found

    def _create(self, name: str) -> _Table:
        if self._further is not None:
            return self._further
        table = _Table(name, None, self.next_home)
        self._tables.append(table)
        if len(self._tables) > _MOST_TABLES:
            table.name = _FURTHER
            self._further = table
        else:
            self._live[name] = table
        return table

    def _drop(self, name: str, number: int) -> None:
        found = self._live.get(name) or self._create(name)
        found.dropped = number
        self._live.pop(name, None)

    def _undrop(self, table_id: str) -> None:
        found = self._by_id.get(table_id)
        if found is not None:
            found.dropped = None
            self._live[found.name] = found


def _iter_ddl(block: Block) -> Iterator[Ddl]:
    """Iterate over the DDL of a block; what cannot be read is for verification to tell."""
    for statement in readable_statements(block.summary):
        change = maybe_ddl(statement.statement)
        if change is not None:
            yield change


def _documents(block: Block) -> Mapping[str, DocumentInfo]:
    info = block.summary.transaction_info
    try:
        return _NO_DOCUMENTS if info is None else info.documents
    except DecodeError:
        return _NO_DOCUMENTS


def _table_of(revision: Revision, documents: Mapping[str, DocumentInfo]) -> TableInfo | None:
    if revision.table is not None:
        return revision.table
    found = documents.get(revision.document_id or "")
    return None if found is None else found.table

"""
The tables and indexes of a mirror, told by its source's statements and revisions.

What a journal says of them is not all: a table's id stands only with its documents, an
index's id nowhere (facts 2.3, 5.2). So:

- CREATE TABLE makes a table with an id of ours. The first document that names the table and
  its real id gives it that id; a table that never held a document keeps ours.
- UNDROP TABLE names an id. One that no document told can only be that of a dropped table
  that never held any: when there is exactly one, it is meant and gets the id.
- Indexes get ids of ours. DROP INDEX is carried out when its table has one index; else the
  index is kept, which costs time and changes no answer, and that is told.
- A statement that the service must have refused (a table that is there already, an index
  on an indexed field, a drop of what is not there) had no effect and is passed over: whether
  refused statements are journaled is not known (facts 5.10).
- A document in a table that no statement made takes the table from its own table's info.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from qldb_stream.events import BlockAddress, TableInfo
from qldb_stream.ledger._catalog import Catalog, Index, Table
from qldb_stream.ledger._ddl import Numbers
from qldb_stream.partiql.ast import CreateIndex, CreateTable, DropIndex, DropTable, UndropTable
from qldb_stream.replay import DocumentChange, Operation, TableChange, refusal

__all__ = ["CatalogWalk"]


class CatalogWalk:
    """
    A catalog that follows one block.

    Attributes:
        catalog: as the block leaves it.
        changed: the tables that are not as before, by number.
        table_numbers: the table of each changed document, by document id.
        indexes_kept: names of the tables of which a DROP INDEX could not be mapped.
    """

    def __init__(
        self,
        catalog: Catalog,
        address: BlockAddress,
        numbers: Numbers,
        holds_documents: Callable[[int], bool],
    ) -> None:
        """
        Begin with the catalog before the block.

        Args:
            catalog: that one.
            address: the block's, for refusals.
            numbers: where new tables and indexes get numbers and ids.
            holds_documents: tells of a table's number whether it ever held a document.
        """
        self.catalog = catalog
        self.changed: Final[dict[int, Table]] = {}
        self.table_numbers: Final[dict[str, int]] = {}
        self.indexes_kept: Final[list[str]] = []
        self._address: Final = address
        self._numbers: Final = numbers
        self._holds_documents: Final = holds_documents

    def follow(self, operation: Operation) -> None:
        """
        Take the next thing that the block did.

        Raises:
            ReplayRefusedError: it contradicts what the journal said of the table before, or an
                UNDROP may mean several tables.
        """
        if isinstance(operation, DocumentChange):
            self.table_numbers[operation.source_id] = self._table_of(operation.table).no
        else:
            self._define(operation)

    # --- documents ---------------------------------------------------------------------------

    def _table_of(self, info: TableInfo) -> Table:
        """Find a document's table; learn its id, or the whole table, when that is new."""
        table = self.catalog.by_id.get(info.table_id)
        if table is None:
            return self._learn(info)
        if table.name != info.table_name:
            problem = f"table {info.table_id} is called {table.name}, and here {info.table_name}"
            raise refusal(self._address, problem)
        return table

    def _learn(self, info: TableInfo) -> Table:
        table = self.catalog.by_name.get(info.table_name)
        if table is None:
            return self._put(Table(self._numbers.table_no(), info.table_id, info.table_name))
        if self._is_known(table):
            problem = (
                f"table {info.table_name} has the id {table.id}, and here the id {info.table_id}"
            )
            raise refusal(self._address, problem)
        return self._put(attrs.evolve(table, id=info.table_id))

    def _is_known(self, table: Table) -> bool:
        """Tell whether a document has told the table's id, in this block or before."""
        return table.no in self.table_numbers.values() or self._holds_documents(table.no)

    # --- statements --------------------------------------------------------------------------

    def _define(self, change: TableChange) -> None:
        active = self.catalog.by_name
        match change:
            case CreateTable(name=name):
                if name not in active:
                    self._put(Table(self._numbers.table_no(), self._numbers.new_id(), name))
            case DropTable(name=name):
                if name in active:
                    self._put(attrs.evolve(active[name], active=False))
            case UndropTable(table_id=table_id):
                self._undrop(table_id)
            case CreateIndex(table=name, field=field):
                if name in active and active[name].maybe_index(field) is None:
                    self._create_index(active[name], field)
            case DropIndex(table=name):
                if name in active:
                    self._drop_index(active[name])

    def _undrop(self, table_id: str) -> None:
        table = self.catalog.by_id.get(table_id)
        if table is None:
            table = self._maybe_only_unknown(table_id)
        if table is not None and not table.active and table.name not in self.catalog.by_name:
            self._put(attrs.evolve(table, id=table_id, active=True))

    def _maybe_only_unknown(self, table_id: str) -> Table | None:
        """Give the only dropped table that an id can be meant for; None when there is none."""
        found = [
            table
            for table in self.catalog.tables
            if not (table.active or table.name in self.catalog.by_name or self._is_known(table))
        ]
        if len(found) > 1:
            names = ", ".join(sorted({table.name for table in found}))
            problem = (
                f"UNDROP TABLE {table_id} may mean any of the tables {names}, which never held a "
                "document; replay the journal instead of mirroring it"
            )
            raise refusal(self._address, problem)
        return found[0] if found else None

    def _create_index(self, table: Table, field: str) -> None:
        index = Index(self._numbers.index_no(), self._numbers.new_id(), field)
        self._put(attrs.evolve(table, indexes=(*table.indexes, index)))

    def _drop_index(self, table: Table) -> None:
        if len(table.indexes) == 1:
            self._put(attrs.evolve(table, indexes=()))
        elif table.indexes:
            self.indexes_kept.append(table.name)

    def _put(self, table: Table) -> Table:
        self.changed[table.no] = table
        self.catalog = self.catalog.with_tables((table,))
        return table

"""
The tables and indexes of a ledger, as a frozen value; one catalog for each state.

Strategy: a transaction works on the catalog of its snapshot and on what it changed
itself; a commit lays the changed tables over the newest catalog. Tables are never
forgotten: a dropped one is inactive, its name free, its documents and history stay
(facts 5.1). Numbers (`no`) are ours and key the stored rows; ids are QLDB's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import attrs

from qldb_stream.partiql import TableKind, TableRef, no_such_variable

__all__ = ["Catalog", "Index", "Table"]


@attrs.frozen
class Index:
    """An index of one top-level field; always ONLINE, because it is built at commit."""

    no: int
    id: str
    field: str

    def as_row(self) -> dict[str, Any]:
        """Give the index as `information_schema.user_tables` shows it (facts 5.3)."""
        return {"indexId": self.id, "expr": f"[{self.field}]", "status": "ONLINE"}


@attrs.frozen
class Table:
    """A table, active or dropped."""

    no: int
    id: str
    name: str
    active: bool = True
    indexes: tuple[Index, ...] = ()

    def maybe_index(self, field: str) -> Index | None:
        """Find the index of a field by the field's exact name."""
        for index in self.indexes:
            if index.field == field:
                return index
        return None

    def as_row(self) -> dict[str, Any]:
        """Give the table as `information_schema.user_tables` shows it (facts 5.3)."""
        return {
            "tableId": self.id,
            "name": self.name,
            "indexes": [index.as_row() for index in self.indexes],
            "status": "ACTIVE" if self.active else "INACTIVE",
        }


@attrs.frozen(slots=False)  # cached_property keeps its value in the instance's dict
class Catalog:
    """All tables that were ever created, in the order of their creation."""

    tables: tuple[Table, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Table]:
        """Give all tables by id."""
        return {table.id: table for table in self.tables}

    @cached_property
    def by_no(self) -> Mapping[int, Table]:
        """Give all tables by number."""
        return {table.no: table for table in self.tables}

    @cached_property
    def by_name(self) -> Mapping[str, Table]:
        """Give the active tables by name."""
        return {table.name: table for table in self.tables if table.active}

    @cached_property
    def index_numbers(self) -> frozenset[int]:
        """Give the numbers of all indexes, those of inactive tables too."""
        return frozenset(index.no for table in self.tables for index in table.indexes)

    def find(self, ref: TableRef) -> Table:
        """
        Find the table that a statement names, by name or else by id (facts 5.3).

        A dropped table has no name any more; by its id only its history is reached, and
        UNDROP TABLE.

        Raises:
            PartiqlSemanticError: there is none.
        """
        table = None if ref.is_id else self.by_name.get(ref.name)
        if table is None:
            table = self.by_id.get(ref.name)
            kept = ref.is_id or ref.kind is TableKind.HISTORY
            if table is None or not (table.active or kept):
                raise no_such_variable(ref)
        return table

    def with_tables(self, changed: Iterable[Table]) -> Catalog:
        """Give the catalog with some tables added or replaced."""
        tables = {table.no: table for table in self.tables}
        tables.update((table.no, table) for table in changed)
        return Catalog(tuple(tables[no] for no in sorted(tables)))

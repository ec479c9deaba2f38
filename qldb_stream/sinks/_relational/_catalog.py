"""
Which tables and columns there are, and what they were called: the sink's memory of names.

A `Catalog` is what the database has. A run works on a `Draft`, which collects what has to
change; when the transaction that changes it has committed, the draft's catalog is the new one.
Tables are the source's by id: a dropped table keeps its name, and a later one of that name
gets another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import attrs

from qldb_stream.events import TableInfo
from qldb_stream.sinks._relational._kinds import Kind
from qldb_stream.sinks._relational._names import pick

__all__ = [
    "HISTORY",
    "MAX_COLUMNS",
    "OWN",
    "OWN_COLUMNS",
    "VIEW",
    "WHOLE",
    "Catalog",
    "Column",
    "Draft",
    "Table",
]

OWN: Final[Mapping[str, Kind]] = {
    "qldb_strand_id": Kind.TEXT,
    "qldb_sequence_no": Kind.INTEGER,
    "qldb_document_id": Kind.TEXT,
    "qldb_version": Kind.INTEGER,
    "qldb_kind": Kind.TEXT,
    "qldb_hash": Kind.BYTES,
    "qldb_data_hash": Kind.BYTES,
    "qldb_tx_id": Kind.TEXT,
    "qldb_tx_time": Kind.TIMESTAMP,
    "qldb_block_hash": Kind.BYTES,
    "qldb_verification": Kind.TEXT,
    "qldb_masked": Kind.JSON,
    "qldb_rest": Kind.BYTES,
}
"""The columns that every table has, in order, before those of its documents."""

OWN_COLUMNS: Final = len(OWN)

MAX_COLUMNS: Final = 250
"""
Columns that documents get in a table; fields beyond stand in `qldb_rest`.

PostgreSQL's rows have 8,160 bytes, of which a long value needs 18 and a short one stays inside;
SQLite's tables have 2,000 columns.
"""

HISTORY: Final = "_history"
VIEW: Final = "_scd2"

# The view's own columns.
_VIEW_COLUMNS: Final = ("valid_from", "valid_to", "is_current")
_TAKEN: Final = frozenset((*OWN, *_VIEW_COLUMNS))


@attrs.frozen
class Column:
    """A column: the documents' field, its name here, and what it holds."""

    field: str
    name: str
    kind: Kind


WHOLE: Final = Column("", "document", Kind.JSON)
"""The only column of documents where `schema=json`; a field without name is never called so."""


@attrs.frozen
class Table:
    """
    A table of the source, and what its documents became.

    `source_name` is the name under which it is delivered; `name` that of the current state,
    to which HISTORY and VIEW are appended for the others.
    """

    id: str
    source_name: str
    name: str
    is_dropped: bool = False
    columns: tuple[Column, ...] = ()

    @property
    def history(self) -> str:
        """Name the append-only table of all revisions."""
        return self.name + HISTORY

    @property
    def view(self) -> str:
        """Name the view that says when each revision was valid."""
        return self.name + VIEW

    @property
    def is_one_column(self) -> bool:
        """Say whether documents are one column of JSON."""
        return self.columns == (WHOLE,)

    @property
    def column_names(self) -> list[str]:
        """Name all columns in the order of a row."""
        return [*OWN, *(column.name for column in self.columns)]


@attrs.frozen
class Catalog:
    """All tables by id, and the number of the version."""

    version: int = 0
    tables: Mapping[str, Table] = attrs.field(factory=dict)

    def find(self, table_id: str) -> list[Table]:
        """Find where documents of a table may be: there, or anywhere when it is not known."""
        known = self.tables.get(table_id)
        return list(self.tables.values()) if known is None else [known]


class Draft:
    """
    A catalog that a run may change.

    Attributes:
        tables: by id, as they are to be.
        before: as they are.
        avoided: new tables that have another name, since theirs was taken.
    """

    def __init__(
        self, catalog: Catalog, taken: Collection[str], max_name_bytes: int, *, one_column: bool
    ) -> None:
        self.before = catalog.tables
        self.tables = dict(catalog.tables)
        self.avoided: list[Table] = []
        self._version = catalog.version
        self._max_bytes = max_name_bytes
        self._one_column = one_column
        self._taken = {name.lower() for name in taken}
        for table in self.tables.values():
            self._taken.update((table.name, table.history, table.view))

    @property
    def changed(self) -> list[Table]:
        """Give the tables that are new or not what they were."""
        return [t for t in self.tables.values() if self.before.get(t.id) is not t]

    def catalog(self) -> Catalog:
        """Give what the catalog is when everything is changed."""
        return Catalog(self._version + bool(self.changed), self.tables)

    def table(self, info: TableInfo) -> Table:
        """Give the table of a document, new when there is none."""
        table = self.tables.get(info.table_id)
        if table is None:
            endings = ("", HISTORY, VIEW)
            name = pick(info.table_name, self._taken, self._max_bytes, endings)
            self._taken.update((name, name + HISTORY, name + VIEW))
            table = Table(info.table_id, info.table_name, name)
            if name != pick(info.table_name, (), self._max_bytes, endings):
                self.avoided.append(table)
            if self._one_column:
                table = attrs.evolve(table, columns=(WHOLE,))
            self.tables[table.id] = table
        return table

    def hide_new(self) -> None:
        """Mark tables that are new as dropped, until they are revived in their turn."""
        for table in self.changed:
            if table.id not in self.before:
                self.tables[table.id] = attrs.evolve(table, is_dropped=True)

    def revive(self, info: TableInfo) -> None:
        """Let a table that has documents be there, under the name that they come with."""
        table = self.tables[info.table_id]
        if table.is_dropped or table.source_name != info.table_name:
            table = attrs.evolve(table, is_dropped=False, source_name=info.table_name)
            self.tables[table.id] = table

    def drop(self, source_name: str) -> None:
        """Mark the active table of a name as dropped; its data stay."""
        for table in self.tables.values():
            if table.source_name == source_name and not table.is_dropped:
                self.tables[table.id] = attrs.evolve(table, is_dropped=True)
                return

    def undrop(self, table_id: str) -> None:
        """Take the mark of a dropped table away; a table that never had documents is unknown."""
        table = self.tables.get(table_id)
        if table is not None and table.is_dropped:
            self.tables[table_id] = attrs.evolve(table, is_dropped=False)

    def add_column(self, table_id: str, field: str, kind: Kind) -> Column | None:
        """Add a column for a field; None when the table has as many as it may."""
        table = self.tables[table_id]
        if len(table.columns) >= MAX_COLUMNS:
            return None
        taken = {column.name for column in table.columns} | _TAKEN
        column = Column(field, pick(field, taken, self._max_bytes), kind)
        self.tables[table_id] = attrs.evolve(table, columns=(*table.columns, column))
        return column

    def widen(self, table_id: str, column: Column) -> None:
        """Let a column hold anything."""
        table = self.tables[table_id]
        wide = attrs.evolve(column, kind=Kind.JSON)
        columns = tuple(wide if c.name == column.name else c for c in table.columns)
        self.tables[table_id] = attrs.evolve(table, columns=columns)

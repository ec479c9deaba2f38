"""
What the relational sinks ask of a database; everything else they share.

Statements are written with `?` for parameters. A method raises `SinkUnavailableError` for
what may work later, `RowRefusedError` for what the database will never take, and
`UsageError` for what its owner has to put right; none of them quotes a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from qldb_stream.sinks._relational._catalog import Column, Table
from qldb_stream.sinks._relational._cells import Cell, Cells
from qldb_stream.sinks._relational._kinds import Kind

__all__ = ["META_TABLES", "Database", "RowRefusedError"]

META_TABLES: Final = ("setting", "position", "block", "source_table", "source_column", "redaction")


class RowRefusedError(Exception):
    """The database does not take a row, and why, without its contents."""


class Database(Protocol):
    """
    A connection and its dialect.

    Attributes:
        name: the sink, for messages; passwords are masked.
        cells: how values are taken.
        max_name_bytes: how long a name may be.
        types: what a column of a kind is declared as.
        replaces_views: whether CREATE OR REPLACE VIEW adds columns at the end of a view.
    """

    name: str
    cells: Cells
    max_name_bytes: int
    types: Mapping[Kind, str]
    replaces_views: bool

    def meta(self, table: str) -> str:
        """Name one of the sink's own tables, quoted."""

    def data(self, table: str) -> str:
        """Name a table or view of documents, quoted."""

    def begin(self, *, exclusive: bool) -> None:
        """Begin a transaction; `exclusive` when tables may be changed in it."""

    def commit(self) -> None:
        """Make everything since `begin` durable."""

    def rollback(self) -> None:
        """Undo everything since `begin`; raise nothing."""

    def lock_strand(self, strand_id: str) -> None:
        """Wait until no other transaction works on the strand, and keep others waiting."""

    def execute(self, statement: str, parameters: Sequence[Cell] = ()) -> list[Any]:
        """Run one statement and give its rows, as tuples."""

    def execute_many(self, statement: str, rows: Sequence[Sequence[Cell]]) -> None:
        """Run a statement once for each row of parameters."""

    def stream(self, statement: str, parameters: Sequence[Cell]) -> Iterator[Any]:
        """Run a query whose rows need not fit into memory."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Insert rows into a table named by `data` or `meta`."""

    def upsert(
        self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Sequence[Cell]]
    ) -> None:
        """Insert rows, or put them in the place of those with the same key and no newer version."""

    def prepare(self) -> None:
        """Make what the sink's own tables need: a schema, functions for triggers."""

    def is_prepared(self) -> bool:
        """Say whether the sink's own tables are there."""

    def taken_names(self) -> Collection[str]:
        """Name every table, view and index that stands where documents go."""

    def guard(self, table: Table) -> None:
        """Let triggers refuse whoever changes a history."""

    def allow_changes(self, *, allowed: bool) -> None:
        """Let this transaction change histories, or no longer."""

    def widen(self, table: str, column: Column, old: Kind) -> None:
        """
        Make a column of an old kind one of JSON.

        Its values are written as documents' would be: what JSON has no word for stands in the
        rows' `qldb_rest` too. Histories may be changed while this runs.
        """

    def parse(self, kind: Kind, cell: Cell) -> Any:
        """Give the plain value of a cell that was read."""

    def scrub(self, tables: Sequence[Table]) -> bool:
        """After the commit, overwrite what erased rows left behind; say whether it is gone."""

    def close(self) -> None:
        """Let go of it."""

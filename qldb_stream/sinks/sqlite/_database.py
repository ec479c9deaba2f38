"""
SQLite as a database of the relational sinks.

The file is in WAL mode with synchronous FULL: a run that `apply` answered survives the loss of
power. Erased values are overwritten (secure_delete), and the write-ahead log, which still has
pages as they were, is brought into the file and cut after each erasure; while somebody reads
an older state that cannot be done, and the redaction is reported as pending: it is tried again
with every later one, on opening and on closing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.holding import is_special
from qldb_stream.sinks._relational import (
    MISFIT,
    Cell,
    Cells,
    Column,
    JsonWriter,
    Kind,
    RowRefusedError,
    Table,
    number_text,
    quote,
    rest_bytes,
)

__all__ = ["SqliteDatabase"]

_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON")
_OWN: Final = "qldb_stream_"
_MAX_INT: Final = 2**63
_MIN_UNEVEN: Final = 2**53  # from here on floats skip ints
_SHORT_DECIMAL: Final = 16  # 15 digits are one double's alone; and a point or a sign
_SQLITE_NOTADB: Final = 26


def number(value: float | Decimal) -> Cell:
    """Give an int or a float that says the number; SQLite has no other numbers."""
    if isinstance(value, int):
        return value if -_MAX_INT <= value < _MAX_INT else MISFIT
    text = number_text(value)
    if text is None:
        return MISFIT
    near = float(text)
    # SQLite keeps a whole float as an int where it fits, which from 2**53 on may be another number
    # than the shortest digits that Python, and Ion's readers, write the float with.
    if _MIN_UNEVEN <= abs(near) < _MAX_INT and Decimal(int(near)) != Decimal(repr(near)):
        return MISFIT
    if isinstance(value, float):
        return near
    is_short = len(text) <= _SHORT_DECIMAL and "E" not in text
    return near if is_short or Decimal(repr(near)) == value else MISFIT


def near_number(value: Any) -> Cell:
    """Give the nearest float; None for nan, and for what is beyond all of them."""
    with suppress(OverflowError, ValueError):
        found = float(value)
        return found if abs(found) < float("inf") else None
    return None


class SqliteDatabase:
    """
    A SQLite file; see `qldb_stream.sinks._relational.Database`.

    Raises:
        UsageError: the path is a folder, a device or none, its folder is not there, or the
            file is no SQLite database.
        SinkUnavailableError: the file cannot be opened now.
    """

    max_name_bytes: int
    types: Mapping[Kind, str] = {
        Kind.BOOLEAN: "BOOLEAN",
        Kind.NUMERIC: "NUMERIC",
        Kind.TIMESTAMP: "TIMESTAMP_TEXT",  # TEXT in it: SQLite must not make numbers of them
        Kind.TEXT: "TEXT",
        Kind.BYTES: "BLOB",
        Kind.JSON: "JSON_TEXT",
        Kind.INTEGER: "INTEGER",
    }
    replaces_views = False

    def __init__(self, path: str, *, prefix: str, timeout_s: float) -> None:
        self.name = f"sqlite:{path}"
        self.max_name_bytes = 120 - len(prefix)  # as long as anybody wants to read
        self.cells = Cells(takes_nul=True, number=number, near_number=near_number)
        self._path = Path(path)
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._connection: sqlite3.Connection | None = None
        self._is_prepared = False
        self._in_transaction = False
        self._check_path()
        if self._path.exists():
            self._connect()
            self.scrub(())

    def meta(self, table: str) -> str:
        """Name one of the sink's own tables."""
        return f'"{_OWN}{table}"'

    def data(self, table: str) -> str:
        """Name a table or view of documents."""
        return quote(self._prefix + table)

    def begin(self, *, exclusive: bool) -> None:  # noqa: ARG002 - SQLite has one writer at a time
        """Begin a transaction, as the only writer."""
        with self._translated():
            self._connect().execute("BEGIN IMMEDIATE")
        self._in_transaction = True

    def commit(self) -> None:
        """Make everything since `begin` durable."""
        self._run("COMMIT")
        self._in_transaction = False

    def rollback(self) -> None:
        """Undo everything since `begin`."""
        self._in_transaction = False
        if self._connection is not None and self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def lock_strand(self, strand_id: str) -> None:
        """Do nothing: whoever began is alone."""

    def execute(self, statement: str, parameters: Sequence[Cell] = ()) -> list[Any]:
        """Run one statement and give its rows."""
        with self._translated():
            return self._run(statement, parameters).fetchall()

    def execute_many(self, statement: str, rows: Sequence[Sequence[Cell]]) -> None:
        """Run a statement once for each row of parameters."""
        with self._translated():
            self._connect().executemany(statement, rows)

    def stream(self, statement: str, parameters: Sequence[Cell]) -> Iterator[Any]:
        """Run a query, row by row."""
        with self._translated():
            yield from self._run(statement, parameters)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Insert rows."""
        names, marks = ", ".join(map(quote, columns)), ", ".join("?" * len(columns))
        self.execute_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def upsert(
        self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Sequence[Cell]]
    ) -> None:
        """Insert rows, or put them in the place of those with the same key."""
        names, marks = ", ".join(map(quote, columns)), ", ".join("?" * len(columns))
        changes = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in columns if c not in key)
        self.execute_many(
            f"INSERT INTO {table} AS held ({names}) VALUES ({marks}) "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} "
            "WHERE excluded.qldb_version >= held.qldb_version",
            rows,
        )

    def prepare(self) -> None:
        """Do nothing: the sink's own tables need no more than a file."""

    def is_prepared(self) -> bool:
        """Say whether the sink's own tables are there."""
        if self._is_prepared:
            return True
        if self._connection is None and not self._path.exists():
            return False
        found = self.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (f"{_OWN}setting",)
        )
        self._is_prepared = bool(found) and not self._in_transaction
        return bool(found)

    def taken_names(self) -> Collection[str]:
        """Name everything in the file, as it is called behind the prefix."""
        rows = self.execute("SELECT lower(name) FROM sqlite_master")
        return [name.removeprefix(self._prefix) for (name,) in rows]

    def guard(self, table: Table) -> None:
        """Let triggers refuse whoever changes a history."""
        for change in ("UPDATE", "DELETE"):
            name = quote(f"{self._prefix}{table.history}_no_{change.lower()}")
            self.execute(
                f"CREATE TRIGGER {name} BEFORE {change} ON {self.data(table.history)} WHEN NOT "
                f"EXISTS (SELECT 1 FROM {self.meta('setting')} WHERE name = 'changing') "
                "BEGIN SELECT RAISE(ABORT, 'the history of a ledger is append-only'); END"
            )

    def allow_changes(self, *, allowed: bool) -> None:
        """Let this transaction change histories: nobody else sees the setting."""
        if allowed:
            self.execute(f"INSERT INTO {self.meta('setting')} VALUES ('changing', 'yes')")
        else:
            self.execute(f"DELETE FROM {self.meta('setting')} WHERE name = 'changing'")

    def widen(self, table: str, column: Column, old: Kind) -> None:
        """Make a column of an old kind one of JSON, by a new one in its place."""
        self.allow_changes(allowed=True)
        views = self._put_views_away()
        name, where, fresh = self.data(table), quote(column.name), '"qldb_fresh"'
        kind, field = old.value, column.field.encode()
        self.execute(f"ALTER TABLE {name} ADD COLUMN {fresh} {self.types[Kind.JSON]}")
        self.execute(
            f"UPDATE {name} SET {fresh} = qldb_json(?, {where}), "
            f"qldb_rest = qldb_rest_of(?, ?, qldb_rest, {where}) WHERE {where} IS NOT NULL",
            (kind, kind, field),
        )
        self.execute(f"ALTER TABLE {name} DROP COLUMN {where}")
        self.execute(f"ALTER TABLE {name} RENAME COLUMN {fresh} TO {where}")
        for statement in views:
            self.execute(statement)
        self.allow_changes(allowed=False)

    def parse(self, kind: Kind, cell: Cell) -> Any:
        """Give the plain value of a cell."""
        match kind:
            case Kind.BOOLEAN:
                return bool(cell)
            case Kind.NUMERIC:
                return Decimal(repr(cell))
            case Kind.JSON:
                return json.loads(cell, parse_int=Decimal, parse_float=Decimal)
            case _:
                return cell

    def scrub(self, tables: Sequence[Table]) -> bool:  # noqa: ARG002 - the log is the whole file's
        """Bring the write-ahead log into the file and cut it, without waiting for anybody."""
        connection = self._connect()
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:  # locked, as by a query of our own that is still being read
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(self._timeout_s * 1000)}")
        return not busy

    def close(self) -> None:
        """Close the file, its write-ahead log brought in."""
        if self._connection is not None:
            self.scrub(())
            self._connection.close()
            self._connection = None

    def _put_views_away(self) -> list[str]:
        """
        Drop all views, whosever they are; give the statements that make them again.

        SQLite drops no column while a view in the file reads it, or one that is not there. With
        a view go its triggers.
        """
        views = self.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'")
        triggers = self.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN "
            "(SELECT name FROM sqlite_master WHERE type = 'view')"
        )
        for name, _ in views:
            self.execute(f"DROP VIEW {quote(name)}")
        return [*(sql for _, sql in views), *(sql for (sql,) in triggers)]

    # --- the connection --------------------------------------------------------------------

    def _check_path(self) -> None:
        try:
            if self._path.is_dir() or is_special(self._path):
                raise UsageError(f"cannot write {self._path}: expected a file or nothing")
            if not self._path.parent.is_dir():
                raise UsageError(f"cannot write {self._path}: its folder is not there")
            if self._path.exists() and not os.access(self._path, os.R_OK | os.W_OK):
                raise UsageError(f"cannot write {self._path}: Permission denied")
        except ValueError as exc:  # a NUL in it
            raise UsageError(f"cannot write {str(self._path)!r}: it is no path") from exc
        except OSError as exc:
            raise UsageError(f"cannot write {self._path}: {exc.strerror}") from exc

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            with self._translated():
                opened = sqlite3.connect(
                    self._path, self._timeout_s, isolation_level=None, check_same_thread=False
                )
                try:
                    for pragma in _PRAGMAS:
                        opened.execute(f"PRAGMA {pragma}")
                    opened.create_function("qldb_json", 2, _json_of, deterministic=True)
                    opened.create_function("qldb_rest_of", 4, _rest_of, deterministic=True)
                except BaseException:
                    opened.close()
                    raise
            self._connection = opened
        return self._connection

    def _run(self, statement: str, parameters: Sequence[Cell] = ()) -> sqlite3.Cursor:
        with self._translated():
            return self._connect().execute(statement, parameters)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate SQLite's errors, which name tables and columns and quote no values."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeError) as exc:
            raise RowRefusedError(_describe(exc)) from exc
        except sqlite3.OperationalError as exc:
            raise SinkUnavailableError(self.name, str(exc)) from exc
        except sqlite3.DatabaseError as exc:
            if getattr(exc, "sqlite_errorcode", 0) == _SQLITE_NOTADB:
                raise UsageError(
                    f"{self._path} is no SQLite database; it is left as it is"
                ) from exc
            raise SinkUnavailableError(self.name, str(exc)) from exc


def _describe(exc: Exception) -> str:
    """Say what was wrong; Python's own errors may quote what they were given."""
    return str(exc) if isinstance(exc, sqlite3.Error) else type(exc).__name__


# --- widening ------------------------------------------------------------------------------

_WRITER: Final = JsonWriter(takes_nul=True)


def _value(kind: str, cell: Cell) -> Any:
    """Give the value that a cell stands for, as documents are decoded."""
    match Kind(kind):
        case Kind.BOOLEAN:
            return bool(cell)
        case Kind.TIMESTAMP:
            return datetime.fromisoformat(cell)
        case _:
            return cell


def _json_of(kind: str, cell: Cell) -> str:
    return _WRITER.write(_value(kind, cell))


def _rest_of(kind: str, field: bytes, rest: bytes | None, cell: Cell) -> bytes | None:
    if Kind(kind) in {Kind.TIMESTAMP, Kind.BYTES}:
        return rest_bytes(rest, field.decode(), _value(kind, cell))
    return rest

"""
Opening a ledger file: whose it is, which version, and that only one writes it.

Strategy: SQLite keeps readers and the writer apart; that there is only one writer is ours
to keep, because a ledger's tip, catalog and recent changes live in the writer's memory.
It holds an exclusive lock on a small SQLite database beside the file (`PATH-writer`) from
opening to closing; a process that dies loses the lock with it, whatever the platform.
SQLite's errors become `LedgerFileError` here and in `_store`, nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger._schema import APPLICATION_ID, PRAGMAS, SCHEMA, SCHEMA_VERSION

__all__ = ["MEMORY", "connect_reader", "connect_writer", "hold_writer_lock", "translated"]

MEMORY: Final = ":memory:"
"""The path of a ledger that is kept in memory and vanishes when it is closed."""

# A reader that recovers the write-ahead log after a crash holds the file for moments only.
_BUSY_TIMEOUT_S: Final = 5.0
_CACHED_STATEMENTS: Final = 256


@contextmanager
def translated(path: str) -> Iterator[None]:
    """
    Turn SQLite's errors into ours.

    Raises:
        LedgerFileError: SQLite could not open, read or write the file.
    """
    try:
        yield
    except sqlite3.Error as exc:
        raise LedgerFileError(path, str(exc)) from exc


def hold_writer_lock(path: str) -> sqlite3.Connection | None:
    """
    Become the file's only writer, until the returned connection is closed.

    Returns:
        None for a ledger in memory, which nobody else can open.

    Raises:
        LedgerFileError: another writer has the file open, or its folder cannot be written.
    """
    if path == MEMORY:
        return None
    try:
        # Threads may close the ledger; SQLite itself is built for use from several.
        lock = sqlite3.connect(
            f"{path}-writer", timeout=0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as exc:
        raise LedgerFileError(path, str(exc)) from exc
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as exc:
        lock.close()
        if getattr(exc, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            raise LedgerFileError(path, str(exc)) from exc
        raise LedgerFileError(
            path, "another writer has it open; close that one, or open this one read-only"
        ) from exc
    return lock


def connect_writer(path: str, settings: Mapping[str, str]) -> sqlite3.Connection:
    """
    Open a ledger file to write, and make it when there is none.

    Args:
        path: the file, or MEMORY.
        settings: what a new ledger is given; an old one has its own.

    Raises:
        LedgerFileError: it cannot be opened, is not a ledger, or is of another version.
    """
    with translated(path):
        connection = _connect(path, uri=False)
        try:
            _check_file(connection, path)
            connection.executescript(PRAGMAS)
            if _pragma(connection, "application_id") == 0:
                _make_ledger(connection, settings)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: str) -> sqlite3.Connection:
    """
    Open a ledger file to read, beside its writer.

    Raises:
        LedgerFileError: there is none, it is not a ledger, or is of another version.
    """
    if not Path(path).is_file():
        raise LedgerFileError(path, "there is no such file to read")
    with translated(path):
        connection = _connect(f"file:{quote(path)}?mode=ro", uri=True)
        try:
            _check_file(connection, path)
            if _pragma(connection, "application_id") == 0:
                raise LedgerFileError(path, "it is empty; open it to write, to make a ledger")
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(database: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        uri=uri,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions begin and end where this package says
        check_same_thread=False,  # the ledger's own lock keeps threads apart
        cached_statements=_CACHED_STATEMENTS,
    )


def _check_file(connection: sqlite3.Connection, path: str) -> None:
    """
    Refuse a file that is not a ledger of this version; an empty one is no ledger yet.

    Raises:
        LedgerFileError: it is something else.
    """
    application_id = _pragma(connection, "application_id")
    if application_id == 0:
        with closing(connection.execute("SELECT count(*) FROM sqlite_schema")) as cursor:
            if cursor.fetchone() == (0,):
                return
    if application_id != APPLICATION_ID:
        raise LedgerFileError(path, "it is a SQLite database, but not a ledger of this package")
    version = _pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise LedgerFileError(
            path,
            f"its format is version {version}, this package reads up to {SCHEMA_VERSION}; "
            "install a newer qldb-stream",
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"PRAGMA {name}")) as cursor:
        value: int = cursor.fetchone()[0]
    return value


def _make_ledger(connection: sqlite3.Connection, settings: Mapping[str, str]) -> None:
    connection.executescript(SCHEMA)
    connection.executemany("INSERT INTO setting VALUES (?, ?)", settings.items())
    connection.execute("COMMIT")

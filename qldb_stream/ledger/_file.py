"""
Opening a ledger file: whose it is, which version, and that only one writes it.

Strategy: SQLite keeps readers and the writer apart; that there is only one writer is ours
to keep, because a ledger's tip, catalog and recent changes live in the writer's memory.
It holds the lock `PATH-writer` (see `qldb_stream.holding`) from opening to closing; it is
named after the file that symlinks lead to, as SQLite names `-wal` and `-shm`.
A reader takes no lock of ours and changes no byte; `-wal` and `-shm`, without which SQLite
reads no ledger, are gone again when it closes, unless somebody else uses or needs them.
Where nothing can be made beside it (a read-only medium), a file without a log is read as it is:
`immutable` to SQLite, which then neither locks nor looks for a log. Should somebody who may
write do so meanwhile, the reader says so, rather than read on in pages that change.
SQLite's errors become `LedgerFileError` wherever it is called; `_problems` words them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from qldb_stream.errors import LedgerFileError, LedgerHeldError
from qldb_stream.holding import Found, HeldFile, is_special, maybe_hold
from qldb_stream.ledger._migrate import migrate
from qldb_stream.ledger._pragma import read_pragma
from qldb_stream.ledger._problems import cannot_read_log, is_unwritable, translated
from qldb_stream.ledger._schema import APPLICATION_ID, PRAGMAS, SCHEMA, SCHEMA_VERSION

__all__ = ["MEMORY", "connect_reader", "connect_writer", "hold_writer_lock", "let_go"]

MEMORY: Final = ":memory:"
"""The path of a ledger that is kept in memory and vanishes when it is closed."""

# A reader that recovers the write-ahead log after a crash holds the file for moments only.
_BUSY_TIMEOUT_S: Final = 5.0
_CACHED_STATEMENTS: Final = 256


def hold_writer_lock(path: str) -> HeldFile | None:
    """
    Become the file's only writer, until what is returned is released.

    Returns:
        None for a ledger in memory, which nobody else can open.

    Raises:
        LedgerHeldError: another writer has the file open.
        LedgerFileError: it is a folder, a device or no path, or its folder cannot be written.
    """
    if path == MEMORY:
        return None
    try:
        if Path(path).is_dir():  # before a lock is made beside it
            raise LedgerFileError(path, "expected a file, found a folder; name a file in it")
        if is_special(path):
            raise LedgerFileError(
                path, "expected a file or nothing, found a device, pipe or socket"
            )
        held = maybe_hold(path, "-writer")
    except ValueError as exc:
        raise LedgerFileError(path, "it is no path: it has a NUL in it") from exc
    except OSError as exc:
        raise LedgerFileError(
            path,
            f"nothing can be made in its folder ({exc.strerror}), as whoever writes it must; name "
            "another, or mend that (to read it: `qldb-stream ledger query --read-only`, or "
            "Ledger.open(..., read_only=True))",
        ) from exc
    if held is None:
        raise LedgerHeldError(
            path,
            "another writer has it open; close that one, then repeat (to read beside it: "
            "`qldb-stream ledger query --read-only`, or Ledger.open(..., read_only=True))",
        )
    return held


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
            migrate(connection)
            if read_pragma(connection, "application_id") == 0:
                _make_ledger(connection, settings)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: str) -> sqlite3.Connection:
    """
    Open a ledger file to read, beside its writer; closing it leaves nothing behind.

    Raises:
        LedgerFileError: there is none, it is not a ledger, or is of another version.
    """
    if not Path(path).is_file():
        raise LedgerFileError(path, "there is no such file to read")
    with translated(path):
        try:
            return _check_reader(_connect_reader(path, "mode=ro", _Reader), path)
        except sqlite3.Error as exc:
            if not is_unwritable(exc):
                raise
            if _log_bytes(os.path.realpath(path)):
                raise cannot_read_log(path) from exc
        return _check_reader(_connect_reader(path, "mode=ro&immutable=1", _FrozenReader), path)


def _connect_reader(path: str, query: str, factory: type[_Reader]) -> _Reader:
    connection = _connect(f"file:{quote(path)}?{query}", uri=True, factory=factory)
    assert isinstance(connection, _Reader)
    connection.path = os.path.realpath(path)
    return connection


def _check_reader(connection: _Reader, path: str) -> _Reader:
    """Refuse what is no ledger of this version, and close it then."""
    try:
        _check_file(connection, path)
        if read_pragma(connection, "application_id") == 0:
            raise LedgerFileError(path, "it is empty; open it to write, to make a ledger")
        _check_current(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_bytes(real_path: str) -> int:
    """Tell how long the write-ahead log is; 0 when there is none, or none that can be seen."""
    try:
        return Path(f"{real_path}-wal").stat().st_size
    except OSError:
        return 0


class _Reader(sqlite3.Connection):
    """A connection that clears away, when it is closed, what it needed beside the file."""

    path = ""

    def close(self) -> None:
        """Close it, then `-wal` and `-shm` if nothing is in them and nobody has them open."""
        super().close()
        with suppress(OSError, sqlite3.Error):  # what cannot be cleared away may stay
            if Path(f"{self.path}-wal").stat().st_size == 0:
                _clear_away(self.path)


class _FrozenReader(_Reader):
    """A reader of a file beside which nothing can be made, and which nobody may be writing."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """
        Run a statement, unless somebody has begun to write.

        Raises:
            LedgerFileError: there is a write-ahead log now.
        """
        if _log_bytes(self.path):
            raise LedgerFileError(
                self.path, "somebody has begun to write it; open it again beside that writer"
            )
        return super().execute(*arguments)

    def close(self) -> None:
        """Close it; there is nothing to clear away."""
        sqlite3.Connection.close(self)


def _clear_away(path: str) -> None:
    """Let SQLite remove an empty log: the last connection that may write does, under its lock."""
    with closing(_connect(f"file:{quote(path)}?mode=rw", uri=True)) as last:
        read_pragma(last, "schema_version")  # only a connection that has read knows of the log


def _connect(
    database: str, *, uri: bool, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        uri=uri,
        factory=factory,
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
    application_id = read_pragma(connection, "application_id")
    if application_id == 0:
        with closing(connection.execute("SELECT count(*) FROM sqlite_schema")) as cursor:
            if cursor.fetchone() == (0,):
                return
    if application_id != APPLICATION_ID:
        raise LedgerFileError(
            path,
            "expected a ledger, found a SQLite database that is not a ledger of this package; "
            "name the ledger's own file",
        )
    version = read_pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise LedgerFileError(
            path,
            f"its format is version {version}, this package reads up to {SCHEMA_VERSION}; "
            "install a newer qldb-stream",
        )


def _check_current(connection: sqlite3.Connection, path: str) -> None:
    """
    Refuse to read a file of an older version, which only its writer may change.

    Raises:
        LedgerFileError: it is of an older version.
    """
    version = read_pragma(connection, "user_version")
    if version < SCHEMA_VERSION:
        raise LedgerFileError(
            path,
            f"its format is version {version}, this package reads {SCHEMA_VERSION}; "
            "open it to write once, and it is brought up to date",
        )


def _make_ledger(connection: sqlite3.Connection, settings: Mapping[str, str]) -> None:
    connection.executescript(SCHEMA)
    connection.executemany("INSERT INTO setting VALUES (?, ?)", settings.items())
    connection.execute("COMMIT")


def let_go(
    connection: sqlite3.Connection | None, held: HeldFile | None, *, is_unused: bool
) -> None:
    """Close the file; where it was made for nothing, put back what was there before."""
    if connection is not None:
        connection.close()
    if held is None:
        return
    if is_unused and held.found is not Found.CONTENT and _is_unread(str(held.path)):
        held.put_back()
    held.release()


def _is_unread(path: str) -> bool:
    """
    Tell whether nobody else has a file open, and then remove what SQLite could not.

    A log that is left over when its only user has closed it is one that did not fit into the
    file: on a full disk.
    """
    if not Path(f"{path}-wal").exists():
        return True
    try:
        with closing(_connect(f"file:{quote(path)}?mode=rw", uri=True)) as alone:
            alone.execute("PRAGMA busy_timeout = 0")
            alone.execute("PRAGMA locking_mode = EXCLUSIVE")  # and so without PATH-shm
            read_pragma(alone, "schema_version")  # fails where anybody else has it open
            for suffix in ("-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
    except (OSError, sqlite3.Error):
        return False
    return True

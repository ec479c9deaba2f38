"""
One SQLite database that threads share, and processes, each through its own connection.

Strategy: a connection for each inbox that is opened, and a lock around it, since threads
would wait for each other at the file's own lock anyway. Whatever writes begins with that
lock (`BEGIN IMMEDIATE`), so that nothing that was read is stale; whoever finds the file
locked waits for a while. Readers see one state and never wait.

An inbox holds documents, so a new file is its owner's alone (0600); SQLite gives `-wal` and
`-shm` the same rights. Whoever lets several users work on it changes its mode once.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from qldb_stream.errors import InboxFileError, InboxUnavailableError
from qldb_stream.holding import is_special
from qldb_stream.inbox._problems import translated
from qldb_stream.inbox._raw import RawFile
from qldb_stream.inbox._schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, SETTINGS, STEPS

__all__ = ["MEMORY", "Database", "Row"]

Row = tuple[Any, ...]

MEMORY: Final = ":memory:"
"""The path of an inbox that vanishes when it is closed."""

# A commit takes milliseconds; a checkpoint of a large log on a slow disk takes a second.
_BUSY_TIMEOUT_S: Final = 20.0
_BUSY_PAUSE_S: Final = 0.01

# Sinks that were registered and leases that were given back are nothing that anybody misses:
# both come again with the next delivery, tokens higher than before.
_IS_USED: Final = """
SELECT EXISTS (SELECT 1 FROM strand) OR EXISTS (SELECT 1 FROM erased)
OR EXISTS (SELECT 1 FROM position) OR EXISTS (SELECT 1 FROM parked)
OR EXISTS (SELECT 1 FROM quarantined) OR EXISTS (SELECT 1 FROM checkpoint)
OR EXISTS (SELECT 1 FROM setting) OR EXISTS (SELECT 1 FROM lease WHERE expires_s IS NOT NULL)
"""


class Database:
    """
    An inbox's file: made when there is none, checked, and shared by threads.

    Args:
        path: the file, or MEMORY.
        must_exist: refuse to make a file.

    Raises:
        InboxFileError: it is something else than an inbox of this version.
        InboxUnavailableError: it cannot be opened now.
    """

    def __init__(self, path: str, *, must_exist: bool = False) -> None:
        self.path: Final = path
        self._lock: Final = threading.RLock()
        self._is_new: Final = path != MEMORY and _prepare(path, must_exist=must_exist)
        self._raw: Final = None if path == MEMORY else _raw_file(path)
        with translated(path):
            self._connection: Final = sqlite3.connect(
                path,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,  # transactions begin and end here
                check_same_thread=False,  # the lock keeps threads apart
            )
            try:
                self._set_up()
                self._check_place()
            except BaseException:
                self.close()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the file; what is read is fetched before this ends."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Write all of it durably, or nothing when it raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def clear_log(self) -> None:
        """
        Bring the write-ahead log into the file, and cut it to nothing.

        Raises:
            InboxUnavailableError: somebody was reading or writing all the time.
        """
        with self._lock, translated(self.path):
            ((busy, *_),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise InboxUnavailableError(
                self.path, "others keep its write-ahead log in use, so it cannot be cut; repeat"
            )

    def rewrite(self) -> None:
        """Write the whole file anew, without what was ever deleted from it, and cut the log."""
        with self._lock, translated(self.path):
            self._connection.execute("VACUUM")
        self.clear_log()

    def close(self) -> None:
        """Close the connection; once more does nothing."""
        with self._lock, translated(self.path):
            self._connection.close()
            if self._raw is not None:
                self._raw.close()

    def remove_unused(self) -> bool:
        """
        Close it, and take the file away if this object made it and nothing came of that.

        Nothing is taken away that others have open; who opens it at this moment finds out
        (`_check_place`).

        Returns:
            Whether the file is gone.
        """
        with self._lock:
            is_gone = self._is_new and self._unlink_unused()
            self.close()
        return is_gone

    def _unlink_unused(self) -> bool:
        connection = self._connection
        try:
            connection.execute("PRAGMA busy_timeout = 0").fetchall()
            # Fails while anybody else has the file open, and removes the log.
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            ((mode,),) = connection.execute("PRAGMA journal_mode").fetchall()
            ((used,),) = connection.execute(_IS_USED).fetchall()
            if used or mode != "delete":
                return False
            os.unlink(self.path)  # noqa: PTH108 - as SQLite knows the path
        except (sqlite3.Error, OSError):
            return False  # in use, or not ours to remove: an empty inbox does no harm
        return True

    def holds_any(self, needles: Sequence[bytes]) -> bool:
        """
        Say whether some bytes stand anywhere in the file, its log apart.

        Raises:
            InboxUnavailableError: it cannot be read now.
        """
        if self._raw is None:
            return False
        try:
            return self._raw.holds_any(needles)
        except OSError as exc:
            raise InboxUnavailableError(self.path, f"it cannot be read: {exc.strerror}") from exc

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path):
            connection = self._connection
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # what was raised says more; SQLite may have done it
                    connection.execute("ROLLBACK")
                raise

    def _set_up(self) -> None:
        connection = self._connection
        self._check()
        self._begin_log()
        for setting in SETTINGS:
            connection.execute(setting)
        with self.write():
            if self._pragma("application_id") == 0:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
            for step in iter(lambda: STEPS.get(self._pragma("user_version")), None):
                for statement in step:
                    connection.execute(statement)
        self._check()

    def _begin_log(self) -> None:
        """Set WAL; SQLite does not wait by itself where others do the same at this moment."""
        until = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_BUSY_PAUSE_S)
            else:
                return

    def _check(self) -> None:
        """Refuse what is neither empty nor an inbox of this version or an earlier one."""
        application_id = self._pragma("application_id")
        if application_id == 0:
            ((tables,),) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            if tables == 0:
                return
            # Another process may have made the inbox between the two looks: all of it at once.
            application_id = self._pragma("application_id")
        if application_id != APPLICATION_ID:
            raise InboxFileError(
                self.path, "expected an inbox, found another SQLite database; name the inbox's own"
            )
        version = self._pragma("user_version")
        if version != SCHEMA_VERSION and version not in STEPS:
            raise InboxFileError(
                self.path,
                f"its format is version {version}, this package reads up to {SCHEMA_VERSION}; "
                "install the qldb-stream that wrote it, or a newer one",
            )

    def _check_place(self) -> None:
        """Refuse a file that somebody removed while it was opened: what it takes in is lost."""
        if self._raw is not None and not self._raw.is_in_place():
            problem = "it was removed by others while it was opened; repeat"
            raise InboxUnavailableError(self.path, problem)

    def _pragma(self, name: str) -> int:
        ((value,),) = self._connection.execute(f"PRAGMA {name}").fetchall()
        return int(value)


def _raw_file(path: str) -> RawFile:
    try:
        return RawFile(path)
    except OSError as exc:
        raise InboxUnavailableError(path, f"it cannot be looked at: {exc.strerror}") from exc


def _prepare(path: str, *, must_exist: bool) -> bool:
    """Refuse what can be no inbox, and make a new file its owner's alone; say whether it did."""
    try:
        if Path(path).is_dir() or is_special(path):
            raise InboxFileError(path, "expected a file or nothing, found a folder or device")
        if Path(path).exists():
            return False
        if must_exist:
            raise InboxFileError(path, "there is no such file")
        with suppress(FileExistsError):  # another process was first
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return True
    except OSError as exc:
        raise InboxUnavailableError(path, f"it cannot be opened or made: {exc.strerror}") from exc
    except ValueError as exc:
        raise InboxFileError(path, "it is no path: it has a NUL in it") from exc
    return False

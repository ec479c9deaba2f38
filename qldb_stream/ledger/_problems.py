"""
What is wrong with a ledger file, in the ledger's words.

SQLite says what happened to it ("file is not a database"); whoever uses a ledger wants to
know what that means for the ledger and what to do. SQLite's own error stays the cause.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from qldb_stream.errors import LedgerFileError

__all__ = ["cannot_read_log", "file_error", "is_unwritable", "translated"]

_PRIMARY: Final = 0xFF  # the low byte of a result code says which kind (sqlite.org/rescode.html)

_COPY_IT: Final = (
    "what was committed last stands in PATH-wal, and nothing can be made beside the file to read "
    "it with; copy the file together with its -wal to a folder that may be written, and open the "
    "copy"
)
_FULL: Final = (
    "the disk is full, or the file may not grow; what was to be written is not there: make room, "
    "then repeat"
)
# What SQLite answers where the disk was full when it made or lengthened PATH-wal or PATH-shm.
_PERHAPS_FULL: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
# SQLite lengthens PATH-shm by 32 KiB, and a file system has its own blocks.
_LITTLE_BYTES: Final = 64 << 10

_SENTENCES: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_NOTADB: "expected a ledger file, found a file of another kind; name the "
    "ledger's own file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged, what is in it does not fit together; take up a "
    "copy of it, or replay its journal into a new ledger",
    sqlite3.SQLITE_BUSY: "another program keeps the file locked; close that program, then repeat",
    sqlite3.SQLITE_LOCKED: "another program keeps the file locked; close that program, then repeat",
    sqlite3.SQLITE_IOERR: "the system could not read or write the file; see that its disk and "
    "folder are sound and still there, then open it again",
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; see that it and its folder are there and "
    "may be read, and that whoever writes it may make PATH-wal and PATH-shm beside it",
    sqlite3.SQLITE_READONLY: "expected a file that may be written; change its permissions or "
    "those of its folder",
    sqlite3.SQLITE_PERM: "the file may not be opened; change its permissions",
    sqlite3.SQLITE_CONSTRAINT: "another writer has written to the file since it was opened, so "
    "nothing of this is written; close one of the two, then open it again",
    sqlite3.SQLITE_TOOBIG: "a block or document is larger than a file of this kind can hold (1 "
    "GB); write less at a time",
}

# More than the kind: the same code means something else to whoever has to mend it.
_PRECISE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_READONLY_DBMOVED: "the file was moved or removed while it was open; put it "
    "back or open it where it is now",
    sqlite3.SQLITE_READONLY_RECOVERY: _COPY_IT,
    sqlite3.SQLITE_READONLY_CANTINIT: _COPY_IT,
    sqlite3.SQLITE_READONLY_ROLLBACK: _COPY_IT,
    sqlite3.SQLITE_IOERR_SHORT_READ: "the file is shorter than it says; take up a copy of it, or "
    "replay its journal into a new ledger",
}

# What Python's module says of text that is no UTF-8, with the text, and SQLite of a schema that
# is not the one its statements were written for.
_ODD_TEXT: Final = "Could not decode to UTF-8"
_MISSING: Final = ("no such table", "no such column", "malformed database schema")


def file_error(path: str, exc: sqlite3.Error) -> LedgerFileError:
    """Make the error that says what SQLite's means; raise it `from` that."""
    code = getattr(exc, "sqlite_errorcode", 0)
    if not code and "closed database" in str(exc):  # not SQLite's, but its Python module's
        return LedgerFileError(path, "it is closed")
    if _ODD_TEXT in str(exc) or str(exc).startswith(_MISSING):  # never SQLite's own words: they
        return LedgerFileError(path, _SENTENCES[sqlite3.SQLITE_CORRUPT])  # quote what is stored
    if code & _PRIMARY in _PERHAPS_FULL and _is_full(path):
        return LedgerFileError(path, _FULL)
    sentence = _PRECISE.get(code) or _SENTENCES.get(code & _PRIMARY)
    if sentence is None:
        sentence = f"the file cannot be used ({exc}); open it again, or take up a copy of it"
    return LedgerFileError(path, sentence)


def is_unwritable(exc: sqlite3.Error) -> bool:
    """Tell whether SQLite may have failed because nothing can be made beside the file."""
    code = getattr(exc, "sqlite_errorcode", 0) & _PRIMARY
    return code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}


def cannot_read_log(path: str) -> LedgerFileError:
    """Make the error of a reader that needs the write-ahead log, and cannot have it."""
    return LedgerFileError(path, _COPY_IT)


def _is_full(path: str) -> bool:
    """Tell whether the file's disk has no room, which SQLite's module does not say."""
    try:
        return shutil.disk_usage(Path(path).resolve().parent).free < _LITTLE_BYTES
    except OSError:
        return False


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
        raise file_error(path, exc) from exc

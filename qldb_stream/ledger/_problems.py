"""
What is wrong with a ledger file, in the ledger's words.

SQLite says what happened to it ("file is not a database"); whoever uses a ledger wants to
know what that means for the ledger and what to do. SQLite's own error stays the cause.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from qldb_stream.errors import LedgerFileError

__all__ = ["file_error", "translated"]

_PRIMARY: Final = 0xFF  # the low byte of a result code says which kind (sqlite.org/rescode.html)

_SENTENCES: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_NOTADB: "expected a ledger file, found a file of another kind; name the "
    "ledger's own file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged, what is in it does not fit together; take up a "
    "copy of it, or replay its journal into a new ledger",
    sqlite3.SQLITE_BUSY: "another program keeps the file locked; close that program, then repeat",
    sqlite3.SQLITE_LOCKED: "another program keeps the file locked; close that program, then repeat",
    sqlite3.SQLITE_IOERR: "the system could not read or write the file; see that its disk and "
    "folder are sound and still there, then open it again",
    sqlite3.SQLITE_FULL: "the disk is full, or the file may not grow; what was to be written is "
    "not there: make room, then repeat",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; see that it and its folder are there and "
    "may be read, and that the folder may be written: PATH-wal and PATH-shm stand beside the "
    "file while it is open",
    sqlite3.SQLITE_READONLY: "expected a file that may be written; change its permissions or "
    "those of its folder, or open it read-only from a folder that may be written",
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
    sentence = _PRECISE.get(code) or _SENTENCES.get(code & _PRIMARY)
    if sentence is None:
        sentence = f"the file cannot be used ({exc}); open it again, or take up a copy of it"
    return LedgerFileError(path, sentence)


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

"""What SQLite's errors mean for an inbox: try again, make room, or another file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from qldb_stream.errors import InboxFileError, InboxUnavailableError, QldbStreamError, UsageError

__all__ = ["translated"]

_PRIMARY: Final = 0xFF  # the low byte of a result code says which kind (sqlite.org/rescode.html)

_FOR_NOW: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: "others keep the file locked; repeat, with fewer workers if it lasts",
    sqlite3.SQLITE_LOCKED: "others keep the file locked; repeat, with fewer workers if it lasts",
    sqlite3.SQLITE_FULL: "the disk is full, or the file may not grow; make room, then repeat",
    sqlite3.SQLITE_IOERR: "the system could not read or write the file; see that its disk has "
    "room, is sound and still there, then repeat",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; see that it and its folder are there "
    "and may be written",
    sqlite3.SQLITE_READONLY: "expected a file that may be written; change its permissions or "
    "those of its folder",
    sqlite3.SQLITE_PERM: "the file may not be opened; change its permissions",
    sqlite3.SQLITE_NOMEM: "there is no memory left; repeat",
}
_FOR_GOOD: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_NOTADB: "expected an inbox, found a file of another kind; name the inbox's "
    "own file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; put it aside, start with a new one, and read "
    "the stream again from before what the sinks have",
    sqlite3.SQLITE_TOOBIG: "a record is larger than the file can hold (1 GB)",
}
# SQLite's words for a schema that is not ours any more.
_MISSING: Final = ("no such table", "no such column", "malformed database schema")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """
    Turn the errors of SQLite and its Python module into ours.

    Raises:
        InboxUnavailableError: the file cannot be used now.
        InboxFileError: it is no sound inbox.
        UsageError: a name has characters that are no Unicode text, or the inbox is closed.
    """
    try:
        yield
    except sqlite3.Error as exc:
        raise _error(name, exc) from exc
    except UnicodeEncodeError as exc:
        raise UsageError("a sink, strand or lease has a name that is no Unicode text") from exc


def _error(name: str, exc: sqlite3.Error) -> QldbStreamError:
    if "closed database" in str(exc):  # not SQLite's, but its Python module's
        return UsageError(f"inbox {name} is closed")
    code = getattr(exc, "sqlite_errorcode", 0) & _PRIMARY
    if str(exc).startswith(_MISSING) or "decode to UTF-8" in str(exc):
        return InboxFileError(name, _FOR_GOOD[sqlite3.SQLITE_CORRUPT])
    if code in _FOR_GOOD:
        return InboxFileError(name, _FOR_GOOD[code])
    words = f"SQLite says {getattr(exc, 'sqlite_errorname', type(exc).__name__)}; repeat"
    return InboxUnavailableError(name, _FOR_NOW.get(code, words))

"""Open files that a command is told to read, and change none of them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from qldb_stream.errors import UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.replay import was_replayed

__all__ = ["is_database", "open_existing_ledger", "open_replayed_ledger"]

# https://www.sqlite.org/fileformat.html, section 1.3: how every database file begins.
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


def is_database(path: str) -> bool:
    """
    Say whether a path is a database file, as ledgers are.

    Raises:
        UsageError: the file cannot be read.
    """
    if not _is_file(path):
        return False
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def open_existing_ledger(path: str) -> Ledger:
    """
    Open a ledger file to read; a writer may have it open.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        LedgerFileError: the file is no ledger.
    """
    if not _is_file(path):
        raise UsageError(f"there is no ledger file {path}")
    return Ledger.open(path, read_only=True)


def open_replayed_ledger(path: str, *, or_mirror: bool = False) -> Ledger:
    """
    Open a ledger file that a replay has written, to read it.

    Args:
        path: the file.
        or_mirror: whether a mirror will do, whose blocks are its source's own.

    Raises:
        UsageError: there is no such file, it cannot be read, or no replay has written to it.
        LedgerFileError: the file is no ledger.
    """
    with ExitStack() as stack:
        ledger = stack.enter_context(open_existing_ledger(path))
        if ledger.mirrored_blocks and not or_mirror:
            raise UsageError(f"{path} is a mirror, and a mirror keeps its source's document ids")
        if not (was_replayed(ledger) or (or_mirror and ledger.mirrored_blocks)):
            raise UsageError(
                f"no replay has written to this ledger: {path}; name the one that was filled by "
                "`qldb-stream replay FILE... --to ledger:PATH`"
            )
        stack.pop_all()
        return ledger


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError as exc:  # a name that is too long, a folder that may not be entered
        raise _unreadable(path, exc) from exc


def _unreadable(path: str, exc: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read: {exc.strerror}")

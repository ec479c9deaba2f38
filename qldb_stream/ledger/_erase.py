"""
Erasing documents for good: from the file at once, from the write-ahead log soon after.

SQLite overwrites what is deleted (`secure_delete`), but pages that the log still holds keep
it until the log is cut. That is done after the commit; readers in other processes can hold
it up, and then the next commit, or closing the ledger, does it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger._store import Store

__all__ = ["Erasure", "clear_log", "erase"]

Erasure = tuple[int, bytes]
"""A revision's number, and H(data) of the data that goes."""

_ERASE: Final = "UPDATE revision SET data = NULL, data_hash = ? WHERE no = ?"


def erase(store: Store, erasures: Iterable[Erasure]) -> None:
    """
    Exchange revisions' data for its hash; the caller begins and ends SQLite's transaction.

    Raises:
        sqlite3.Error: it could not be written; the caller rolls back.
    """
    store.connection.executemany(_ERASE, [(data_hash, no) for no, data_hash in erasures])


def clear_log(store: Store) -> bool:
    """
    Bring the write-ahead log into the file, and cut it; wait for nobody.

    Returns:
        Whether nothing is left in it. Where a reader or a full disk is in the way, that is
        no failure of the commit that came before: try again later.
    """
    with store.lock:
        try:
            ((timeout_ms,),) = store.query("PRAGMA busy_timeout")
            store.query("PRAGMA busy_timeout = 0")
            ((busy, *_),) = store.query("PRAGMA wal_checkpoint(TRUNCATE)")
            store.query(f"PRAGMA busy_timeout = {timeout_ms}")
        except LedgerFileError:
            return False
    return not busy

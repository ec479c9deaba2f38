"""
Erasing documents for good: from the file at once, from the write-ahead log soon after.

Strategy: the data becomes NULL in the transaction that journals the redaction, and
`secure_delete` overwrites it in the file's pages. But pages as they were stay in the log
until it is copied into the file and cut, which SQLite does not do while anybody reads an
older state. So every erasure is counted in the settings, in its own transaction, until a cut
has succeeded; it is tried after each commit, on opening and on closing, and never waited for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import DecodeError, LedgerFileError
from qldb_stream.ion import load_slice
from qldb_stream.ledger._damage import damaged, reading
from qldb_stream.ledger._store import Store, StoredRevision, document_of

__all__ = ["clear_log", "count_pending", "erase"]

_ERASE: Final = "UPDATE revision SET data = NULL, data_hash = ?2 WHERE no = ?1 AND data IS NOT NULL"

_PENDING: Final = "redactions_pending"
_COUNT: Final = "SELECT value FROM setting WHERE name = ?"
_NOTE: Final = """
INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2
"""
_DONE: Final = "DELETE FROM setting WHERE name = ?"


def erase(store: Store, revisions: Sequence[StoredRevision]) -> None:
    """
    Exchange revisions' data for its hash; the caller begins and ends SQLite's transaction.

    Args:
        store: where they are.
        revisions: as they are stored, each with its data and once.

    Raises:
        LedgerFileError: a revision's data has been damaged.
        sqlite3.Error: it could not be written. The caller rolls back.
    """
    if not revisions:
        return
    rows = [(one.no, _data_hash(store, one)) for one in revisions]
    changed = store.connection.executemany(_ERASE, rows).rowcount
    if changed != len(rows):
        raise sqlite3.IntegrityError("a revision to redact has no data any more")
    store.connection.execute(_NOTE, (_PENDING, changed))
    document_of.cache_clear()


def _data_hash(store: Store, revision: StoredRevision) -> bytes:
    assert revision.data is not None, "what has no data is not redacted"
    try:
        return load_slice(revision.data).hash()
    except DecodeError as exc:
        raise damaged(store.path, f"document {revision.document_id}") from exc


def count_pending(store: Store) -> int:
    """
    Count the erasures that may have left bytes in the write-ahead log.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    rows = store.query(_COUNT, (_PENDING,))
    with reading(store.path, "a setting"):
        return int(rows[0][0]) if rows else 0


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
            if not busy:
                store.query(_DONE, (_PENDING,))
        except LedgerFileError:
            return False
    return not busy

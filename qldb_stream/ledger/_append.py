"""Writing a sealed block and what it changes; the caller begins and ends SQLite's transaction."""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger._changes import Changes, Entry, iter_new_entries
from qldb_stream.ledger._erase import erase
from qldb_stream.ledger._keys import stored_key
from qldb_stream.ledger._seal import Sealed
from qldb_stream.ledger._store import Store

__all__ = ["append_block"]

_INSERT_BLOCK: Final = "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_REVISION: Final = "INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Only where the document's newest revision is still the one that the new one follows.
_PUT_DOCUMENT: Final = """
INSERT INTO document VALUES (?1, ?2, ?3)
ON CONFLICT (table_no, id) DO UPDATE SET revision_no = excluded.revision_no
WHERE document.revision_no = ?4
"""
# By number and id: a number that another writer gave away is not found, so that the INSERT
# fails instead of overwriting that table.
_UPDATE_TABLE: Final = "UPDATE catalog_table SET name = ?3, active = ?4 WHERE no = ?1 AND id = ?2"
_INSERT_TABLE: Final = "INSERT INTO catalog_table (no, id, name, active) VALUES (?1, ?2, ?3, ?4)"
_DELETE_ENTRY: Final = "DELETE FROM entry WHERE index_no = ? AND key = ? AND document_id = ?"
_INSERT_ENTRY: Final = "INSERT INTO entry (index_no, key, document_id) VALUES (?, ?, ?)"


def append_block(store: Store, sealed: Sealed, changes: Changes) -> None:
    """
    Write a block, its revisions, the current documents, index entries and catalog; erase data.

    Raises:
        LedgerFileError: a document is not as it was read, which validation should have found.
        sqlite3.Error: it could not be written. The caller rolls back.
    """
    connection = store.connection
    connection.execute(_INSERT_BLOCK, sealed.block)
    revisions = sealed.revisions
    if revisions:
        connection.executemany(_INSERT_REVISION, revisions)
        rows = [(one.table_no, one.document_id, one.no, one.previous_no) for one in revisions]
        if connection.executemany(_PUT_DOCUMENT, rows).rowcount != len(rows):
            raise LedgerFileError(
                store.path,
                "a document has another newest revision than the one that was read, so nothing of "
                "this is written; run `qldb-stream ledger check` on it",
            )
    if changes.removed:
        connection.executemany(_DELETE_ENTRY, map(_entry_row, changes.removed))
    if changes.added:
        connection.executemany(_INSERT_ENTRY, map(_entry_row, changes.added))
    if changes.tables:
        _write_catalog(store, changes)
    erase(store, changes.redacted)


def _entry_row(entry: Entry) -> Entry:
    no, key, document_id = entry
    return no, stored_key(key), document_id


def _write_catalog(store: Store, changes: Changes) -> None:
    connection = store.connection
    for table in changes.tables:
        row = (table.no, table.id, table.name, table.active)
        if not connection.execute(_UPDATE_TABLE, row).rowcount:
            connection.execute(_INSERT_TABLE, row)
    dropped = [(no,) for no in changes.dropped]
    connection.executemany("DELETE FROM catalog_index WHERE no = ?", dropped)
    connection.executemany("DELETE FROM entry WHERE index_no = ?", dropped)
    connection.executemany(
        "INSERT INTO catalog_index (no, id, table_no, field) VALUES (?, ?, ?, ?)",
        [(index.no, index.id, table.no, index.field) for table, index in changes.created],
    )
    connection.executemany(_INSERT_ENTRY, map(_entry_row, iter_new_entries(store, changes)))

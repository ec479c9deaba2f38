"""
What stands beside the journal, rebuilt from it and compared.

Strategy: current documents and index entries are each walked once, and looked up from the
other side, so nothing is held in memory but the catalog. That every revision belongs to a
document's chain follows from counting: each revision has been checked to follow the one of
the version before, so a document's chain is as long as its newest version says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import DecodeError
from qldb_stream.ion import load_slice
from qldb_stream.ledger._catalog import Catalog, Table
from qldb_stream.ledger._check_rows import iter_documents, iter_entries
from qldb_stream.ledger._findings import Findings, Progress
from qldb_stream.ledger._keys import keys_of, stored_key
from qldb_stream.ledger._store import Store, StoredRevision

__all__ = ["check_catalog", "check_documents", "check_entries", "check_settings"]

_ID: Final = re.compile(r"[0-9A-Za-z]{22}")
_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,32}")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_SETTINGS: Final = {
    "name": _NAME,
    "strand_id": _ID,
    "stream_id": _ID,
    "mirrored": _NUMBER,
    "mirror_token": _NUMBER,
    "redactions_pending": _NUMBER,
}

_FOREIGN_TABLE: Final = "a table of a mirror, worked out from its source's statements"

_CURRENT: Final = """
SELECT r.* FROM document d CROSS JOIN revision r ON r.no = d.revision_no
WHERE d.table_no = ? AND d.id = ?
"""
_HAS_ENTRY: Final = "SELECT 1 FROM entry WHERE index_no = ? AND key = ? AND document_id = ?"


def check_settings(settings: Mapping[str, Any], found: Findings) -> None:
    """Check that the settings are those that a ledger has, each of its form."""
    for name, value in settings.items():
        form = _SETTINGS.get(name)
        if form is None:
            found.add("setting", str(name), "no setting of a ledger")
        elif not isinstance(value, str) or not form.fullmatch(value):
            found.add("setting", name, "not of its form")


def check_catalog(
    catalog: Catalog, tables: Mapping[str, Mapping[str, Any]], found: Findings, *, mirror: bool
) -> None:
    """Compare the tables and indexes with what the blocks say that DDL made of them."""
    for table in catalog.tables:
        journaled = tables.get(table.id)
        if journaled is not None:
            _compare_table(table, journaled, found)
        elif mirror:
            found.cannot_check(_FOREIGN_TABLE)
        else:
            found.add("catalog_table", "id", "no block made this table", table=table.name)
    for table_id in tables.keys() - catalog.by_id.keys():
        name = tables[table_id].get("name")
        found.add("catalog_table", "id", "missing", table=str(name))


def _compare_table(table: Table, journaled: Mapping[str, Any], found: Findings) -> None:
    row = table.as_row()
    for field, column in (("name", "name"), ("status", "active")):
        if row[field] != journaled.get(field):
            message = "not what the journal says"
            found.add("catalog_table", column, message, table=table.name)
    if row["indexes"] != journaled.get("indexes"):
        message = "not the indexes that the journal says"
        found.add("catalog_index", None, message, table=table.name)


# --- documents -----------------------------------------------------------------------------


def check_documents(
    store: Store, catalog: Catalog, found: Findings, progress: Progress, total: int
) -> int:
    """
    Check that each document points to its newest revision, and is in its table's indexes.

    Args:
        store: where they are.
        catalog: the tables.
        found: takes what is wrong.
        progress: told how far it is.
        total: how many documents there are.

    Returns:
        How many revisions the documents' chains have together.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    revisions = 0
    for done, (table_no, document_id, revision_no) in enumerate(iter_documents(store), 1):
        found.count("documents")
        progress(done, total, "documents")
        table = catalog.by_no.get(table_no) if isinstance(table_no, int) else None
        where = {"document_id": str(document_id), "table": None if table is None else table.name}
        rows = store.query(_CURRENT, (table_no, document_id))
        newest = StoredRevision._make(rows[0]) if rows else None
        if newest is None or not isinstance(newest.version, int):
            found.add("document", "revision_no", "there is no such revision", **where)
        elif (newest.table_no, newest.document_id) != (table_no, document_id) or table is None:
            message = f"revision {revision_no} is another document's"
            found.add("document", "revision_no", message, **where)
        else:
            revisions += newest.version + 1
            _check_indexed(store, table, newest, found)
    return revisions


def _check_indexed(store: Store, table: Table, newest: StoredRevision, found: Findings) -> None:
    """Check that a document's key is in each index of its table."""
    for no, key in _keys(table, newest).items():
        entry = (no, key, newest.document_id)
        if not store.query(_HAS_ENTRY, entry):
            field = next(index.field for index in table.indexes if index.no == no)
            found.add(
                "entry",
                "key",
                "the index does not have the document under its value",
                document_id=newest.document_id,
                table=table.name,
                index=field,
            )


def _keys(table: Table, newest: StoredRevision) -> dict[int, bytes]:
    """Give a document's stored keys; none when deleted, or when its journal is damaged."""
    if not table.indexes or not isinstance(newest.data, bytes):
        return {}
    try:
        keys = keys_of(load_slice(newest.data), table.indexes)
    except DecodeError:
        return {}
    return {no: stored_key(key) for no, key in keys.items() if key is not None}


# --- entries -------------------------------------------------------------------------------


def check_entries(
    store: Store, catalog: Catalog, found: Findings, progress: Progress, total: int
) -> None:
    """
    Check that each index entry is of an index, and of a document that has the value.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    owners = {index.no: (table, index) for table in catalog.tables for index in table.indexes}
    for done, (index_no, key, document_id) in enumerate(iter_entries(store), 1):
        found.count("entries")
        progress(done, total, "entries")
        owner = owners.get(index_no) if isinstance(index_no, int) else None
        if owner is None:
            message = "there is no such index"
            found.add("entry", "index_no", message, document_id=str(document_id))
            continue
        table, index = owner
        rows = store.query(_CURRENT, (table.no, document_id))
        newest = StoredRevision._make(rows[0]) if rows else None
        if newest is None or _keys(table, newest).get(index.no) != key:
            found.add(
                "entry",
                "key" if newest is not None else "document_id",
                "the document does not have the value that the index has it under",
                document_id=str(document_id),
                table=table.name,
                index=index.field,
            )

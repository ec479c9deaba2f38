"""What a commit changes beside the journal: index entries, catalog, and what others must know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from qldb_stream.ion import load_slice
from qldb_stream.ledger._catalog import Catalog, Index, Table
from qldb_stream.ledger._occ import CommitRecord
from qldb_stream.ledger._pending import PendingDocument
from qldb_stream.ledger._store import Store
from qldb_stream.partiql import index_key_of

__all__ = ["Changes", "find_changes", "iter_new_entries"]

Entry = tuple[int, bytes, str]


@attrs.frozen(eq=False)
class Changes:
    """
    The rows that a commit changes, and its record for other transactions.

    Attributes:
        removed: index entries that are no longer, as (index number, key, document id).
        added: index entries that are new, of the documents that changed.
        tables: tables whose definition changed.
        created: indexes that are new, each with its table, to be built.
        dropped: numbers of the indexes that are no longer.
        record: what other transactions are checked against.
    """

    removed: list[Entry]
    added: list[Entry]
    tables: Sequence[Table]
    created: list[tuple[Table, Index]]
    dropped: list[int]
    record: CommitRecord


def find_changes(
    sequence_no: int, documents: Sequence[PendingDocument], tables: Sequence[Table], before: Catalog
) -> Changes:
    """
    Work out what a commit changes.

    Args:
        sequence_no: the block's number.
        documents: all that changed, each with its table's final definition.
        tables: those whose definition changed, as they are now.
        before: the catalog that the commit is laid over.
    """
    removed: list[Entry] = []
    added: list[Entry] = []
    touched: list[tuple[int, bytes]] = []
    for document in documents:
        for index in document.table.indexes:
            old = _old_key(document, index)
            new = new_key(document, index)
            if old is not None:
                touched.append((index.no, old))
                if old != new:
                    removed.append((index.no, old, document.id))
            if new is not None and old != new:
                touched.append((index.no, new))
                added.append((index.no, new, document.id))
    record = CommitRecord(
        sequence_no,
        frozenset(name for table in tables for name in (table.id, table.name)),
        frozenset([document.table.no for document in documents]),
        frozenset(touched),
        frozenset([(document.table.no, document.id) for document in documents]),
    )
    created, dropped = _index_changes(tables, before)
    return Changes(removed, added, tables, created, dropped, record)


def _old_key(document: PendingDocument, index: Index) -> bytes | None:
    base = document.base
    if base is None or base.data is None:
        return None
    return index_key_of(load_slice(base.data), index.field)


def new_key(document: PendingDocument, index: Index) -> bytes | None:
    """Give the key that a pending document has in an index, worked out once."""
    if document.data is None:
        return None
    if index.no not in document.keys:
        document.keys[index.no] = index_key_of(document.data, index.field)
    return document.keys[index.no]


def _index_changes(
    tables: Sequence[Table], before: Catalog
) -> tuple[list[tuple[Table, Index]], list[int]]:
    created: list[tuple[Table, Index]] = []
    dropped: list[int] = []
    for table in tables:
        was = before.by_no.get(table.no)
        old = {index.no for index in was.indexes} if was else set()
        created += [(table, index) for index in table.indexes if index.no not in old]
        dropped += old - {index.no for index in table.indexes}
    return created, dropped


def iter_new_entries(
    store: Store, changes: Changes, size: int, written: frozenset[tuple[int, str]]
) -> Iterator[Entry]:
    """
    Iterate over the entries of new indexes for documents that were there before.

    Args:
        store: where the documents are.
        changes: names the new indexes.
        size: how many blocks there were.
        written: (table number, document id) that the commit itself changes; their entries
            are in `changes.added`.
    """
    for table, index in changes.created:
        for revision in store.iter_table(table.no, size):
            if revision.data is None or (table.no, revision.document_id) in written:
                continue
            key = index_key_of(load_slice(revision.data), index.field)
            if key is not None:
                yield index.no, key, revision.document_id

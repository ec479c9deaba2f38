"""What a commit changes beside the journal: index entries, catalog, and what others must know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from qldb_stream.ion import load_slice
from qldb_stream.ledger._catalog import Catalog, Index, Table
from qldb_stream.ledger._keys import Keys, keys_of
from qldb_stream.ledger._occ import CommitRecord
from qldb_stream.ledger._pending import PendingDocument
from qldb_stream.ledger._store import Store

__all__ = ["Changes", "find_changes", "iter_new_entries", "keys_after"]

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
    sequence_no: int,
    documents: Sequence[PendingDocument],
    tables: Sequence[Table],
    before: Catalog,
    base_keys: Mapping[tuple[int, str], bytes],
) -> Changes:
    """
    Work out what a commit changes.

    Args:
        sequence_no: the block's number.
        documents: all that changed, each with its table's final definition.
        tables: those whose definition changed, as they are now.
        before: the catalog that the commit is laid over.
        base_keys: keys of documents before, where they are known, by index and document.
    """
    removed: list[Entry] = []
    added: list[Entry] = []
    touched: list[tuple[int, bytes]] = []
    for document in documents:
        indexes = document.table.indexes
        if not indexes:
            continue
        before_keys = _keys_before(document, base_keys)
        after_keys = keys_after(document)
        for no, new in after_keys.items():
            old = before_keys.get(no)
            if old is not None:
                touched.append((no, old))
                if old != new:
                    removed.append((no, old, document.id))
            if new is not None and old != new:
                touched.append((no, new))
                added.append((no, new, document.id))
    record = CommitRecord(
        sequence_no,
        frozenset(name for table in tables for name in (table.id, table.name)),
        frozenset([document.table.no for document in documents]),
        frozenset(touched),
        frozenset([(document.table.no, document.id) for document in documents]),
    )
    created, dropped = _index_changes(tables, before)
    return Changes(removed, added, tables, created, dropped, record)


def _keys_before(
    document: PendingDocument, known: Mapping[tuple[int, str], bytes]
) -> Mapping[int, bytes | None]:
    base = document.base
    if base is None or base.data is None:
        return {}
    indexes = document.table.indexes
    if len(indexes) == 1:
        key = known.get((indexes[0].no, document.id))
        if key is not None:
            return {indexes[0].no: key}
    return keys_of(load_slice(base.data), indexes)


def keys_after(document: PendingDocument) -> Keys:
    """Give the keys that a pending document has, worked out once for each state and table."""
    indexes = document.table.indexes
    if document.keys.keys() != {index.no for index in indexes}:
        if document.data is None:
            document.keys = dict.fromkeys([index.no for index in indexes])
        else:
            document.keys = keys_of(document.data, indexes)
    return document.keys


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
            key = keys_of(load_slice(revision.data), [index])[index.no]
            if key is not None:
                yield index.no, key, revision.document_id

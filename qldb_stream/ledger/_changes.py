"""What a commit changes beside the journal: index entries, catalog, and what others must know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from qldb_stream.ion import load_slice
from qldb_stream.ledger._catalog import Catalog, Index, Table
from qldb_stream.ledger._keys import Keys, keys_of
from qldb_stream.ledger._occ import CommitRecord
from qldb_stream.ledger._pending import Draft, PendingDocument
from qldb_stream.ledger._store import Store, StoredRevision, document_of

__all__ = ["Changes", "Entry", "erasure_record", "find_changes", "iter_new_entries", "keys_after"]

Entry = tuple[int, bytes, str]
"""An index entry: index number, key, document id."""


@attrs.frozen(eq=False)
class Changes:
    """
    The rows that a commit changes, and what other transactions are checked against.

    Attributes:
        sequence_no: the block's number.
        documents: all that changed.
        removed: index entries that are no longer, as (index number, key, document id).
        added: index entries that are new, of the documents that changed.
        kept: index entries that stay, of the documents that changed.
        tables: tables whose definition changed.
        created: indexes that are new, each with its table, to be built.
        dropped: numbers of the indexes that are no longer.
        redacted: stored revisions whose data goes.
    """

    sequence_no: int
    documents: Sequence[PendingDocument]
    removed: list[Entry]
    added: list[Entry]
    kept: list[Entry]
    tables: Sequence[Table]
    created: list[tuple[Table, Index]]
    dropped: list[int]
    redacted: Sequence[StoredRevision]

    def record(self) -> CommitRecord:
        """Say what changed, for transactions that are open."""
        return CommitRecord(
            self.sequence_no,
            frozenset(name for table in self.tables for name in (table.id, table.name)),
            frozenset([document.table.no for document in self.documents]),
            frozenset([entry[:2] for entry in (*self.removed, *self.added, *self.kept)]),
            frozenset([(document.table.no, document.id) for document in self.documents]),
            *_redacted_keys(self.redacted),
        )


def erasure_record(sequence_no: int, redacted: Sequence[StoredRevision]) -> CommitRecord:
    """Say what the erasing of stored revisions changed, beside any block."""
    nothing: frozenset[Any] = frozenset()
    return CommitRecord(sequence_no, nothing, nothing, nothing, nothing, *_redacted_keys(redacted))


def _redacted_keys(
    redacted: Sequence[StoredRevision],
) -> tuple[frozenset[int], frozenset[tuple[int, str | None]]]:
    """Name the blocks in which revisions are redacted, and the histories."""
    ids = [(one.table_no, name) for one in redacted for name in (one.document_id, None)]
    return frozenset([one.sequence_no for one in redacted]), frozenset(ids)


def find_changes(
    sequence_no: int,
    draft: Draft,
    before: Catalog,
    base_keys: Mapping[tuple[int, str], bytes],
) -> Changes:
    """
    Work out what a commit changes.

    Args:
        sequence_no: the block's number.
        draft: what changed; documents each with its table's final definition.
        before: the catalog that the commit is laid over.
        base_keys: keys of documents before, where they are known, by index and document.
    """
    removed: list[Entry] = []
    added: list[Entry] = []
    kept: list[Entry] = []
    created, dropped = _index_changes(draft.tables, before)
    new_indexes = {index.no for _, index in created}
    for document in draft.documents:
        if not document.table.indexes:
            continue
        before_keys = _keys_before(document, base_keys)
        for no, new in keys_after(document).items():
            old = None if no in new_indexes else before_keys.get(no)
            if old == new:
                if new is not None:
                    kept.append((no, new, document.id))
                continue
            if old is not None:
                removed.append((no, old, document.id))
            if new is not None:
                added.append((no, new, document.id))
    return Changes(
        sequence_no,
        draft.documents,
        removed,
        added,
        kept,
        draft.tables,
        created,
        dropped,
        [] if draft.redaction is None else [draft.redaction.revision],
    )


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
    return keys_of(document_of(base.data), indexes)


def keys_after(document: PendingDocument) -> Keys:
    """Give the keys that a pending document has, worked out once for each state and table."""
    indexes = document.table.indexes
    if not _is_of(document.keys, indexes):
        if document.data is None:
            document.keys = dict.fromkeys([index.no for index in indexes])
        else:
            document.keys = keys_of(document.data, indexes)
    return document.keys


def _is_of(keys: Keys, indexes: Sequence[Index]) -> bool:
    """Tell whether keys are those of exactly these indexes."""
    if len(keys) != len(indexes):
        return False
    for index in indexes:  # noqa: SIM110 - runs for every write, where a generator costs more
        if index.no not in keys:
            return False
    return True


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


def iter_new_entries(store: Store, changes: Changes) -> Iterator[Entry]:
    """
    Iterate over the entries of new indexes for documents that were there before.

    Those of the documents that the commit itself changes are in `changes.added`.
    """
    written = {(document.table.no, document.id) for document in changes.documents}
    for table, index in changes.created:
        for revision in store.iter_table(table.no, changes.sequence_no):
            if revision.data is None or (table.no, revision.document_id) in written:
                continue
            key = keys_of(load_slice(revision.data), [index])[index.no]
            if key is not None:
                yield index.no, key, revision.document_id

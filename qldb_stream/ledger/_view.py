"""
What a transaction sees: its snapshot, and on top of it what it wrote itself.

It is the `Sources` that PartiQL plans read from. Strategy: a table is read by document
id or by index wherever the statement offers such a condition, else scanned; each way
notes in the read set what it depends on. An index knows only what is current, so for a
snapshot that others have left behind, the documents that they changed are looked at as
well; the plan checks its conditions on every row anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from qldb_stream.errors import StatementError
from qldb_stream.ledger._catalog import Catalog, Index, Table
from qldb_stream.ledger._changes import keys_after
from qldb_stream.ledger._committed import CommittedView
from qldb_stream.ledger._damage import Trail
from qldb_stream.ledger._occ import CommitLog, ReadSet
from qldb_stream.ledger._pending import PendingDocument, PendingRedaction
from qldb_stream.ledger._recent import RecentKeys
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import CHUNK_ROWS, Store, StoredRevision, document_of
from qldb_stream.partiql import Lookup, TableKind, TableRef, index_key, no_such_variable

__all__ = ["View"]

Row = tuple[str | None, Any]
Current = StoredRevision | PendingDocument

# What is read again and again in one transaction (a position, a counter) is read once from SQLite.
_CACHED_DOCUMENTS: Final = 512


class View:
    """
    A snapshot with a transaction's own writes, as PartiQL's plans read it.

    Attributes:
        size: how many blocks the snapshot has.
        catalog: its tables and indexes, those that the transaction changed included.
        changed_tables: tables whose definition the transaction changed, by number.
        reads: what was read.
        writes: what was written: documents by id, in the order of their first change.
        redaction: the revision that the transaction redacts.
        strand_id: the journal's.
        base_keys: keys of documents as the snapshot has them, where an index told them.
        doomed: whether blocks of the snapshot were rolled back, or data that it read were erased
            beside any block, so that it cannot commit.
        read_ios: how many documents and revisions were read, each time anew (facts 5.7).
        write_ios: how many documents and index entries were written (facts 5.7).
        trail: what was read last, to name a document that turns out to be damaged.
    """

    def __init__(
        self,
        store: Store,
        log: CommitLog,
        recent: RecentKeys | None,
        state: State,
        now_ms: Callable[[], int],
    ) -> None:
        self.size: Final = state.size
        self.catalog: Catalog = state.catalog
        self.changed_tables: Final[dict[int, Table]] = {}
        self.reads: Final = ReadSet()
        self.writes: Final[dict[str, PendingDocument]] = {}
        self.base_keys: Final[dict[tuple[int, str], bytes]] = {}
        self.redaction: PendingRedaction | None = None
        self.strand_id: Final = state.strand_id
        self.doomed = False
        self.read_ios = 0
        self.write_ios = 0
        self._store: Final = store
        self._log: Final = log
        self._recent: Final = recent
        self._built_indexes: Final = state.catalog.index_numbers
        self._own_keys: Final[dict[tuple[int, bytes], dict[str, PendingDocument]]] = {}
        self._documents: Final[dict[tuple[int, str], StoredRevision | None]] = {}
        self._found: Final[dict[tuple[int, bytes], list[StoredRevision]]] = {}
        self._committed = partial(CommittedView, store, state.strand_id, self.size, now_ms)
        self.trail: Final = Trail(store)

    # --- tables ----------------------------------------------------------------------------

    def table(self, ref: TableRef) -> Table:
        """
        Find the table that a statement names, and note it as read.

        Raises:
            PartiqlSemanticError: there is none.
        """
        self.reads.names.add(ref.name)
        table = self.catalog.find(ref)
        self.reads.names.add(table.id)
        return table

    def put_table(self, table: Table) -> None:
        """Change a table's definition, or add a table."""
        self.changed_tables[table.no] = table
        self.catalog = self.catalog.with_tables((table,))

    # --- rows ------------------------------------------------------------------------------

    def iter_rows(
        self, table: TableRef, lookups: tuple[Lookup, ...], bounds: tuple[Any, ...]
    ) -> Iterable[Row]:
        """
        Iterate over the rows of a table that fulfil the look-ups, others among them.

        Raises:
            PartiqlSemanticError: there is no such table.
            PartiqlEvaluationError: the bounds of history() make no sense.
        """
        if table.kind is TableKind.SYSTEM:
            return self._iter_catalog(table)
        found = self.table(table)
        if table.kind is TableKind.HISTORY:
            return self._iter_history(table, found, lookups, bounds)
        rows = self._iter_current(found, lookups)
        if table.kind is TableKind.COMMITTED:
            return map(self._committed().row, self._noted(rows))
        return map(_user_row, self._noted(rows))

    def _noted(self, rows: Iterator[Current]) -> Iterator[Current]:
        note = self.trail.note
        for row in rows:
            if type(row) is StoredRevision:
                note(row.no)
            yield row

    def _iter_catalog(self, ref: TableRef) -> Iterable[Row]:
        if ref.name != "user_tables":
            raise no_such_variable(ref)
        self.reads.catalog = True
        return ((None, table.as_row()) for table in self.catalog.tables)

    def _iter_history(
        self, ref: TableRef, table: Table, lookups: tuple[Lookup, ...], bounds: tuple[Any, ...]
    ) -> Iterator[Row]:
        ids: Iterable[str]
        for lookup in lookups:
            if lookup.field is None:
                ids = _texts(lookup.values)
                keys = [(table.no, document_id) for document_id in ids]
                self.reads.documents.update(keys)
                self.reads.histories.update(keys)
                break
        else:
            self.reads.tables.add(table.no)
            self.reads.histories.add((table.no, None))
            ids = self._store.iter_document_ids(table.no)
        for row in self._committed().iter_history(ref, table, ids, bounds, self.trail.note):
            self.read_ios += 1
            yield row

    def _iter_current(self, table: Table, lookups: tuple[Lookup, ...]) -> Iterator[Current]:
        for lookup in lookups:
            if lookup.field is None:
                return self._iter_ids(table, _texts(lookup.values))
        for lookup in lookups:
            index = None if lookup.field is None else table.maybe_index(lookup.field)
            if index is not None and self._is_usable(table, index):
                return self._iter_keys(table, index, lookup.values)
        self.reads.tables.add(table.no)
        return self._scan(table)

    def _is_usable(self, table: Table, index: Index) -> bool:
        """Tell whether an index holds what the snapshot does; not one made or dropped since."""
        if index.no not in self._built_indexes:
            return False
        with self._store.lock:
            return not self._log.has_changes(self.size) or not any(
                table.id in record.names for record in self._log.since(self.size)
            )

    def _iter_ids(self, table: Table, ids: Iterable[str]) -> Iterator[Current]:
        for document_id in ids:
            self.reads.documents.add((table.no, document_id))
            document = self.document(table, document_id)
            if document is not None and document.data is not None:
                self.read_ios += 1
                yield document

    def _iter_keys(self, table: Table, index: Index, values: tuple[Any, ...]) -> Iterator[Current]:
        keys = dict.fromkeys([key for key in map(index_key, values) if key is not None])
        self.reads.keys.update([(index.no, key) for key in keys])
        seen: set[str] = set()
        for key in keys:
            for revision in self._find(table, index, key):
                document_id = revision.document_id
                # What others changed since may come under each of the keys.
                if document_id in seen or document_id in self.writes or revision.data is None:
                    continue
                seen.add(document_id)
                self.read_ios += 1
                yield revision
            for pending in list(self._own_keys.get((index.no, key), {}).values()):
                if self.writes[pending.id] is pending:  # it may have been written again since
                    self.read_ios += 1
                    yield pending

    def _scan(self, table: Table) -> Iterator[Current]:
        for revision in self._store.iter_table(table.no, self.size):
            if revision.data is not None and revision.document_id not in self.writes:
                self.read_ios += 1
                yield revision
        for pending in list(self.writes.values()):
            if pending.table.no == table.no and pending.data is not None:
                self.read_ios += 1
                yield pending

    # --- single documents ------------------------------------------------------------------

    def document(self, table: Table, document_id: str) -> Current | None:
        """Find a document by its id, deleted ones too; its own pending state first."""
        pending = self.writes.get(document_id)
        if pending is not None:
            return pending if pending.table.no == table.no else None
        return self._stored(table, document_id)

    def revision_at(self, table: Table, sequence_no: int, document_id: str) -> StoredRevision:
        """
        Find the revision that a block made of a document, and note the block as read.

        Raises:
            StatementError: there is none.
        """
        self.reads.blocks.add(sequence_no)
        block = self._store.block(sequence_no) if 0 <= sequence_no < self.size else None
        for revision in self._store.block_revisions(block) if block else ():
            if (revision.table_no, revision.document_id) == (table.no, document_id):
                return revision
        problem = f"block {sequence_no} has no revision of document {document_id} of that table"
        raise StatementError(problem)

    def is_newest(self, table: Table, revision: StoredRevision) -> bool:
        """Tell whether a revision is its document's newest in the snapshot."""
        newest = self._stored(table, revision.document_id)
        return newest is not None and newest.no == revision.no

    def _stored(self, table: Table, document_id: str) -> StoredRevision | None:
        key = (table.no, document_id)
        if key not in self._documents:
            self._remember(key, self._store.document(table.no, document_id, self.size))
        return self._documents[key]

    def _remember(self, key: tuple[int, str], document: StoredRevision | None) -> None:
        if len(self._documents) >= _CACHED_DOCUMENTS:
            self._documents.clear()
        self._documents[key] = document

    def _find(self, table: Table, index: Index, key: bytes) -> Iterable[StoredRevision]:
        """Find what an index has under a key in the snapshot, and perhaps more."""
        found = self._found.get((index.no, key))
        if found is not None:
            return found
        with self._store.lock:  # nobody commits between reading and learning
            if not self._log.has_changes(self.size):
                first = self._read_newest(table, (index.no, key))
                if len(first) < CHUNK_ROWS:
                    return self._keep(table, (index.no, key), first)
        return self._iter_found(table, index, key)

    def _read_newest(self, table: Table, key: tuple[int, bytes]) -> list[StoredRevision]:
        """Read the first chunk of what is under a key at the newest block."""
        if self._recent is None:
            return self._store.index_chunk(table.no, *key, "")
        alone = self._recent.maybe_alone(key)
        if alone is not None:
            return [alone]
        first = self._store.index_chunk(table.no, *key, "")
        self._recent.learn(key, first)
        return first

    def _keep(
        self, table: Table, key: tuple[int, bytes], found: list[StoredRevision]
    ) -> list[StoredRevision]:
        if len(self._found) >= _CACHED_DOCUMENTS:
            self._found.clear()
        self._found[key] = found
        for revision in found:
            self._remember((table.no, revision.document_id), revision)
            self.base_keys[key[0], revision.document_id] = key[1]
        return found

    def _iter_found(self, table: Table, index: Index, key: bytes) -> Iterator[StoredRevision]:
        seen: set[str] = set()
        for revision in self._store.iter_index(table.no, index.no, key, self.size):
            seen.add(revision.document_id)
            yield revision
        with self._store.lock:
            changed = self._log.changed_documents(table.no, self.size)
        for document_id in sorted(changed - seen):
            revision_then = self._stored(table, document_id)
            if revision_then is not None:
                yield revision_then

    # --- writes ----------------------------------------------------------------------------

    def write(self, pending: PendingDocument) -> None:
        """Note a document's new state, so that later statements see it."""
        self.writes[pending.id] = pending
        self.write_ios += 1
        if pending.table.indexes:
            for index_no, key in keys_after(pending).items():
                if key is not None:
                    self.write_ios += 1
                    self._own_keys.setdefault((index_no, key), {})[pending.id] = pending


def _user_row(document: Current) -> Row:
    if isinstance(document, PendingDocument):
        return document.id, document.data
    assert document.data is not None
    return document.document_id, document_of(document.data)


def _texts(values: tuple[Any, ...]) -> list[str]:
    """Pick the values that can equal a document id, each once; a symbol's text can."""
    texts = [value if isinstance(value, str) else getattr(value, "text", None) for value in values]
    return list(dict.fromkeys([str(text) for text in texts if text is not None]))

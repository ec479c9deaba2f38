"""
A block of another ledger's journal, made ready to be stored as it is.

Strategy: nothing of the journal is made anew. Summary, hashes, ids and times are the
source's, so digests and proofs stay what they were; what stands beside the journal (current
documents, index entries, catalog, Merkle nodes) is worked out as for a transaction of the
ledger's own, whose next block then links to the mirrored ones.

Whoever hands blocks over has verified them. Checked here is what storing relies on: that the
block is the next one and linked to the one before, that versions follow each other, that its
revisions are those of its summary, and that metadata have the shape that this file format
rebuilds them from. A mirror begins at block 0, because a digest is over all blocks, and has no
gaps. A redaction erases the older revision's data here too.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs

from qldb_stream.errors import (
    ChainBreakError,
    ConflictError,
    DecodeError,
    HashMismatchError,
    IonEncodeError,
)
from qldb_stream.events import Block, BlockAddress, Metadata, RedactedRevision, Revision
from qldb_stream.hashing import dot
from qldb_stream.ion import load_slice
from qldb_stream.ledger._append import append_block
from qldb_stream.ledger._changes import Changes, find_changes
from qldb_stream.ledger._ddl import Numbers
from qldb_stream.ledger._hashes import metadata_hash
from qldb_stream.ledger._ids import ID_CHARACTERS
from qldb_stream.ledger._merkle import append_leaf, node_of
from qldb_stream.ledger._mirror_catalog import CatalogWalk
from qldb_stream.ledger._mirror_summary import unix_ms, write_summary
from qldb_stream.ledger._pending import Draft, PendingDocument
from qldb_stream.ledger._seal import Sealed, standalone
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import MIRRORED, Store, StoredBlock, StoredRevision
from qldb_stream.replay import order_changes, refusal

__all__ = ["Mirrored", "MirroredBlock", "append_mirrored", "find_erasures", "mirror_block"]

_RENAME_TABLE: Final = "UPDATE catalog_table SET id = ? WHERE no = ?"
_PUT_SETTING: Final = "INSERT OR REPLACE INTO setting VALUES (?, ?)"


@attrs.frozen
class MirroredBlock:
    """
    What storing a block of another ledger's journal came to.

    Attributes:
        documents: how many revisions it has, hash-only ones apart.
        erased: how many older revisions lost their data, which the block redacts.
        indexes_kept: tables of which a DROP INDEX could not be mapped to an index.
        left_out: names of fields that the facts do not know, and that are not kept.
    """

    documents: int
    erased: int
    indexes_kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Mirrored:
    """
    A block of another journal, ready to be stored.

    Attributes:
        sealed: its rows, and the ledger's state after it.
        changes: what it changes beside the journal.
        learnt: ids of tables that were made with ids of ours, as (id, number).
        indexes_kept: names of tables of which a DROP INDEX could not be mapped.
        left_out: names of fields that the facts do not know.
    """

    sealed: Sealed
    changes: Changes
    learnt: list[tuple[str, int]]
    indexes_kept: tuple[str, ...]
    left_out: tuple[str, ...]

    def outcome(self) -> MirroredBlock:
        """Say what it came to."""
        written, erased = len(self.sealed.revisions), len(self.changes.redacted)
        return MirroredBlock(written, erased, self.indexes_kept, self.left_out)


def mirror_block(state: State, block: Block, store: Store, numbers: Numbers) -> Mirrored:
    """
    Make a block of another journal ready to be stored as the next one.

    Args:
        state: where the journal ends; empty, or mirrored up to there.
        block: the next block, verified.
        store: where the journal is.
        numbers: where tables and indexes get numbers, and ids as far as none are known.

    Raises:
        ReplayRefusedError: the ledger cannot take it, and why.
        ChainBreakError: its previousBlockHash is not the last block's hash.
        HashMismatchError: its blockHash is not what it is built from.
        LedgerFileError: the file cannot be read.
    """
    _check_follows(state, block)
    walk = CatalogWalk(state.catalog, block.address, numbers, store.holds_documents)
    for operation in order_changes(block):
        walk.follow(operation)
    try:
        return _Copy(state, block, store, walk).finish()
    except (DecodeError, IonEncodeError) as exc:
        raise refusal(block.address, f"it cannot be stored: {exc}") from exc


def append_mirrored(store: Store, mirrored: Mirrored, settings: dict[str, str]) -> None:
    """
    Write a block and all that goes with it; the caller begins and ends SQLite's transaction.

    Raises:
        sqlite3.Error: it could not be written; the caller rolls back.
    """
    state = mirrored.sealed.state
    stored = settings | {"strand_id": state.strand_id, MIRRORED: str(state.mirrored)}
    store.connection.executemany(_PUT_SETTING, stored.items())
    # Before the tables are updated, which looks them up by number and id.
    store.connection.executemany(_RENAME_TABLE, mirrored.learnt)
    append_block(store, mirrored.sealed, mirrored.changes)


def find_erasures(state: State, block: Block, store: Store) -> list[StoredRevision]:
    """
    Find what a repeated block shows as redacted and the mirror still has.

    A revision that is current here waits for the block that redacts it, which comes later.

    Raises:
        ConflictError: the stored block of that number is another one.
        LedgerFileError: the file cannot be read.
        IonDecodeError: what is stored has been damaged.
    """
    address = block.address
    stored = store.block(address.sequence_no)
    assert stored is not None
    if node_of(stored.nodes, 0) != block.block_hash or address.strand_id != state.strand_id:
        raise ConflictError(address.strand_id, address.sequence_no, "blockHash")
    redacted = {r.hash: r.data_hash for r in block.revisions if _is_redacted(r)}
    if not redacted:
        return []
    return [
        row
        for row in store.block_revisions(stored)
        if row.hash in redacted and row.data is not None
        # What the hash does not confirm is some other document's end, and is left alone.
        if load_slice(row.data).hash() == redacted[row.hash]
        if not _is_current(row, state, store)
    ]


def _is_current(row: StoredRevision, state: State, store: Store) -> bool:
    """Tell whether no later block has changed the document; only then can indexes hold it."""
    newest = store.document(row.table_no, row.document_id, state.size)
    return newest is not None and newest.no == row.no


def _is_redacted(revision: Revision) -> bool:
    return revision.data_ion is None and revision.data_hash is not None


def _check_follows(state: State, block: Block) -> None:
    """Make sure that a block is the next one of the journal that the ledger mirrors."""
    address, summary = block.address, block.summary
    if state.size > state.mirrored:
        raise refusal(
            address,
            f"the ledger has blocks of its own from block {state.mirrored} on, so it is no "
            "longer a mirror; mirror the journal into a new ledger",
        )
    if state.size and address.strand_id != state.strand_id:
        problem = f"the ledger mirrors strand {state.strand_id}; mirror this one into another"
        raise refusal(address, problem)
    if address.sequence_no != state.size:
        raise refusal(address, _misplaced(state))
    if len(address.strand_id) != ID_CHARACTERS:
        raise refusal(address, f"a strand's id has {ID_CHARACTERS} characters")
    expected, found = state.block_hash, summary.previous_block_hash
    if state.size and found != expected:
        raise ChainBreakError(address.strand_id, address.sequence_no, expected.hex(), found.hex())
    if dot(summary.entries_hash, found) != summary.block_hash:
        raise HashMismatchError(address.strand_id, address.sequence_no, "BLOCK_HASH")


def _misplaced(state: State) -> str:
    if state.size:
        return f"the mirror needs block {state.size} next, because a mirror has no gaps"
    return (
        "a mirror begins at block 0, because its digest is over all blocks; add the source that "
        "holds it, or replay without mirroring"
    )


def _unknown_fields(block: Block) -> tuple[str, ...]:
    """Name what parsers saw and did not hand over; nobody hashes or uses it."""
    names = [*block.summary.unknown_fields]
    for revision in block.revisions:
        names += revision.unknown_fields
    return tuple(dict.fromkeys(names))


class _Copy:
    """One block on its way into rows."""

    def __init__(self, state: State, block: Block, store: Store, walk: CatalogWalk) -> None:
        self._state: Final = state
        self._block: Final = block
        self._store: Final = store
        self._walk: Final = walk
        self._rows: Final[list[StoredRevision]] = []
        self._pending: Final[dict[tuple[int, str], PendingDocument]] = {}
        self._newest: Final[dict[tuple[int, str], StoredRevision]] = {}
        self._refuse: Final = partial(refusal, block.address)

    def finish(self) -> Mirrored:
        """Make rows of revisions, then of the block."""
        self._check_leaves()
        for revision in self._block.revisions:
            if revision.metadata is not None:
                self._add(revision, revision.metadata)
        state, walk = self._state, self._walk
        tables = list(walk.changed.values())
        draft = Draft(self._block.summary.transaction_id, (), list(self._pending.values()), tables)
        changes = find_changes(state.size, draft, state.catalog, {})
        changes = attrs.evolve(changes, redacted=self._redacted())
        before = state.catalog.by_no
        return Mirrored(
            self._seal(),
            changes,
            [(t.id, t.no) for t in tables if t.no in before and before[t.no].id != t.id],
            tuple(walk.indexes_kept),
            _unknown_fields(self._block),
        )

    def _seal(self) -> Sealed:
        state, summary = self._state, self._block.summary
        peaks, nodes = append_leaf(state.peaks, state.size, summary.block_hash)
        # Should a source's clock have gone back, its time stays in the summary; this one, which
        # ranges of time are looked up by, never falls.
        last_ms = max(unix_ms(summary.block_timestamp), state.last_ms)
        after = State(
            size=state.size + 1,
            block_hash=summary.block_hash,
            peaks=peaks,
            next_revision_no=state.next_revision_no + len(self._rows),
            last_ms=last_ms,
            catalog=self._walk.catalog,
            strand_id=summary.address.strand_id,
            mirrored=state.size + 1,
        )
        stored = StoredBlock(
            state.size,
            summary.transaction_id,
            last_ms,
            state.next_revision_no,
            nodes,
            write_summary(summary),
            None,
        )
        return Sealed(after, stored, self._rows)

    # --- revisions ---------------------------------------------------------------------------

    def _check_leaves(self) -> None:
        named = [(leaf.hash, leaf.document_id) for leaf in self._block.summary.revision_summaries]
        if named != [(one.hash, one.document_id) for one in self._block.revisions]:
            raise self._refuse("its revisions are not those of its revisionSummaries")

    def _add(self, revision: Revision, metadata: Metadata) -> None:
        table = self._walk.catalog.by_no[self._walk.table_numbers[metadata.id]]
        key = table.no, metadata.id
        base = self._maybe_newest(key)
        self._check_version(metadata, base)
        tx_time_ms = self._check_metadata(revision, metadata)
        data = None if revision.data_ion is None else standalone(revision.data_ion)
        row = StoredRevision(
            self._state.next_revision_no + len(self._rows),
            self._state.size,
            table.no,
            metadata.id,
            metadata.version,
            tx_time_ms,
            None if base is None else base.no,
            revision.hash,
            revision.data_hash if data is None else None,
            data,
        )
        self._rows.append(row)
        self._newest[key] = row
        document = None if data is None else load_slice(data)
        earlier = self._pending.get(key)
        before = base if earlier is None else earlier.base
        self._pending[key] = PendingDocument(table, metadata.id, before, document)

    def _maybe_newest(self, key: tuple[int, str]) -> StoredRevision | None:
        newest = self._newest.get(key)
        return newest or self._store.document(*key, self._state.size)

    def _check_version(self, metadata: Metadata, base: StoredRevision | None) -> None:
        expected = 0 if base is None else base.version + 1
        if metadata.version != expected:
            raise self._refuse(
                f"document {metadata.id} comes with version {metadata.version}, and version "
                f"{expected} is its next"
            )

    def _check_metadata(self, revision: Revision, metadata: Metadata) -> int:
        """Make sure that metadata can be rebuilt; give txTime in milliseconds."""
        tx_time_ms = unix_ms(metadata.tx_time)
        rebuilt = metadata_hash(
            metadata.id, metadata.version, tx_time_ms, self._block.summary.transaction_id
        )
        is_whole = rebuilt == metadata.ion.hash() and revision.address == self._block.address
        # A time before 1970 is no commit's, and the file could not be read with it.
        if not is_whole or tx_time_ms < 0:
            raise self._refuse(
                f"document {metadata.id} has metadata or a block address that QLDB did not write"
            )
        return tx_time_ms

    # --- redactions --------------------------------------------------------------------------

    def _redacted(self) -> list[StoredRevision]:
        info = self._block.summary.redaction_info
        if info is None:
            return []
        found = [self._find_redacted(redacted) for redacted in info.revisions]
        # Should one be named twice, it is erased once.
        return list({row.no: row for row in found if row.data is not None}.values())

    def _find_redacted(self, redacted: RedactedRevision) -> StoredRevision:
        """Find the revision that a redaction names; one that is not current any more."""
        address = redacted.block_address
        for row in self._stored_revisions(address):
            table = self._walk.catalog.by_no[row.table_no]
            if (row.document_id, row.version, table.id) == (
                redacted.document_id,
                redacted.version,
                redacted.table_id,
            ):
                newest = self._maybe_newest((row.table_no, row.document_id))
                if newest is not None and newest.no != row.no:
                    return row
        raise self._refuse(
            f"it redacts version {redacted.version} of document {redacted.document_id} in block "
            f"{address.sequence_no}, and there is no such revision that is not current"
        )

    def _stored_revisions(self, address: BlockAddress) -> list[StoredRevision]:
        if address.strand_id != self._block.address.strand_id:
            return []
        stored = self._store.block(address.sequence_no) if address.sequence_no >= 0 else None
        return [] if stored is None else self._store.block_revisions(stored)

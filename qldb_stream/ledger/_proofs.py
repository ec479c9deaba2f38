"""
GetDigest, GetBlock and GetRevision: what proves that something stands in the journal.

Strategy: the Merkle nodes over all blocks are stored (`_merkle`), so a digest or a proof up
to any tip costs O(log n) look-ups. The two trees inside a block are small: entriesHashList,
and the hashes of its revisions (facts 2.7).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from qldb_stream.errors import LedgerAddressError
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import merkle_proof, merkle_root
from qldb_stream.ion import IonSlice, blob_of, iter_elements, load_slice, read_struct, to_slice
from qldb_stream.ledger._damage import damaged, reading
from qldb_stream.ledger._merkle import load_peaks, proof_of, root_of
from qldb_stream.ledger._shapes import block_struct, revision_struct
from qldb_stream.ledger._state import Digest, State
from qldb_stream.ledger._store import Store, StoredBlock, StoredRevision

__all__ = ["BlockResult", "RevisionResult", "read_block", "read_digest", "read_revision"]


@attrs.frozen
class BlockResult:
    """
    A block as GetBlock gives it.

    Attributes:
        block: a struct, fields in the service's order (facts 2.1): the block with its
            revisions in full.
        proof: what leads from `blockHash` to the digest at the tip, 32 bytes each; None
            when no tip was given.
    """

    block: IonSlice
    proof: tuple[bytes, ...] | None = None


@attrs.frozen
class RevisionResult:
    """
    A revision as GetRevision gives it.

    Attributes:
        revision: a struct of blockAddress, hash, data or dataHash, and metadata; a delete
            has neither data nor dataHash (facts 1.4).
        proof: what leads from `hash` to the digest at the tip, 32 bytes each; None when no
            tip was given.
    """

    revision: IonSlice
    proof: tuple[bytes, ...] | None = None


def read_digest(store: Store, state: State, tip: int) -> Digest:
    """
    Give the digest up to a block.

    Raises:
        LedgerAddressError: there is no such block.
    """
    _check_block(tip, state.size)
    with reading(store.path, "the tree over the blocks"):
        root = root_of(load_peaks(tip + 1, store.nodes))
    return Digest(root, BlockAddress(state.strand_id, tip))


def read_block(store: Store, state: State, sequence_no: int, tip: int | None) -> BlockResult:
    """
    Give a block, and its proof up to a tip.

    Raises:
        LedgerAddressError: there is no such block, or the tip is before it or not there.
        LedgerFileError: the file cannot be read, or the block in it is damaged.
    """
    block = _find_block(store, sequence_no, state.size)
    proof = _block_proof(store, state.size, sequence_no, tip)
    revisions = store.block_revisions(block)
    with reading(store.path, f"block {sequence_no}"):
        return BlockResult(block_struct(block, revisions, state.strand_id), proof)


def read_revision(
    store: Store, state: State, sequence_no: int, document_id: str, tip: int | None
) -> RevisionResult:
    """
    Give the revision that a block made of a document, and its proof up to a tip.

    Args:
        store: where it is.
        state: where the journal ends.
        sequence_no: the block's number.
        document_id: the document's.
        tip: the last block of the digest that it is proven against; None for no proof.

    Raises:
        LedgerAddressError: no such block, or nothing of the document in it, or no such tip.
        LedgerFileError: the file cannot be read, or the block in it is damaged.
    """
    block = _find_block(store, sequence_no, state.size)
    revision = _find_revision(store.block_revisions(block), sequence_no, document_id)
    block_proof = _block_proof(store, state.size, sequence_no, tip)
    with reading(store.path, f"document {document_id} of block {sequence_no}"):
        ion = to_slice(revision_struct(revision, block.transaction_id, state.strand_id))
        if block_proof is None:
            return RevisionResult(ion)
        return RevisionResult(ion, (*_proof_in_block(block, document_id), *block_proof))


def _proof_in_block(block: StoredBlock, document_id: str) -> tuple[bytes, ...]:
    """Lead from a revision's hash to its block's; block 0 has no hash before it to add."""
    fields = read_struct(load_slice(block.summary))
    summaries = [read_struct(one) for one in iter_elements(fields["revisionSummaries"])]
    leaves = [blob_of(one["hash"]) for one in summaries]
    entries = [blob_of(entry) for entry in iter_elements(fields["entriesHashList"])]
    names = [one["documentId"].decode() if "documentId" in one else None for one in summaries]
    previous = blob_of(fields["previousBlockHash"])
    return (
        *merkle_proof(leaves, names.index(document_id)),
        *merkle_proof(entries, entries.index(merkle_root(leaves))),
        *([previous] if previous else []),
    )


def _block_proof(
    store: Store, size: int, sequence_no: int, tip: int | None
) -> tuple[bytes, ...] | None:
    if tip is None:
        return None
    _check_block(tip, size)
    if tip < sequence_no:
        problem = f"a digest up to block {tip} does not cover it; take its own number or a later"
        raise LedgerAddressError(sequence_no, problem)
    with reading(store.path, "the tree over the blocks"):
        return proof_of(sequence_no, tip + 1, store.nodes)


def _find_block(store: Store, sequence_no: int, size: int) -> StoredBlock:
    _check_block(sequence_no, size)
    block = store.block(sequence_no)
    if block is None:  # blocks are dense
        raise damaged(store.path, f"block {sequence_no}")
    return block


def _check_block(sequence_no: int, size: int) -> None:
    if not 0 <= sequence_no < size:
        there = f"it has blocks 0 to {size - 1}" if size else "it has no block yet"
        raise LedgerAddressError(sequence_no, f"the ledger has no such block; {there}")


def _find_revision(
    revisions: Sequence[StoredRevision], sequence_no: int, document_id: str
) -> StoredRevision:
    for revision in revisions:
        if revision.document_id == document_id:
            return revision
    problem = f"it has no revision of document {document_id}, but of {len(revisions)} others"
    raise LedgerAddressError(sequence_no, problem)

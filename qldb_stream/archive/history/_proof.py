"""The way from a revision to a digest, by the hashes that an index keeps of the blocks."""

from __future__ import annotations

import attrs

from qldb_stream.archive.history._blocks import ReadBlock
from qldb_stream.archive.history._index import IndexFile
from qldb_stream.archive.history._tree import path_of
from qldb_stream.archive.history._values import HistoryEntry
from qldb_stream.errors import ArchiveIndexError, UsageError
from qldb_stream.events import BlockAddress, BlockSummary
from qldb_stream.formulas import revision_recomputes
from qldb_stream.hashing import fold_proof, merkle_proof, merkle_root
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.report import Outcome

__all__ = ["DocumentProof", "prove"]


@attrs.frozen
class DocumentProof:
    """
    A revision, its block, and what leads from its hash to a digest.

    Attributes:
        entry: the revision with its state, recomputed.
        block: the block, read and checked.
        tip: the last block that the digest covers.
        digest: 32 bytes, as it was given.
        revision_path: from the revision's hash to the block's: siblings among the revisions,
            then among the entries, then previousBlockHash (facts 2.7).
        block_path: from the block's hash to the digest; these come from the index.
    """

    entry: HistoryEntry
    block: ReadBlock
    tip: BlockAddress
    digest: bytes
    revision_path: tuple[bytes, ...]
    block_path: tuple[bytes, ...]

    @property
    def proof(self) -> tuple[bytes, ...]:
        """Give the whole path, as GetRevision's Proof has it."""
        return (*self.revision_path, *self.block_path)

    @property
    def holds(self) -> bool:
        """
        Say whether revision and block are sound, and lead to the digest.

        Metadata and document have the revision's hash, nothing in its block has failed, the
        hash leads to the block's, and that to the digest.
        """
        state = self.entry.state
        is_refuted = Outcome.FAILED in (state.revision, state.block)
        if is_refuted or not revision_recomputes(self.entry.revision):
            return False
        block_hash = self.block.checked.block.block_hash
        leads = fold_proof(self.entry.revision.hash, self.revision_path) == block_hash
        return leads and fold_proof(block_hash, self.block_path) == self.digest


def prove(
    entry: HistoryEntry, block: ReadBlock, leaf: int, digest: SavedDigest, index: IndexFile
) -> DocumentProof:
    """
    Find the path from a revision to a digest.

    Raises:
        UsageError: there is none; the message says why.
        ArchiveIndexError: the index does not have what it should.
    """
    address = block.address
    tip = digest.tip or BlockAddress(address.strand_id, index.last_block(address.strand_id))
    _check_tip(address, tip, index)
    try:
        path = path_of(
            address.sequence_no, tip.sequence_no + 1, lambda n: index.nodes(tip.strand_id, n)
        )
    except UsageError as exc:
        raise ArchiveIndexError(index.name, "it is damaged: nodes of its tree are none") from exc
    inner = _path_in_block(block.checked.block.summary, leaf)
    return DocumentProof(entry, block, tip, digest.digest, inner, path)


def _check_tip(address: BlockAddress, tip: BlockAddress, index: IndexFile) -> None:
    if tip.strand_id != address.strand_id:
        raise UsageError(
            f"the digest is of strand {tip.strand_id}, the document of {address.strand_id}"
        )
    if tip.sequence_no < address.sequence_no:
        raise UsageError(
            f"the digest covers blocks up to {tip.sequence_no}, the revision is in block "
            f"{address.sequence_no}"
        )
    last = index.last_block(tip.strand_id)
    if tip.sequence_no > last:
        raise UsageError(
            f"the digest covers blocks up to {tip.sequence_no}, the archive ends with {last}"
        )
    if not index.has_tree(tip):
        raise UsageError(
            f"the archive does not have all blocks from 0 to {tip.sequence_no}: their digest "
            "cannot be recomputed"
        )


def _path_in_block(summary: BlockSummary, leaf: int) -> tuple[bytes, ...]:
    leaves = [found.hash for found in summary.revision_summaries]
    entries = summary.entries_hash_list
    root = merkle_root(leaves)
    if root not in entries:  # REVISIONS_ROOT has failed, and the entry says so
        raise UsageError("the block does not list its revisions' hash: there is no proof in it")
    previous = summary.previous_block_hash
    return (
        *merkle_proof(leaves, leaf),
        *merkle_proof(entries, entries.index(root)),
        *([previous] if previous else []),
    )

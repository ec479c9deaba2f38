"""
A block and a revision as Ion, and the path between their hashes (facts 2.1 and 2.7).

They are written in the form of exports, whatever they came as. Documents, metadata and what
the block hashes are copied as slices, so that they keep their types; of fields that nobody
knows, and no hash covers, nothing is taken over.
"""

from __future__ import annotations

from qldb_stream.errors import ProofRefusedError, UsageError
from qldb_stream.events import Block, Revision
from qldb_stream.formulas import revision_recomputes
from qldb_stream.hashing import merkle_proof, merkle_root
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.records import revision_fields, summary_fields

__all__ = ["block_ion", "is_bare", "path_in_block", "revision_ion"]


def revision_ion(revision: Revision) -> IonSlice:
    """Write a revision as a struct of blockAddress, hash, data or dataHash, and metadata."""
    return to_slice(revision_fields(revision))


def block_ion(block: Block, revision: Revision, *, only_document: bool = False) -> IonSlice:
    """
    Write a block as a struct, fields in the service's order.

    Args:
        block: a whole one.
        revision: the one of it that is always written in full.
        only_document: write of the others nothing but their hashes, and leave transactionInfo
            and redactionInfo out; their hashes stay in entriesHashList.
    """
    summary = block.summary
    fields = summary_fields(summary)
    if summary.transaction_info is not None and not only_document:
        fields["transactionInfo"] = summary.transaction_info.ion
    if summary.redaction_info is not None and not only_document:
        fields["redactionInfo"] = summary.redaction_info.ion
    fields["revisions"] = [
        {"hash": one.hash}
        if one is not revision and is_bare(one, only_document=only_document)
        else revision_fields(one)
        for one in block.revisions
    ]
    return to_slice(fields)


def is_bare(revision: Revision, *, only_document: bool) -> bool:
    """
    Say whether another revision of the block is written as its hash alone.

    One whose own hash does not recompute (from a JSON export, which lost types) proves nothing.
    """
    return only_document or not revision_recomputes(revision)


def path_in_block(block: Block, revision: Revision) -> tuple[bytes, ...]:
    """
    Give what leads from a revision's hash to its block's, 32 bytes each (facts 2.7).

    Raises:
        ProofRefusedError: the block does not hold the revision's hash as its hashes say.
    """
    summary = block.summary
    leaves = [one.hash for one in block.revisions]
    index = next(i for i, one in enumerate(block.revisions) if one is revision)
    try:
        entry = summary.entries_hash_list.index(merkle_root(leaves))
        return (
            *merkle_proof(leaves, index),
            *merkle_proof(summary.entries_hash_list, entry),
            *([summary.previous_block_hash] if summary.previous_block_hash else ()),
        )
    except (UsageError, ValueError) as exc:
        at = f"block {block.address.strand_id}/{block.address.sequence_no}"
        raise ProofRefusedError(
            "NOT_SOUND", f"{at}: the root of its revisions is not among its entries"
        ) from exc

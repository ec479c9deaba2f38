"""
What GetBlock and GetRevision answered, proven against a digest (facts 2.7 and 7).

The value's own hash is recomputed from the answer's text, so that a proof which fits its stated
hash alone proves nothing.
"""

from __future__ import annotations

import attrs

from qldb_stream.archive.evidence.verify import (
    RefusedError,
    path_length,
    read_ion,
    reads_as_metadata,
)
from qldb_stream.errors import ProofRefusedError
from qldb_stream.events import Block, BlockAddress, Revision, RevisionKind
from qldb_stream.formulas import revision_recomputes
from qldb_stream.hashing import fold_proof
from qldb_stream.ion import IonSlice
from qldb_stream.parsers.answer import Answer
from qldb_stream.verification import Saved, verify_block

__all__ = ["AnsweredProof", "verify_proof"]


@attrs.frozen
class AnsweredProof:
    """A block that GetBlock answered, as `Checks.proofs` takes it."""

    answer: Answer

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""
        return self.answer.address

    def leads_to(self, saved: Saved) -> bool:
        """Say whether it is proven against a digest, its own hashes included."""
        try:
            verify_proof(self.answer, saved)
        except ProofRefusedError:
            return False
        return True


def verify_proof(answer: Answer, saved: Saved) -> None:
    """
    Prove an answer against a digest from elsewhere; return when it holds.

    All hashes of the block, or the revision's, are recomputed from the answer's values. A
    block's number is compared with the length of its proof, where the digest has a tip.

    Raises:
        ProofRefusedError: NOT_SOUND, OTHER_LEDGER, AFTER_TIP or OTHER_DIGEST.
    """
    address = answer.address
    at = f"block {address.strand_id}/{address.sequence_no}"
    if answer.proof is None:
        raise ProofRefusedError("NOT_SOUND", "the answer has no Proof: ask with DigestTipAddress")
    if saved.tip is not None:
        _check_tip(address, saved.tip)
    leaf = _check_block(answer.block, at) if answer.block else _check_revision(answer, at)
    if answer.block and saved.tip is not None:
        expected = path_length(address.sequence_no, saved.tip.sequence_no + 1)
        if len(answer.proof) != expected:
            raise ProofRefusedError(
                "OTHER_DIGEST",
                f"{at}: its proof has {len(answer.proof)} hashes, and up to block "
                f"{saved.tip.sequence_no} it takes {expected}",
            )
    if fold_proof(leaf, answer.proof) != saved.digest:
        raise ProofRefusedError(
            "OTHER_DIGEST", f"{at}: its proof does not lead to the digest given"
        )


def _check_tip(address: BlockAddress, tip: BlockAddress) -> None:
    if address.strand_id != tip.strand_id:
        raise ProofRefusedError(
            "OTHER_LEDGER",
            f"the digest is of strand {tip.strand_id}, the answer of {address.strand_id}",
        )
    if address.sequence_no > tip.sequence_no:
        raise ProofRefusedError(
            "AFTER_TIP",
            f"the answer is of block {address.sequence_no}, and the digest covers blocks up to "
            f"{tip.sequence_no}",
        )


def _check_block(block: Block, at: str) -> bytes:
    problems = verify_block(block).problems
    if problems:
        first = problems[0]
        raise ProofRefusedError("NOT_SOUND", f"{at} does not verify: {first.code}, {first.message}")
    return block.block_hash


def _check_revision(answer: Answer, at: str) -> bytes:
    revision = answer.revision
    assert revision is not None, "an answer is of a block or of a revision"
    if not revision_recomputes(revision):
        raise ProofRefusedError(
            "NOT_SOUND", f"{at}: the revision's hash is not that of its metadata and data"
        )
    _check_halves(revision, at)
    return revision.hash


def _check_halves(revision: Revision, at: str) -> None:
    """
    Refuse what could be made of another revision.

    A revision's hash joins two, whichever comes first. So metadata alone may be half of one whose
    document was left out, the document's hash being the first of the proof then; and metadata and
    a document of the very same fields may have changed places.
    """
    metadata = revision.metadata
    assert metadata is not None, "a revision that recomputes has metadata"
    if revision.kind is RevisionKind.DELETE and metadata.ion.hash() == revision.hash:
        raise ProofRefusedError(
            "NOT_SOUND",
            f"{at}: by its revision alone a delete cannot be told from one whose data was left "
            "out; GetBlock's answer has the statements that tell",
        )
    if revision.data_ion is not None and _reads_as_metadata(revision.data_ion):
        raise ProofRefusedError(
            "NOT_SOUND",
            f"{at}: a document with the very fields of metadata cannot be told from them",
        )


def _reads_as_metadata(value: IonSlice) -> bool:
    try:
        return reads_as_metadata(read_ion(value.to_bytes()))
    except RefusedError:  # what is read there is less than what this package reads
        return False

"""
A revision whose block and path are at hand already, so that no archive is read as a whole.

They come from GetBlock's answer, or from an index over an archive; whichever, they are believed
only as far as they lead to the digest.
"""

from __future__ import annotations

from qldb_stream.archive.evidence._answers import verify_proof
from qldb_stream.archive.evidence._rebuilt import as_rebuilt
from qldb_stream.archive.evidence._search import FoundRevision, check_found, check_verified
from qldb_stream.errors import ProofRefusedError, UsageError
from qldb_stream.events import Revision
from qldb_stream.parsers.answer import Answer
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.pipeline import CheckedBlock

__all__ = ["find_in_answer", "found_at"]


def find_in_answer(
    answer: Answer, document_id: str, saved: SavedDigest, *, version: int | None = None
) -> FoundRevision:
    """
    Find a document's revision in GetBlock's answer, and prove it against a digest.

    Raises:
        ProofRefusedError: it is not there, or the answer does not hold.
        UsageError: the answer is GetRevision's, or the digest has no tip.
    """
    if answer.block is None or answer.proof is None or saved.tip is None:
        raise UsageError(
            "a bundle is made of GetBlock's answer with a Proof, and of a digest with its tip; "
            "GetRevision's answer can be proven, and has no block"
        )
    verify_proof(answer, saved)
    for revision in answer.block.revisions:
        metadata = revision.metadata
        if metadata is None or metadata.id != document_id:
            continue
        if version is None or metadata.version == version:
            found = FoundRevision(answer.block, revision, answer.proof, saved.digest, saved.tip)
            check_found(found)
            return found
    what = f"document {document_id}" + ("" if version is None else f" in version {version}")
    raise ProofRefusedError("UNKNOWN_DOCUMENT", f"the block has no revision of {what}")


def found_at(
    checked: CheckedBlock, revision: Revision, block_path: tuple[bytes, ...], saved: SavedDigest
) -> FoundRevision:
    """
    Take a revision with its block and path, and check that they lead to a digest.

    Args:
        checked: the block, read from its source and verified.
        revision: one of the block's.
        block_path: what should lead from the block's hash to the digest, 32 bytes each.
        saved: a digest with its tip.

    Raises:
        ProofRefusedError: NOT_SOUND or OTHER_DIGEST.
        UsageError: the digest has no tip.
    """
    if saved.tip is None:
        raise UsageError("a bundle is for a digest with its tip")
    check_verified(checked, revision)
    block, revision, rebuilt = as_rebuilt(checked.block, revision)
    found = FoundRevision(block, revision, block_path, saved.digest, saved.tip, rebuilt=rebuilt)
    check_found(found)
    return found

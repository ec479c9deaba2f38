"""A revision in GetBlock's answer: block and path are there, and no archive is read."""

from __future__ import annotations

from qldb_stream.archive.evidence._answers import Answer, verify_proof
from qldb_stream.archive.evidence._search import FoundRevision, check_found
from qldb_stream.errors import ProofRefusedError, UsageError
from qldb_stream.parsers.digest import SavedDigest

__all__ = ["find_in_answer"]


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

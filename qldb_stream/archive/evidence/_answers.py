"""
What GetBlock and GetRevision answered, proven against a digest (facts 2.7 and 7).

The service's JSON has the value and its proof as Ion text. The value's own hash is recomputed
from that text, so that a proof which fits its stated hash alone proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from qldb_stream.archive.evidence.verify import (
    RefusedError,
    path_length,
    read_ion,
    reads_as_metadata,
)
from qldb_stream.errors import AnswerError, DecodeError, ProofRefusedError
from qldb_stream.events import Block, BlockAddress, Revision, RevisionKind
from qldb_stream.formulas import revision_recomputes
from qldb_stream.hashing import DIGEST_BYTES, fold_proof
from qldb_stream.ion import IonSlice, blob_of, iter_elements, iter_text
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.parsers.parts import struct_fields
from qldb_stream.parsers.revision import parse_revision
from qldb_stream.verification import verify_block

__all__ = ["MAX_ANSWER_BYTES", "Answer", "parse_answer", "verify_proof"]

MAX_ANSWER_BYTES: Final = 1 << 26
"""A block holds 4 MB of documents at most (facts 5.8); as text, escaped, a few times that."""

# 2**64 blocks there never were, and a block's own trees are as high as their leaves are many.
_MAX_PROOF: Final = 256


@attrs.frozen
class Answer:
    """
    An answer of GetBlock or of GetRevision.

    Attributes:
        block: of GetBlock; None else.
        revision: of GetRevision; None else.
        proof: 32 bytes each; None where no tip was asked with.
    """

    block: Block | None
    revision: Revision | None
    proof: tuple[bytes, ...] | None

    @property
    def address(self) -> BlockAddress:
        """Give the address of the block, or of the revision's block as it says it."""
        held = self.block or self.revision
        assert held is not None, "an answer is of a block or of a revision"
        return held.address

    def as_json(self) -> dict[str, Any]:
        """Give what `prove --answer --json` prints of it."""
        revision = self.revision
        metadata = None if revision is None else revision.metadata
        return {
            "what": "block" if revision is None else "revision",
            "strand_id": self.address.strand_id,
            "sequence_no": self.address.sequence_no,
            "document_id": None if metadata is None else metadata.id,
            "revision_version": None if metadata is None else metadata.version,
        }


def parse_answer(data: bytes) -> Answer:
    """
    Read what GetBlock or GetRevision answered.

    Args:
        data: JSON as the service or the AWS CLI gave it: `Block` or `Revision`, and `Proof`, each
            with `IonText`.

    Raises:
        AnswerError: it is none of both, or too long.
        DecodeError: its Ion is not sound, or is no block or revision.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise AnswerError(f"at most {MAX_ANSWER_BYTES} bytes", f"{len(data)} bytes")
    members = _read_json(data)
    proof = None if members.get("Proof") is None else _read_proof(_one(members, "Proof"))
    if ("Block" in members) == ("Revision" in members):
        raise AnswerError("`Block` or `Revision`", "both or neither")
    if "Block" in members:
        return Answer(parse_block(_one(members, "Block")), None, proof)
    value = _one(members, "Revision")
    fields = struct_fields(value.buf, (value.start, value.end), value.symbols, "revision")
    return Answer(None, parse_revision(value.buf, fields, value.symbols, "revision"), proof)


def verify_proof(answer: Answer, saved: SavedDigest) -> None:
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


def _read_json(data: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise AnswerError("JSON", "something else, or a member twice") from exc
    if not isinstance(members, dict):
        raise AnswerError("a JSON object", "another value")
    return members


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _one(members: Mapping[str, Any], name: str) -> IonSlice:
    """Read the one Ion value of a member's IonText."""
    holder = members[name]
    text = holder.get("IonText") if isinstance(holder, dict) else None
    if not isinstance(text, str):
        raise AnswerError(f"`IonText` in `{name}`", "another value")
    values = list(iter_text(text))
    if len(values) != 1:
        raise AnswerError(f"one Ion value in `{name}`", f"{len(values)}")
    return values[0]


def _read_proof(value: IonSlice) -> tuple[bytes, ...]:
    try:
        proof = tuple(blob_of(one) for one in iter_elements(value))
    except DecodeError as exc:
        raise AnswerError("a list of blobs in `Proof`", "another value") from exc
    if len(proof) > _MAX_PROOF or any(len(one) != DIGEST_BYTES for one in proof):
        raise AnswerError(f"at most {_MAX_PROOF} hashes of 32 bytes in `Proof`", "others")
    return proof

"""
What GetBlock and GetRevision answered, as JSON with Ion text in it (facts 7).

The value and its proof are texts of Ion in `IonText`. A GetBlock answer is a block like that of an
export; a revision alone is none. What a proof proves, `archive.evidence` says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from qldb_stream.errors import AnswerError, DecodeError
from qldb_stream.events import Block, BlockAddress, Revision
from qldb_stream.ion import IonSlice, blob_of, iter_elements, iter_text
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.parts import struct_fields
from qldb_stream.parsers.revision import parse_revision

__all__ = ["MAX_ANSWER_BYTES", "Answer", "is_answer", "parse_answer"]

MAX_ANSWER_BYTES: Final = 1 << 26
"""A block holds 4 MB of documents at most (facts 5.8); as text, escaped, a few times that."""

_DIGEST_BYTES: Final = 32
# 2**64 blocks there never were, and a block's own trees are as high as their leaves are many.
_MAX_PROOF: Final = 256


_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+\{\s*+\"(?:Block|Revision|Proof|ResponseMetadata)\"\s*+:"
)


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


def is_answer(data: bytes) -> bool:
    """Say whether data begins as such an answer does; whoever reads it finds whether it is one."""
    return _START.match(data) is not None


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
    if len(proof) > _MAX_PROOF or any(len(one) != _DIGEST_BYTES for one in proof):
        raise AnswerError(f"at most {_MAX_PROOF} hashes of 32 bytes in `Proof`", "others")
    return proof

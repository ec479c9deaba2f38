"""Digests that were saved, and proofs that are built on them or read against them."""

from __future__ import annotations

import attrs

from qldb_stream.errors._decode import DecodeError
from qldb_stream.errors._root import QldbStreamError

__all__ = ["AnswerError", "ProofRefusedError", "SavedDigestError"]


@attrs.frozen
class SavedDigestError(DecodeError):
    """What should be a digest that was saved, and cannot be read as one."""

    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"saved digest: expected {self.expected}, found {self.found}; give what the QLDB "
            "console saved, GetDigest's answer, or BASE64@STRAND:N"
        )


@attrs.frozen
class AnswerError(DecodeError):
    """What should be GetBlock's or GetRevision's answer, and cannot be read as one."""

    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"answer of GetBlock or GetRevision: expected {self.expected}, found {self.found}; "
            "give the JSON that the service, or its command line, answered"
        )


@attrs.frozen
class ProofRefusedError(QldbStreamError):
    """
    A proof that cannot be given, or does not hold.

    `code` is stable, for programs: UNKNOWN_DOCUMENT, UNKNOWN_VERSION, AFTER_TIP, OTHER_LEDGER,
    OTHER_DIGEST, TIP_BEYOND, STARTS_LATER, NOT_WHOLE, NOT_SOUND.
    """

    code: str
    problem: str

    def __str__(self) -> str:
        return f"no proof: {self.problem}"

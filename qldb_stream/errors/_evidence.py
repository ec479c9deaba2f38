"""Digests that were saved, and proofs that are built on them or read against them."""

from __future__ import annotations

import attrs

from qldb_stream.errors._decode import DecodeError

__all__ = ["SavedDigestError"]


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

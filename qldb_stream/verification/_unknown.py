"""
Tell fields that are new from fields that are damaged.

Fields that the facts do not know break nothing: the service may have added some. But
an optional part whose name lost one bit would vanish without any hash noticing, so
an unknown name that is one bit away from a known one is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.report import Check, Outcome, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["check_unknown_fields"]

# The parts that a summary or a revision may lack (facts 1.3, 1.4, 2.1).
_OPTIONAL: Final = (
    b"transactionInfo",
    b"redactionInfo",
    b"revisionSummaries",
    b"revisions",
    b"data",
    b"dataHash",
    b"metadata",
    b"tableInfo",
    b"documentId",
)


def check_unknown_fields(names: Iterable[str], document_id: str | None = None) -> Iterator[Check]:
    """
    Check the names of fields that no reader knew.

    Args:
        names: of a summary's or a revision's unknown fields.
        document_id: the revision's, None for a summary.

    Yields:
        A failed MISMATCH for each name that is a known one but for one bit.
    """
    detail = "the name of an unknown field is one bit away from a known one"
    for name in names:
        known = _maybe_neighbour(name.encode())
        if known is not None:
            yield Check(ProblemCode.MISMATCH, Outcome.FAILED, detail, document_id, known)


def _maybe_neighbour(name: bytes) -> str | None:
    for known in _OPTIONAL:
        if len(name) == len(known):
            different = int.from_bytes(name, "big") ^ int.from_bytes(known, "big")
            if different.bit_count() == 1:
                return known.decode()
    return None

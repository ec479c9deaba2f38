"""A journal that is not whole or not unaltered."""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors._root import QldbStreamError

__all__ = [
    "BacklogError",
    "ChainBreakError",
    "ConflictError",
    "HashMismatchError",
    "IncompleteBlockError",
    "IntegrityError",
    "SequenceGapError",
]


class IntegrityError(QldbStreamError):
    """The journal contradicts itself; nothing after it may be delivered."""


@attrs.frozen
class HashMismatchError(IntegrityError):
    """A hash that was recomputed is not the one that is stored."""

    strand_id: str
    sequence_no: int
    check: str
    document_id: str | None = None

    def __str__(self) -> str:
        document = f", document {self.document_id}" if self.document_id else ""
        return (
            f"block {self.strand_id}/{self.sequence_no}{document}: {self.check} failed; "
            "run `qldb-stream verify` on the source to see every check"
        )


@attrs.frozen
class ChainBreakError(IntegrityError):
    """A block whose previousBlockHash is not its predecessor's blockHash."""

    strand_id: str
    sequence_no: int
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"block {self.strand_id}/{self.sequence_no}: previousBlockHash is {self.found}, "
            f"the block before has blockHash {self.expected}"
        )


@attrs.frozen
class SequenceGapError(IntegrityError):
    """Blocks that are missing from a strand, first to last, both included."""

    strand_id: str
    first: int
    last: int | None = None

    def __str__(self) -> str:
        until = "on" if self.last is None else f"to {self.last}"
        many, one = f"blocks from {self.first} {until} are", f"block {self.first} is"
        missing = one if self.first == self.last else many
        return (
            f"strand {self.strand_id}: {missing} missing; add the source that holds what is "
            "missing, or declare the gap when you replay (--accept-gap)"
        )


@attrs.frozen
class ConflictError(IntegrityError):
    """Two different blocks or revisions that claim one address."""

    strand_id: str
    sequence_no: int
    difference: str
    document_id: str | None = None

    def __str__(self) -> str:
        document = f", document {self.document_id}" if self.document_id else ""
        return (
            f"block {self.strand_id}/{self.sequence_no}{document}: two copies differ in "
            f"{self.difference}; find out which source is genuine and leave out the other"
        )


@attrs.frozen
class IncompleteBlockError(IntegrityError):
    """
    A block that lacks its summary, or revisions that its summary names.

    `unclaimed` are revisions that claim the block and are in no summary of it. Where only these
    are told, nothing of the block itself is `missing`.
    """

    strand_id: str
    sequence_no: int
    missing: tuple[str, ...]
    unclaimed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.missing:
            return (
                f"block {self.strand_id}/{self.sequence_no}: revisions that its summary does not "
                f"list: {_some(self.unclaimed)}; they were left out: find out which source is "
                "genuine"
            )
        spare = f"; revisions that fit no summary: {_some(self.unclaimed)}"
        missing = _some(self.missing) + (spare if self.unclaimed else "")
        return (
            f"block {self.strand_id}/{self.sequence_no}: missing {missing}; "
            "add the source that holds the missing records"
        )


@attrs.frozen
class BacklogError(IntegrityError):
    """More is waiting for a missing part than the limit allows."""

    limit: int
    unit: str
    waits_for: str

    def __str__(self) -> str:
        return (
            f"more than {self.limit} {self.unit} wait for {self.waits_for}; "
            "deliver that, raise the limit, or read the input as a bounded source"
        )


_SHOWN: Final = 3  # names in a message; more would bury it


def _some(names: tuple[str, ...]) -> str:
    """Name the first few, then count the rest."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")

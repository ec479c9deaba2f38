"""How far a sink has come in a strand."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qldb_stream.events import Block


@attrs.frozen
class Gap:
    """
    Blocks that a sink does without, first to last, both included.

    Their owner declared them missing; or, where `is_skipped`, gave up a block that the sink had
    refused, though the source has it.
    """

    first: int
    last: int
    reason: str
    is_skipped: bool = False

    def as_json(self) -> dict[str, Any]:
        """Give the object that stores and reports keep a gap as."""
        entry: dict[str, Any] = {"first": self.first, "last": self.last, "reason": self.reason}
        return entry | {"skipped": True} if self.is_skipped else entry

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Gap:
        """
        Read what `as_json` gave; other keys are passed over.

        Raises:
            KeyError: it is something else.
        """
        is_skipped = bool(entry.get("skipped", False))
        return cls(int(entry["first"]), int(entry["last"]), str(entry["reason"]), is_skipped)


def iter_outside(
    first: int, last: int, runs: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Iterate over the parts of a run of numbers that none of others holds; ends included."""
    for start, end in sorted(runs):
        if start > last:
            break
        if first < start:
            yield first, start - 1
        first = max(first, end + 1)
    if first <= last:
        yield first, last


@attrs.frozen
class Position:
    """
    Every block up to `sequence_no` is applied, `parked` and `gaps` apart.

    `block_hash` is the hash of block `sequence_no`, 32 bytes; it links the next block.
    `start` is the first block that was applied: what is older was never there. None is
    unknown, as in files of before it was kept; it is no part of equality, since it says
    nothing of how far a sink has come.
    """

    strand_id: str
    sequence_no: int
    block_hash: bytes
    parked: frozenset[int] = frozenset()
    gaps: tuple[Gap, ...] = ()
    start: int | None = attrs.field(default=None, eq=False)

    def at(self, block: Block, crossed: tuple[Gap, ...] = ()) -> Position:
        """Give the same position, moved to an applied block of the strand, across more gaps."""
        return Position(
            self.strand_id,
            block.address.sequence_no,
            block.block_hash,
            self.parked,
            self.gaps + crossed,
            self.start,
        )

    def pending(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """Give the blocks that are not applied here: later ones, and those that are parked."""
        last, parked = self.sequence_no, self.parked
        if not parked:
            return tuple([b for b in blocks if b.address.sequence_no > last])
        return tuple([b for b in blocks if (n := b.address.sequence_no) > last or n in parked])

    def covers(self, other: Position) -> bool:
        """Say whether everything that another position calls applied is applied here."""
        if other.sequence_no > self.sequence_no:
            return False
        return all(n > other.sequence_no or n in other.parked for n in self.parked)

    def as_json(self) -> dict[str, Any]:
        """Give the object that stores and reports keep a position as."""
        entry = {
            "strandId": self.strand_id,
            "sequenceNo": self.sequence_no,
            "blockHash": base64.b64encode(self.block_hash).decode(),
            "parked": sorted(self.parked),
            "gaps": [gap.as_json() for gap in self.gaps],
        }
        return entry if self.start is None else entry | {"start": self.start}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Position:
        """
        Read what `as_json` gave; other keys are passed over.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        return cls(
            entry["strandId"],
            entry["sequenceNo"],
            base64.b64decode(entry["blockHash"]),
            frozenset(entry["parked"]),
            tuple(map(Gap.from_json, entry["gaps"])),
            entry.get("start"),
        )

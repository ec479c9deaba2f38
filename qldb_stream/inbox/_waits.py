"""What each registered sink waits for in each strand, whatever store says what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import NEED_MORE, Undecodable
from qldb_stream.report import Position, SinkWait, WaitingStrand, WaitState
from qldb_stream.typing import Item

__all__ = ["Stored", "iter_waits"]


class Stored(Protocol):
    """What is stored of strands."""

    def lowest_after(self, strand_id: str, number: int) -> int | None:
        """Give the lowest stored number above one; None when there is none."""

    def arrival_s(self, strand_id: str, number: int) -> float | None:
        """Say when the first record of a stored block came; None for one that is not there."""

    def block(self, strand_id: str, number: int) -> Sequence[Item]:
        """Give a block's records."""


def iter_waits(
    stored: Stored,
    sinks: Sequence[str],
    strands: Sequence[WaitingStrand],
    positions: Sequence[tuple[str, Position]],
) -> Iterator[SinkWait]:
    """Iterate over what each sink waits for, by strand and sink."""
    known = {(sink, position.strand_id): position for sink, position in positions}
    for strand in strands:
        reached = {sink: known.get((sink, strand.strand_id)) for sink in sinks}
        for sink in sinks:
            holds = _held_back(sink, reached, strand)
            yield _wait(stored, sink, strand, reached[sink], holds)


def _held_back(
    sink: str, reached: Mapping[str, Position | None], strand: WaitingStrand
) -> tuple[int, int] | None:
    """Give the stored numbers that every other sink has, and this one has not."""
    if strand.first is None or strand.last is None:
        return None
    own = reached[sink]
    first = strand.first if own is None else max(strand.first, own.sequence_no + 1)
    others = [-1 if p is None else p.sequence_no for other, p in reached.items() if other != sink]
    last = min([strand.last, *others])
    return (first, last) if first <= last else None


def _wait(
    stored: Stored,
    sink: str,
    strand: WaitingStrand,
    position: Position | None,
    holds: tuple[int, int] | None,
) -> SinkWait:
    strand_id, last = strand.strand_id, strand.last
    had = -1 if position is None else position.sequence_no
    lowest = stored.lowest_after(strand_id, had)
    since_s = None if lowest is None else stored.arrival_s(strand_id, lowest)
    next_no = None if position is None else _next_number(position)
    state = WaitState.NOTHING
    if next_no is None:
        state = WaitState.UNKNOWN
    elif lowest is not None:
        state = _state(stored.block(strand_id, next_no))
    begin = lowest if next_no is None else next_no
    behind = 0 if last is None or begin is None else max(0, last - begin + 1)
    return SinkWait(sink, strand_id, next_no, state, behind, since_s, holds)


def _next_number(position: Position) -> int:
    number = position.sequence_no + 1
    for gap in sorted(position.gaps, key=lambda gap: gap.first):
        if gap.first <= number <= gap.last:
            number = gap.last + 1
    return number


def _state(items: Sequence[Item]) -> WaitState:
    if not items:
        return WaitState.MISSING
    assembler = BlockAssembler(limit=len(items))
    for item in items:
        if not isinstance(item, Undecodable):
            assembler.feed(item)
    return WaitState.INCOMPLETE if assembler.next_block() is NEED_MORE else WaitState.READY

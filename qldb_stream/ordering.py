"""
Puts whole blocks in strand order: numbers rise by exactly one, declared gaps apart.

Strategy: each strand knows the number it must give next and holds the blocks that came
too early, by number; so feeding and asking cost the same whatever waits. Strands do not
wait for each other.

Rules (law 2):

- a hole stops its strand until it is filled; `close` names what is missing. Where the
  input is known to be sorted (`sorted_input`), a number that was passed cannot come any
  more: holes are noted and passed, and nothing waits;
- copies of a block are equal when their values are, `stream_arn` aside, and fall out; of
  a full and a redacted copy of a revision, with H(data) = dataHash, the redacted one
  stays. Two blocks that differ otherwise are a `ConflictError`, never a silent choice;
- of blocks given out, the last `limit` numbers of a strand are remembered to compare
  copies with, by hashes, ids and times. Copies of older ones and of blocks before the
  start fall out unseen;
- what waits is bounded by `limit`, for all strands together.

This module must not know where blocks come from, nor verify them.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import attrs

from qldb_stream.errors import (
    BacklogError,
    ConflictError,
    DecodeError,
    SequenceGapError,
    UsageError,
)
from qldb_stream.events import NEED_MORE, Block, BlockAddress, BlockSummary, Need, Revision
from qldb_stream.report import Gap, iter_outside

__all__ = ["EARLIEST", "Earliest", "Sequencer", "check_numbers"]


class Earliest(enum.Enum):
    """The start of whoever wants everything there is."""

    EARLIEST = "earliest"


EARLIEST: Final[Literal[Earliest.EARLIEST]] = Earliest.EARLIEST
"""Start with the lowest number that comes; nothing is given out before `close`."""

_NO_GAPS: Final[Mapping[str, Sequence[Gap]]] = MappingProxyType({})


@attrs.define
class _Strand:
    """
    One strand: `next` is the number to give out, None before an EARLIEST is known.

    `fed` is the number that sorted input feeds next. `given` are fingerprints of the
    numbers given out last; `holes` were passed.
    """

    next: int | None
    gaps: tuple[Gap, ...]
    fed: int = 0
    waiting: dict[int, Block] = attrs.field(factory=dict)
    given: dict[int, int] = attrs.field(factory=dict)
    holes: list[tuple[int, int]] = attrs.field(factory=list)
    is_queued: bool = False

    def pop_next(self) -> Block | None:
        """Take the block that comes next, if it is there."""
        return None if self.next is None else self.waiting.pop(self.next, None)

    def step_to(self, number: int) -> None:
        """Expect a number, or the first one after the declared gap it is in."""
        for gap in self.gaps:
            if gap.first <= number <= gap.last:
                number = gap.last + 1
        self.next = number

    def iter_missing(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Iterate over the parts of a range that no gap declares."""
        return iter_outside(first, last, [(gap.first, gap.last) for gap in self.gaps])


class Sequencer:
    """
    Feed it whole blocks in any order, ask it for blocks in strand order.

    Args:
        start: the number to start with; for all strands, by strand, or EARLIEST.
        limit: how many blocks may wait, and how many given out are remembered.
        gaps: declared gaps by strand; their numbers are passed over.
        sorted_input: whether the blocks of each strand come by rising number. Then blocks
            are given out at once, also with EARLIEST, and holes are passed.

    Raises:
        UsageError: a number is negative, or a gap ends before it begins.
    """

    def __init__(
        self,
        start: int | Earliest | Mapping[str, int],
        *,
        limit: int = 10_000,
        gaps: Mapping[str, Sequence[Gap]] = _NO_GAPS,
        sorted_input: bool = False,
    ) -> None:
        check_numbers(start, gaps)
        self._start = start
        self._limit = limit
        self._gaps = gaps
        self._sorted = sorted_input
        self._strands: dict[str, _Strand] = {}
        self._queue: deque[_Strand] = deque()
        self._waiting = 0
        self._is_closed = False

    def expect(self, strand_id: str) -> int | None:
        """Give the number that a strand must give next; None while nothing says it."""
        strand = self._strands.get(strand_id)
        return self._first_number(strand_id) if strand is None else strand.next

    def feed(self, block: Block) -> None:
        """
        Store a block; copies fall out.

        Raises:
            ConflictError: another block has this address; the first one stays.
            BacklogError: too many blocks wait; this one was not stored.
            UsageError: the block's strand has no start, its number was declared missing
                and is not before the start, the input is not sorted though that was
                said, or `close` was called; the block was not stored.
        """
        if self._is_closed:
            raise UsageError("a block was fed after close")
        strand_id, number = block.address.strand_id, block.address.sequence_no
        strand = self._strands.get(strand_id) or self._open(strand_id, number)
        for gap in strand.gaps:
            if gap.first <= number <= gap.last and number >= (self._first_number(strand_id) or 0):
                raise UsageError(
                    f"block {strand_id}/{number} is here, but was declared missing "
                    f"({gap.reason}); narrow the gap"
                )
        if strand.next is not None and number < strand.next:
            self._pass_late(strand, block)
        elif number in strand.waiting:
            strand.waiting[number] = _merge(strand.waiting[number], block)
        else:
            self._store(strand, block)

    def pass_over(self, address: BlockAddress) -> None:
        """
        Take note that the blocks of sorted input up to an address went by in order elsewhere.

        They follow those that were fed; none of these waits, and no gap is declared in the strand.
        """
        strand = self._strands[address.strand_id]
        assert not strand.waiting, "what was fed is asked for first"
        assert not strand.gaps, "blocks in a declared gap are to be refused"
        strand.next = strand.fed = address.sequence_no + 1

    def next_block(self) -> Block | Need:
        """Give the next block of a strand that has one, or NEED_MORE."""
        while self._queue:
            strand = self._queue[0]
            block = strand.pop_next()
            if block is None and self._sorted and strand.waiting:
                strand.next = next(iter(strand.waiting))
                block = strand.pop_next()
            if block is not None:
                self._waiting -= 1
                self._note_given(strand, block)
                return block
            strand.is_queued = False
            self._queue.popleft()
        return NEED_MORE

    def close(self) -> tuple[SequenceGapError, ...]:
        """
        Take note that nothing more comes; then ask for the blocks that remain.

        Returns:
            The holes, by strand and number, those passed over included. Blocks behind a
            hole are not given out, unless the input was sorted.
        """
        self._is_closed = True
        errors: list[SequenceGapError] = []
        for strand_id, strand in sorted(self._strands.items()):
            if strand.next is None and strand.waiting:
                strand.step_to(min(strand.waiting))
            self._enqueue(strand)
            holes = strand.holes if self._sorted else _holes(strand)
            errors += [SequenceGapError(strand_id, first, last) for first, last in holes]
        return tuple(errors)

    def _first_number(self, strand_id: str) -> int | None:
        if isinstance(self._start, Mapping):
            return self._start.get(strand_id)
        return None if isinstance(self._start, Earliest) else self._start

    def _open(self, strand_id: str, number: int) -> _Strand:
        first = self._first_number(strand_id)
        if first is None and not isinstance(self._start, Earliest):
            raise UsageError(f"strand {strand_id} has no start; the lowest number seen is {number}")
        if first is None and self._sorted:
            first = number
        gaps = sorted(self._gaps.get(strand_id, ()), key=lambda gap: gap.first)
        strand = _Strand(None, tuple(gaps))
        if first is not None:
            strand.step_to(first)
            strand.fed = first
        self._strands[strand_id] = strand
        return strand

    def _store(self, strand: _Strand, block: Block) -> None:
        strand_id, number = block.address.strand_id, block.address.sequence_no
        is_next = number == strand.next or self._sorted
        if not is_next and self._waiting >= self._limit:
            raise BacklogError(self._limit, "blocks", _waits_for(strand_id, strand))
        if self._sorted:
            self._note_fed(strand, block)
        strand.waiting[number] = block
        self._waiting += 1
        if is_next:
            self._enqueue(strand)

    def _note_fed(self, strand: _Strand, block: Block) -> None:
        """Note the hole before a block of sorted input."""
        number = block.address.sequence_no
        if number < strand.fed:
            raise UsageError(
                f"block {block.address.strand_id}/{number} comes after later ones, "
                "though the input was said to be sorted"
            )
        strand.holes += strand.iter_missing(strand.fed, number - 1)
        strand.fed = number + 1

    def _enqueue(self, strand: _Strand) -> None:
        if not strand.is_queued:
            strand.is_queued = True
            self._queue.append(strand)

    def _pass_late(self, strand: _Strand, block: Block) -> None:
        """Compare a block with the one that was given out in its place, if there was one."""
        number = block.address.sequence_no
        given = strand.given.get(number)
        if given is not None and given != _fingerprint(block):
            raise ConflictError(
                block.address.strand_id, number, "hashes, ids or times of one given out before"
            )
        if given is None and any(first <= number <= last for first, last in strand.holes):
            self._note_fed(strand, block)

    def _note_given(self, strand: _Strand, block: Block) -> None:
        number = block.address.sequence_no
        strand.given[number] = _fingerprint(block)
        if len(strand.given) > self._limit:
            del strand.given[next(iter(strand.given))]
        strand.step_to(number + 1)


def check_numbers(
    start: int | Earliest | Mapping[str, int] | None, gaps: Mapping[str, Sequence[Gap]]
) -> None:
    """
    Check where strands are to start and what is declared missing.

    Raises:
        UsageError: a number is negative, or a gap ends before it begins.
    """
    starts = start.values() if isinstance(start, Mapping) else [start]
    if any(isinstance(number, int) and number < 0 for number in starts):
        raise UsageError("a strand starts at block 0 or later")
    for strand_id, declared in gaps.items():
        for gap in declared:
            if not 0 <= gap.first <= gap.last:
                raise UsageError(f"strand {strand_id}: a gap from {gap.first} to {gap.last}")


def _waits_for(strand_id: str, strand: _Strand) -> str:
    if strand.next is None:
        return "the end of the input, because the start is EARLIEST"
    if strand.next in strand.waiting:
        return "being asked for"
    return f"block {strand_id}/{strand.next}"


def _holes(strand: _Strand) -> Iterator[tuple[int, int]]:
    """Iterate over what is missing before and between the blocks that wait."""
    expected = strand.next
    for number in sorted(strand.waiting):
        assert expected is not None
        if expected < number:
            yield from strand.iter_missing(expected, number - 1)
        expected = number + 1


# --- copies --------------------------------------------------------------------------------


def _fingerprint(block: Block) -> int:
    """Tell blocks apart that were given out: all plain values but the stream's name."""
    summary = block.summary
    return hash(
        (
            summary.block_hash,
            summary.entries_hash,
            summary.previous_block_hash,
            summary.entries_hash_list,
            summary.transaction_id,
            summary.block_timestamp,
            summary.revision_summaries,
            tuple([(found.hash, found.document_id) for found in block.revisions]),
        )
    )


def _merge(first: Block, second: Block) -> Block:
    """
    Make one block of two copies.

    Raises:
        ConflictError: they are no copies.
    """
    try:
        difference = _difference(first, second)
        if difference is None:
            pairs = zip(first.revisions, second.revisions, strict=True)
            revisions = tuple([a if a.data_ion is None else b for a, b in pairs])
            return attrs.evolve(first, revisions=revisions)
    except DecodeError:
        difference = ("bytes that do not decode", None)
    address = first.address
    raise ConflictError(address.strand_id, address.sequence_no, *difference)


def _difference(first: Block, second: Block) -> tuple[str, str | None] | None:
    """Name the first field that differs, and its document; None for copies."""
    field = _differing_field(first.summary, second.summary, "stream_arn")
    if field is not None:
        return field, None
    if len(first.revisions) != len(second.revisions):
        return "the number of revisions", None
    for a, b in zip(first.revisions, second.revisions, strict=True):
        field = _differing_field(a, b)
        if field is not None and not _are_redacted_and_full(a, b):
            return field, a.document_id
    return None


def _differing_field(
    first: BlockSummary | Revision, second: BlockSummary | Revision, *aside: str
) -> str | None:
    for field in attrs.fields(type(first)):
        name: str = field.name
        if name not in aside and getattr(first, name) != getattr(second, name):
            return name
    return None


def _are_redacted_and_full(a: Revision, b: Revision) -> bool:
    """Say whether one is the other after redaction: equal, but for dataHash = H(data)."""
    if a.data_ion is not None:
        a, b = b, a
    if a.data_ion is not None or b.data_ion is None or a.data_hash is None:
        return False
    redacted = attrs.evolve(b, data_ion=None, data_hash=a.data_hash)
    return a == redacted and a.data_hash == b.data_ion.hash()

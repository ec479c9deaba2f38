"""
Decide, block by block, whether a sink may have the next block of a strand.

One small state for each strand, no I/O. What the sink has already is passed over, once
the block at its position has proven to be the one it has. Then each block must follow
the one before, declared gaps apart, link to it, verify, and be the only one with its
address; the first that does not holds the strand: it and everything after it stays where
it is.

Below the sink's position, what is absent from the source matters no more: the sink has
it. What the sink never had, because it began later or crossed a declared gap there, it can
no longer get: such blocks are a problem, and stop nothing. Not so a block that its owner gave
up when the sink refused it: that the source has it was known then. What is wrong down there stops
what follows: a source that was altered where the sink was filled from is not trusted
behind it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

import attrs

from qldb_stream.events import Block
from qldb_stream.report import Gap, Position, Problem, ProblemCode

__all__ = ["StrandGate", "Verdict"]


class Verdict(enum.Enum):
    """What becomes of a block."""

    DELIVER = "deliver"
    SKIP = "skip"
    HOLD = "hold"
    MISSED = "missed"  # behind the sink's position, and yet never applied
    GIVEN_UP = "given up"  # likewise, as its owner decided
    PARKED = "parked"  # likewise; it was put aside, and can be requeued
    COPY = "copy"  # a redacted copy of a block that came out in this run


class StrandGate:
    """
    Lets the blocks of one strand through as long as they may be delivered.

    Args:
        strand_id: the strand.
        position: what the sink has of it, None for nothing.
        first: the number to begin with, when the sink has nothing; None for whatever
            comes first.
        gaps: numbers whose absence the owner has declared.

    Attributes:
        had: what the sink had when the run began.
        position: the position after the last block that was let through.
        is_held: whether the strand has been stopped.
    """

    def __init__(
        self, strand_id: str, position: Position | None, first: int | None, gaps: Sequence[Gap]
    ) -> None:
        self.had = position
        self.position = position
        self.is_held = False
        self._strand_id = strand_id
        self._next = first if position is None else position.sequence_no + 1
        self._gaps = sorted(gaps, key=lambda gap: gap.first)
        self._stop: int | None = None
        self._is_compared = False
        # First and last number by cause: a declared gap of the sink, None for before its start.
        self._missed: dict[Gap | None, tuple[int, int]] = {}

    @property
    def next_number(self) -> int | None:
        """Give the number that must come next, None while any may."""
        return self._next

    def stop(self, number: int, code: ProblemCode) -> None:
        """Let no block through from a number on; a lost block that the sink has is none."""
        had = self.had
        if code is ProblemCode.INCOMPLETE and had is not None and number <= had.sequence_no:
            return
        self._stop = number if self._stop is None else min(self._stop, number)

    def admit(self, block: Block, *, is_verified: bool) -> tuple[Verdict, Problem | None]:
        """
        Judge the next block of the strand.

        Args:
            block: with a higher number than those before.
            is_verified: whether no check of it failed.

        Returns:
            What becomes of it, and a problem when it is not the one that the sink has at
            its position, or does not link to it. A hole is no problem here: whoever
            feeds the blocks has seen it and says so.
        """
        number = block.address.sequence_no
        problem = self._compare(block) if is_verified else None
        is_stopped = self._stop is not None and self._stop <= number
        if problem is not None or is_stopped or not is_verified:
            self.is_held = True
        if self.had is not None and number <= self.had.sequence_no:
            # What the sink has, it has; that the source is not sound stops what follows.
            return self._behind(number), problem
        crossed = self._cross(number)
        if self.is_held or crossed is None:
            self.is_held = True
            return Verdict.HOLD, problem
        self._move(block, crossed)
        return Verdict.DELIVER, None

    def pass_over(self, first: int, last: Block) -> None:
        """Take note of verified blocks, without a hole, where the sink has nothing yet."""
        assert self.had is None, "what the sink has is compared with"
        if self._next == first:
            self._next = last.address.sequence_no
        self.admit(last, is_verified=True)

    def missed(self) -> Iterator[Problem]:
        """Name the blocks that the sink never had and cannot get, one problem per cause."""
        for gap, (first, last) in self._missed.items():
            blocks, them = f"blocks {first} to {last} are", "them"
            if first == last:
                blocks, them = f"block {first} is", "it"
            if gap is not None:
                cause = f"in a gap that the sink was told to cross ({gap.reason})"
            else:
                assert self.had is not None
                cause = f"older than the first block that the sink began with ({self.had.start})"
            message = f"{blocks} {cause}: it never had {them}; replay into a new sink"
            yield Problem(ProblemCode.GAP, message, self._strand_id, first)

    def _behind(self, number: int) -> Verdict:
        """Say what a block behind the sink's position is; note one that was never applied."""
        assert self.had is not None
        if number in self.had.parked:
            return Verdict.PARKED
        start = self.had.start
        cause = next((gap for gap in self.had.gaps if gap.first <= number <= gap.last), None)
        if cause is None and (start is None or number >= start):
            return Verdict.SKIP
        if cause is not None and cause.is_skipped:
            return Verdict.GIVEN_UP
        first, last = self._missed.get(cause, (number, number))
        self._missed[cause] = (min(first, number), max(last, number))
        return Verdict.MISSED

    def _compare(self, block: Block) -> Problem | None:
        """Compare with what the sink has at its position."""
        had, number = self.had, block.address.sequence_no
        if had is None:
            return None
        self._is_compared = self._is_compared or number == had.sequence_no
        if number == had.sequence_no and block.block_hash != had.block_hash:
            return self._problem(
                number,
                "the sink has another block at this address: its blockHash is "
                f"{had.block_hash.hex()}, here it is {block.block_hash.hex()}",
                "blockHash",
            )
        previous = block.summary.previous_block_hash
        if number == had.sequence_no + 1 and previous != had.block_hash and not self._is_compared:
            return self._problem(
                number,
                "previousBlockHash is not the hash of the block that the sink has before it",
                "previousBlockHash",
            )
        return None

    def _problem(self, number: int, message: str, field: str) -> Problem:
        return Problem(ProblemCode.CHAIN, message, self._strand_id, number, None, field)

    def _cross(self, number: int) -> tuple[Gap, ...] | None:
        """Find the declared gaps that lead up to a number; None when they do not."""
        if self._next is None or number == self._next:
            return ()
        crossed = []
        reached = self._next
        for gap in self._gaps:
            if gap.first <= reached <= gap.last:
                crossed.append(attrs.evolve(gap, first=reached, last=min(gap.last, number - 1)))
                reached = gap.last + 1
            if reached >= number:
                return tuple(crossed)
        return None

    def _move(self, block: Block, crossed: tuple[Gap, ...]) -> None:
        self._next = block.address.sequence_no + 1
        before = self.position
        if before is None:
            number = block.address.sequence_no
            before = Position(self._strand_id, number, block.block_hash, start=number)
        self.position = before.at(block, crossed)

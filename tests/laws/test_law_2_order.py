"""
Law 2: numbers rise by exactly one, declared gaps apart; no silent choice between blocks.

The sequencer runs as a stateful machine against a naive model: what was fed, and the
longest run from the start that has no hole.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from qldb_stream.errors import ConflictError, SequenceGapError
from qldb_stream.events import NEED_MORE, Block
from qldb_stream.ordering import EARLIEST, Sequencer
from qldb_stream.report import Gap
from qldb_stream.testing import make_journal

LENGTH = 12
STRANDS = {
    journal.strand_id: list(journal) for journal in (make_journal(s, blocks=LENGTH) for s in (1, 2))
}
Key: TypeAlias = tuple[str, int]

keys = st.tuples(st.sampled_from(sorted(STRANDS)), st.integers(0, LENGTH - 1))


def altered(block: Block) -> Block:
    """Give another block with the same address."""
    later = block.summary.block_timestamp + timedelta(milliseconds=1)
    return attrs.evolve(block, summary=attrs.evolve(block.summary, block_timestamp=later))


def copied(block: Block) -> Block:
    """Give the same block as another stream would carry it."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, stream_arn="another stream"))


def values(block: Block) -> Block:
    """Give a block without what copies may differ in."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, stream_arn=None))


class SequencerMachine(RuleBasedStateMachine):
    """Feeds blocks, copies and impostors in any order, and drains now and then."""

    @initialize(
        start=st.sampled_from([0, 3, EARLIEST, "by strand"]),
        gap=st.none() | st.tuples(st.integers(0, LENGTH - 1), st.integers(0, 3)),
    )
    def make(self, start: Any, gap: tuple[int, int] | None) -> None:
        """Make a sequencer, and the model's start of each strand."""
        starts = {strand: 2 * i for i, strand in enumerate(STRANDS)}
        self.start = starts if start == "by strand" else start
        self.declared = set() if gap is None else set(range(gap[0], gap[0] + gap[1] + 1))
        declared = [Gap(gap[0], gap[0] + gap[1], "lost")] if gap else []
        self.sequencer = Sequencer(self.start, gaps=dict.fromkeys(STRANDS, declared))
        self.fed: dict[Key, Block] = {}
        self.given: dict[str, list[Block]] = {strand: [] for strand in STRANDS}

    def starts_at(self, strand: str) -> int | None:
        """Give the model's start; with EARLIEST the lowest number fed."""
        if self.start is EARLIEST:
            return min((n for s, n in self.fed if s == strand), default=None)
        return self.start[strand] if isinstance(self.start, dict) else self.start

    @rule(key=keys, change=st.sampled_from([None, copied, altered]))
    def feed(self, key: Key, change: Any) -> None:
        """Feed a block, a copy of it, or another block with its address."""
        strand, number = key
        if number in self.declared:
            return
        block = STRANDS[strand][number] if change is None else change(STRANDS[strand][number])
        start = None if self.start is EARLIEST else self.starts_at(strand)
        if start is not None and number < start:
            self.sequencer.feed(block)  # falls out unseen
        elif key in self.fed and values(self.fed[key]) != values(block):
            with pytest.raises(ConflictError, match=f"{strand}/{number}"):
                self.sequencer.feed(block)
        else:
            self.sequencer.feed(block)
            self.fed.setdefault(key, block)

    @rule()
    def drain(self) -> None:
        """Take all blocks that are ready."""
        while (block := self.sequencer.next_block()) is not NEED_MORE:
            assert isinstance(block, Block)
            self.given[block.address.strand_id].append(block)
        if self.start is not EARLIEST:
            self.check_all_given()

    def expected(self, strand: str) -> list[Block]:
        """Give the longest run from the start without a hole."""
        number = self.starts_at(strand)
        run: list[Block] = []
        while number is not None and number < LENGTH:
            if number not in self.declared:
                if (strand, number) not in self.fed:
                    break
                run.append(self.fed[strand, number])
            number += 1
        return run

    def check_all_given(self) -> None:
        """What was given out is all that could be."""
        for strand, given in self.given.items():
            assert self.expected(strand) == given

    @invariant()
    def numbers_rise_by_one(self) -> None:
        """Nothing but declared gaps lies between two blocks given out."""
        for given in getattr(self, "given", {}).values():
            numbers = [block.address.sequence_no for block in given]
            between = range(numbers[0], numbers[-1] + 1) if numbers else []
            assert [n for n in between if n not in self.declared] == numbers

    def teardown(self) -> None:
        """Close: what is missing is named, and what remains comes out in order."""
        if not hasattr(self, "sequencer"):
            return
        holes = self.sequencer.close()
        self.drain()
        self.check_all_given()
        assert self.missing() == {
            (hole.strand_id, number)
            for hole in holes
            for number in range(hole.first, (hole.first if hole.last is None else hole.last) + 1)
        }
        assert all(isinstance(hole, SequenceGapError) for hole in holes)

    def missing(self) -> set[Key]:
        """Give what lies between the start and the last block fed, and was not fed."""
        found: set[Key] = set()
        for strand in STRANDS:
            start = self.starts_at(strand)
            start = 0 if start is None else start
            last = max((n for s, n in self.fed if s == strand), default=-1)
            found |= {
                (strand, n)
                for n in range(start, last)
                if (strand, n) not in self.fed and n not in self.declared
            }
        return found


SequencerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestSequencer = SequencerMachine.TestCase

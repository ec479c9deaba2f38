"""The gate of a strand: what a sink may have, what it has, and what is held back."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given, strategies as st

from qldb_stream.events import Block, BlockAddress, BlockSummary
from qldb_stream.pipeline._gate import StrandGate, Verdict
from qldb_stream.report import Gap, Position, Problem, ProblemCode

STRAND = "AAAAAAAAAAAAAAAAAAAAAA"
DELIVER, SKIP, HOLD = Verdict.DELIVER, Verdict.SKIP, Verdict.HOLD


def make_block(sequence_no: int) -> Block:
    """Make a block that links to the one before it; the rest is of no matter here."""
    digest = bytes([sequence_no]) * 32
    before = bytes([sequence_no - 1]) * 32 if sequence_no else b""
    moment = datetime(2024, 5, 6, tzinfo=UTC)
    address = BlockAddress(STRAND, sequence_no)
    return Block(BlockSummary(None, address, "tx", moment, digest, digest, before, (digest,)))


def position_at(sequence_no: int, *gaps: Gap) -> Position:
    """Give the position of a sink that has everything up to a block."""
    return Position(STRAND, sequence_no, make_block(sequence_no).block_hash, gaps=gaps)


def verdicts(gate: StrandGate, *numbers: int, bad: int | None = None) -> list[Verdict]:
    """Let blocks come to a gate; one of them does not verify."""
    return [gate.admit(make_block(n), is_verified=n != bad)[0] for n in numbers]


def test_blocks_that_follow_each_other_are_delivered() -> None:
    """With an empty sink the first block is where the strand begins."""
    assert None is StrandGate(STRAND, None, None, ()).next_number
    gate = StrandGate(STRAND, None, None, ())
    assert [DELIVER] * 3 == verdicts(gate, 7, 8, 9)
    assert (position_at(9), 10) == (gate.position, gate.next_number)


def test_what_the_sink_has_is_passed_over() -> None:
    """Delivery goes on behind the sink's position."""
    gate = StrandGate(STRAND, position_at(2), None, ())
    assert [SKIP, SKIP, DELIVER, DELIVER] == verdicts(gate, 1, 2, 3, 4)
    assert position_at(4) == gate.position


def test_the_position_keeps_what_is_parked() -> None:
    """Parked numbers and older gaps stay in the position."""
    had = attrs.evolve(position_at(2, Gap(0, 0, "lost")), parked=frozenset({1}))
    gate = StrandGate(STRAND, had, None, ())
    verdicts(gate, 3)
    expected = attrs.evolve(position_at(3, Gap(0, 0, "lost")), parked=frozenset({1}))
    assert expected == gate.position


@pytest.mark.parametrize(("first", "number"), [(None, 4), (0, 1)])
def test_a_hole_holds_the_strand(first: int | None, number: int) -> None:
    """Nothing is delivered after a hole, neither at the front nor within."""
    gate = StrandGate(STRAND, None if first == 0 else position_at(2), first, ())
    assert [HOLD, HOLD] == verdicts(gate, number, number + 1)
    assert gate.is_held


def test_a_hole_in_what_the_sink_has_holds_nothing() -> None:
    """The sink needs no block that it has."""
    gate = StrandGate(STRAND, position_at(5), None, ())
    assert [SKIP, SKIP, DELIVER] == verdicts(gate, 0, 4, 6)


def test_a_declared_gap_is_crossed_and_kept() -> None:
    """The position names the gap that was crossed, as far as it was one."""
    gate = StrandGate(STRAND, position_at(1), None, (Gap(6, 6, "b"), Gap(0, 4, "a")))
    assert [DELIVER, DELIVER, DELIVER] == verdicts(gate, 4, 5, 7)
    assert position_at(7, Gap(2, 3, "a"), Gap(6, 6, "b")) == gate.position


def test_gaps_that_meet_are_crossed_together() -> None:
    """Two declarations may cover one hole, and may overlap."""
    gate = StrandGate(STRAND, None, 0, (Gap(0, 2, "a"), Gap(2, 4, "b")))
    assert [DELIVER] == verdicts(gate, 5)
    assert position_at(5, Gap(0, 2, "a"), Gap(3, 4, "b")) == gate.position


def test_a_gap_that_does_not_reach_is_not_crossed() -> None:
    """A hole of which one block is not declared holds the strand."""
    gate = StrandGate(STRAND, position_at(1), None, (Gap(2, 3, "a"), Gap(5, 9, "b")))
    assert [HOLD] == verdicts(gate, 5)


def test_a_block_that_does_not_verify_holds_the_strand() -> None:
    """Neither it nor anything after it is delivered."""
    gate = StrandGate(STRAND, None, 0, ())
    assert [DELIVER, HOLD, HOLD] == verdicts(gate, 0, 1, 2, bad=1)
    assert position_at(0) == gate.position


def test_a_conflict_or_a_lost_block_holds_the_strand() -> None:
    """Nothing is delivered from the first stop on, in whatever order stops are told."""
    gate = StrandGate(STRAND, None, None, ())
    gate.stop(4, ProblemCode.INCOMPLETE)
    gate.stop(2, ProblemCode.CONFLICT)
    gate.stop(3, ProblemCode.CONFLICT)
    assert [DELIVER, HOLD, HOLD] == verdicts(gate, 1, 2, 5)


def test_below_the_position_only_what_is_wrong_holds() -> None:
    """A block that the source has lost is in the sink; one with two versions is in doubt."""
    lost = StrandGate(STRAND, position_at(2), None, ())
    lost.stop(1, ProblemCode.INCOMPLETE)
    assert [SKIP, DELIVER] == verdicts(lost, 2, 3)
    doubted = StrandGate(STRAND, position_at(2), None, ())
    doubted.stop(1, ProblemCode.CONFLICT)
    assert [SKIP, HOLD] == verdicts(doubted, 2, 3)


def test_damage_below_the_position_holds_what_follows() -> None:
    """A source that is not sound where the sink was filled from is not trusted after it."""
    gate = StrandGate(STRAND, position_at(2), None, ())
    assert [SKIP, SKIP, HOLD] == verdicts(gate, 1, 2, 3, bad=1)


def test_another_block_at_the_position_is_a_problem() -> None:
    """Source and sink have parted ways, and the message shows both hashes."""
    had = attrs.evolve(position_at(2), block_hash=bytes(32))
    gate = StrandGate(STRAND, had, None, ())
    verdict, problem = gate.admit(make_block(2), is_verified=True)
    assert SKIP is verdict
    assert problem is not None
    assert (ProblemCode.CHAIN, STRAND, 2, "blockHash") == (
        problem.code,
        problem.strand_id,
        problem.sequence_no,
        problem.field,
    )
    assert bytes(32).hex() in problem.message
    assert make_block(2).block_hash.hex() in problem.message
    assert [HOLD] == verdicts(gate, 3)


def test_a_block_that_does_not_link_to_the_position_is_a_problem() -> None:
    """When the block at the position is not at hand, its hash in the sink counts."""
    had = attrs.evolve(position_at(2), block_hash=bytes(32))
    gate = StrandGate(STRAND, had, None, ())
    message = "previousBlockHash is not the hash of the block that the sink has before it"
    problem = Problem(ProblemCode.CHAIN, message, STRAND, 3, None, "previousBlockHash")
    assert (HOLD, problem) == gate.admit(make_block(3), is_verified=True)


def test_a_problem_that_is_known_is_not_told_twice() -> None:
    """A block whose own chain check failed needs no second word from the gate."""
    gate = StrandGate(STRAND, attrs.evolve(position_at(2), block_hash=bytes(32)), None, ())
    assert (HOLD, None) == gate.admit(make_block(3), is_verified=False)


@given(
    st.lists(st.integers(0, 30), unique=True).map(sorted),
    st.none() | st.integers(0, 30),
    st.sets(st.integers(0, 30)),
)
def test_only_unbroken_runs_are_delivered(
    numbers: list[int], had: int | None, declared: set[int]
) -> None:
    """Law 2: what a sink gets rises by one, declared gaps apart, from where it stands."""
    gaps = [Gap(n, n, "declared") for n in declared]
    gate = StrandGate(STRAND, None if had is None else position_at(had), None, gaps)
    found = dict(zip(numbers, verdicts(gate, *numbers), strict=True))
    delivered = [n for n, verdict in found.items() if verdict is DELIVER]
    start = had if had is not None else (numbers[0] - 1 if numbers else 0)
    if delivered:
        between = set(range(start + 1, delivered[-1] + 1)) - set(delivered)
        assert between <= declared
    held = [n for n, verdict in found.items() if verdict is HOLD]
    if held:
        hole = set(range(max([start, *delivered]) + 1, held[0])) - declared
        assert hole


def missed(gate: StrandGate) -> list[tuple[ProblemCode, int | None, str]]:
    """Reduce what a gate says of blocks that the sink never had."""
    return [(found.code, found.sequence_no, found.message) for found in gate.missed()]


def test_what_is_older_than_the_start_was_never_there() -> None:
    """It is one problem, and holds nothing of what follows."""
    had = attrs.evolve(position_at(12), start=9)
    gate = StrandGate(STRAND, had, None, ())
    assert [Verdict.MISSED] * 2 + [SKIP, DELIVER] == verdicts(gate, 0, 8, 9, 13)
    message = (
        "blocks 0 to 8 are older than the first block that the sink began with (9): "
        "it never had them; replay into a new sink"
    )
    assert [(ProblemCode.GAP, 0, message)] == missed(gate)
    assert gate.position is not None
    assert (13, 9) == (gate.position.sequence_no, gate.position.start)


def test_what_lies_in_a_declared_gap_of_the_sink_was_never_there() -> None:
    """A block that turns up after its loss was declared is named with the reason."""
    gate = StrandGate(STRAND, position_at(5, Gap(1, 1, "lost"), Gap(3, 4, "stolen")), None, ())
    assert [SKIP, Verdict.MISSED, SKIP, Verdict.MISSED] == verdicts(gate, 0, 1, 2, 4)
    assert [(ProblemCode.GAP, 1), (ProblemCode.GAP, 4)] == [(c, n) for c, n, _ in missed(gate)]
    assert "block 1 is in a gap that the sink was told to cross (lost): it" in missed(gate)[0][2]


@pytest.mark.parametrize(("start", "expected"), [(None, None), (0, 0)])
def test_without_a_known_start_the_sink_has_all(start: int | None, expected: int | None) -> None:
    """A position of before the start was kept stays as it is."""
    gate = StrandGate(STRAND, attrs.evolve(position_at(2), start=start), None, ())
    assert [SKIP, SKIP, DELIVER] == verdicts(gate, 0, 2, 3)
    assert [] == missed(gate)
    assert gate.position is not None
    assert expected == gate.position.start


def test_the_first_delivered_block_is_the_start() -> None:
    """A gap that was crossed before it is no part of what the sink has."""
    gate = StrandGate(STRAND, None, 0, (Gap(0, 2, "a"),))
    verdicts(gate, 3, 4)
    assert gate.position is not None
    assert 3 == gate.position.start

"""The core without a source or a sink: fed by hand, as a live consumer would."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from qldb_stream.errors import BacklogError, UsageError
from qldb_stream.events import BlockAddress, Event, Need, RevisionDetails
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import CheckedBlock, Order, PipelineCore, Verdict
from qldb_stream.report import Gap, Position, ProblemCode
from qldb_stream.testing.journals import Journal
from tests.pipeline.support import (
    BLOCKS,
    JOURNAL,
    RECORDS,
    STRAND,
    codes,
    number_of,
    records_without,
)

EVENTS = [parse_record(record) for record in RECORDS]


def feed_all(core: PipelineCore, events: Iterable[Event]) -> None:
    """Feed events one after the other."""
    for event in events:
        core.feed(event)


def take(core: PipelineCore) -> list[CheckedBlock]:
    """Take all blocks that the core has to give."""
    taken = []
    found = core.next_block()
    while not isinstance(found, Need):
        taken.append(found)
        found = core.next_block()
    return taken


def numbers(checked: list[CheckedBlock]) -> list[tuple[int, Verdict]]:
    """Reduce blocks to their numbers and verdicts."""
    return [(found.block.address.sequence_no, found.verdict) for found in checked]


def test_a_live_core_gives_each_block_as_soon_as_it_may() -> None:
    """With a start, what is whole and next comes out at once, from any disorder."""
    shuffled = [*EVENTS, *EVENTS[::3]]
    Random(1).shuffle(shuffled)
    core = PipelineCore(Order.LIVE, start=0)
    taken: list[CheckedBlock] = []
    before_close = 0
    for event in shuffled:
        core.feed(event)
        taken += take(core)
        before_close = len(taken)
    core.close()
    taken += take(core)
    assert BLOCKS == [found.block for found in taken]
    assert len(BLOCKS) == before_close
    assert {Verdict.DELIVER} == {found.verdict for found in taken}
    assert core.report().ok


def test_each_block_brings_the_position_it_leads_to() -> None:
    """Positions rise block by block, to the last one's hash."""
    core = PipelineCore(Order.LIVE, start=0)
    feed_all(core, EVENTS)
    expected = [Position(STRAND, b.address.sequence_no, b.block_hash) for b in BLOCKS]
    assert expected == [found.position for found in take(core)]


def test_a_live_core_waits_at_a_hole_and_names_it_at_the_end() -> None:
    """What is behind the hole is neither delivered nor verified."""
    core = PipelineCore(Order.LIVE, start=0)
    feed_all(core, map(parse_record, records_without(7)))
    assert 7 == len(take(core))
    core.close()
    assert [] == take(core)
    assert [(ProblemCode.GAP, 7)] == codes(core.report().problems)


def test_a_live_core_passes_declared_gaps() -> None:
    """The gap is no problem, and it is in the position."""
    gap = Gap(7, 7, "lost in 2020")
    core = PipelineCore(Order.LIVE, start=0, gaps={STRAND: (gap,)})
    feed_all(core, map(parse_record, records_without(7)))
    taken = take(core)
    core.close()
    assert 39 == len(taken)
    assert taken[-1].position is not None
    assert (gap,) == taken[-1].position.gaps
    assert core.report().ok


def test_a_late_second_version_stops_a_live_strand() -> None:
    """What was delivered cannot be taken back; nothing more is added to it."""
    rival = Journal(77, 40, JOURNAL.shape, STRAND, JOURNAL.stream_arn)
    core = PipelineCore(Order.LIVE, start=0)
    feed_all(core, (event for event in EVENTS if number_of(event) < 20))
    assert 20 == len(take(core))
    feed_all(core, (e for e in map(parse_record, rival.iter_records()) if number_of(e) == 5))
    feed_all(core, (event for event in EVENTS if number_of(event) >= 20))
    assert {Verdict.HOLD} == {found.verdict for found in take(core)}
    assert (ProblemCode.CONFLICT, 5) in codes(core.report().problems)


def test_a_second_version_of_a_block_that_waits_is_a_conflict() -> None:
    """Also when the assembler has long forgotten the first one."""
    rival = Journal(77, 40, JOURNAL.shape, STRAND, JOURNAL.stream_arn)
    core = PipelineCore(Order.LIVE, start=0, limit=12)
    feed_all(core, (event for event in EVENTS if number_of(event) >= 1))
    feed_all(core, (e for e in map(parse_record, rival.iter_records()) if number_of(e) == 1))
    assert (ProblemCode.CONFLICT, 1) in codes(core.report().problems)
    feed_all(core, (event for event in EVENTS if number_of(event) == 0))
    assert (0, Verdict.DELIVER) == numbers(taken := take(core))[0]
    assert {Verdict.HOLD} == {verdict for _, verdict in numbers(taken)[1:]}


def test_a_problem_may_be_the_first_that_is_heard_of_a_strand() -> None:
    """Parts without a block are named though no block of the strand ever comes."""
    core = PipelineCore(Order.SORTED)
    feed_all(core, (e for e in EVENTS if isinstance(e, RevisionDetails)))
    core.finish(BlockAddress(STRAND, 39))
    assert [] == take(core)
    assert {ProblemCode.INCOMPLETE} == {code for code, _ in codes(core.report().problems)}


def test_an_unsorted_core_gives_nothing_before_the_end() -> None:
    """Without a start the first block is only known when all are there."""
    core = PipelineCore(Order.UNSORTED)
    feed_all(core, reversed(EVENTS))
    assert [] == take(core)
    core.close()
    assert BLOCKS == [found.block for found in take(core)]


def test_a_strand_without_a_start_is_refused_where_starts_are_given() -> None:
    """The message names the lowest number seen, to choose from."""
    core = PipelineCore(Order.LIVE, start={"another": 0})
    with pytest.raises(UsageError, match=rf"strand {STRAND} has no start; .* seen is 0"):
        feed_all(core, EVENTS)


def test_more_disorder_than_the_limit_says_what_it_waits_for() -> None:
    """An iterable that cannot be sorted within the limit is refused, not dropped."""
    core = PipelineCore(Order.UNSORTED, limit=20)
    with pytest.raises(BacklogError, match="more than 20 events wait"):
        feed_all(core, EVENTS)


def test_a_sorted_core_leaves_out_what_comes_before_the_start() -> None:
    """What lies before the start is neither verified nor counted."""
    core = PipelineCore(Order.SORTED, start={STRAND: 30})
    feed_all(core, EVENTS)
    core.close()
    assert [(n, Verdict.DELIVER) for n in range(30, 40)] == numbers(take(core))
    assert [(30, 39)] == [(s.first, s.last) for s in core.report().strands]


def test_the_chain_goes_on_from_the_position() -> None:
    """A source that begins behind the sink's position is linked to it, and is full."""
    core = PipelineCore(Order.SORTED)
    before = BLOCKS[19]
    core.open_strand(STRAND, Position(STRAND, 19, before.block_hash))
    feed_all(core, (event for event in EVENTS if number_of(event) >= 20))
    core.close()
    assert {Verdict.DELIVER} == {found.verdict for found in take(core)}
    assert "the block before it is not at hand" not in core.report().not_checkable

"""From an inbox to sinks: order, leases, redactions, several sinks, what may be acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import IonDecodeError, UsageError
from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    ControlRecord,
    RevisionDetails,
    Undecodable,
)
from qldb_stream.inbox import InboxLimits, MemoryInbox, SqliteInbox
from qldb_stream.pipeline import CheckpointedSink, Pipeline, RetryPolicy
from qldb_stream.report import (
    BatchDone,
    BlockDelivered,
    Gap,
    GapFound,
    ItemOutcome,
    Position,
    SinkSummary,
    StrandState,
)
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import Item
from tests.pipeline.inboxes import (
    AwaySink,
    PickySink,
    PlainSink,
    TestClock,
    Witness,
    delivery_of,
    make_pipeline,
)
from tests.pipeline.support import BLOCKS, JOURNAL, STRAND, block_with_revisions, number_of

ITEMS = delivery_of(JOURNAL, 3)
LAST = len(BLOCKS) - 1


def items_of(*numbers: int) -> list[Item]:
    """Give all records of some blocks."""
    return [item for item in ITEMS if number_of(item) in numbers]  # type: ignore[arg-type]


def states(report: Any) -> list[StrandState]:
    """Give how each sink stands."""
    return [strand.state for strand in report.strands]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_arrive_whole_and_in_order(size: int) -> None:
    """Whatever the order and the size of batches, the sink gets each block once."""
    sink = MemorySink()
    pipeline = make_pipeline(sink)
    for first in range(0, len(ITEMS), size):
        result = pipeline.handle_batch(ITEMS[first : first + size])
        assert result.delivery.ok
    assert BLOCKS == sink.blocks
    assert [StrandState.CURRENT] == states(pipeline.drain())


def test_a_hole_holds_back_what_comes_after_it_and_is_told_once() -> None:
    """The strand waits for what is missing, and goes on when it comes."""
    sink, witness = MemorySink(), Witness()
    pipeline = make_pipeline(sink, observers=[witness])
    pipeline.handle_batch(items_of(0, 1, 3))
    (strand,) = pipeline.drain().strands
    assert (StrandState.WAITING, 2, 2) == (strand.state, strand.waits_for, len(sink.blocks))
    assert [GapFound("sink", STRAND, 2, pipeline._rules.clock.now_s())] == witness.of(GapFound)  # noqa: SLF001 - its clock
    pipeline.handle_batch(items_of(2))
    assert BLOCKS[:4] == sink.blocks


def test_a_block_that_lacks_a_part_is_waited_for() -> None:
    """What is not whole is no error while more may come."""
    sink = MemorySink()
    pipeline = make_pipeline(sink)
    number = block_with_revisions()
    rest = [item for item in items_of(number) if isinstance(item, RevisionDetails)][:1]
    (strand,) = pipeline.handle_batch(
        [item for item in items_of(*range(number + 1)) if item not in rest]
    ).delivery.strands
    assert (StrandState.WAITING, number) == (strand.state, strand.waits_for)
    assert "missing document" in strand.detail
    assert [StrandState.CURRENT] == states(pipeline.handle_batch(rest).delivery)
    assert BLOCKS[: number + 1] == sink.blocks


def test_two_versions_of_a_block_stop_the_strand() -> None:
    """A conflict is never chosen from, and says what it is."""
    (summary,) = {item for item in items_of(1) if isinstance(item, BlockSummary)}
    other = attrs.evolve(summary, transaction_id="x" * 22)
    sink = MemorySink()
    pipeline = make_pipeline(sink)
    result = pipeline.handle_batch([*items_of(0, 1, 2), other])
    (strand,) = result.delivery.strands
    assert (StrandState.STOPPED, 1) == (strand.state, strand.waits_for)
    assert not result.delivery.ok
    assert "conflict" in strand.detail.lower() or strand.problems
    assert BLOCKS[:1] == sink.blocks


def test_without_a_start_the_lowest_block_is_named() -> None:
    """Where a sink has nothing, it must be said with which block to begin."""
    pipeline = make_pipeline(MemorySink(), start=None)
    with pytest.raises(UsageError, match="the lowest block in the inbox is 5"):
        pipeline.handle_batch(items_of(5, 6))


def test_a_declared_gap_is_crossed_when_something_is_behind_it() -> None:
    """The gap stands in the position, and the chain is checked again after it."""
    gap = Gap(2, 4, "burnt")
    sink = MemorySink()
    pipeline = make_pipeline(sink, accept_gaps={STRAND: [gap]})
    pipeline.handle_batch(items_of(0, 1))
    assert [StrandState.CURRENT] == states(pipeline.drain())
    pipeline.handle_batch(items_of(5, 6))
    assert [0, 1, 5, 6] == [block.address.sequence_no for block in sink.blocks]
    assert (gap,) == sink.positions[STRAND].gaps


@pytest.mark.parametrize("gaps", [[Gap(5, 30, "burnt")], [Gap(5, 9, "a"), Gap(10, 30, "b")]])
def test_a_declared_gap_may_be_longer_than_a_round(
    monkeypatch: pytest.MonkeyPatch, gaps: list[Gap]
) -> None:
    """However many numbers are burnt, a drain gets over them, and ends."""
    monkeypatch.setattr("qldb_stream.pipeline._drain._ROUND_BLOCKS", 10)
    sink = MemorySink()
    pipeline = make_pipeline(sink, accept_gaps={STRAND: gaps})
    (strand,) = pipeline.handle_batch([*BLOCKS[:5], *BLOCKS[31:]]).delivery.strands
    assert (StrandState.CURRENT, [*BLOCKS[:5], *BLOCKS[31:]]) == (strand.state, sink.blocks)
    assert tuple(gaps) == sink.positions[STRAND].gaps


def test_a_gap_of_a_billion_costs_no_more() -> None:
    """What is behind it is not the next one: the strand waits for that."""
    (summary,) = {item for item in items_of(5) if isinstance(item, BlockSummary)}
    far = attrs.evolve(summary, address=BlockAddress(STRAND, 10**9))
    pipeline = make_pipeline(MemorySink(), accept_gaps={STRAND: [Gap(2, 10**9 - 5, "burnt")]})
    (strand,) = pipeline.handle_batch([*items_of(0, 1), far]).delivery.strands
    assert (StrandState.WAITING, 10**9 - 4) == (strand.state, strand.waits_for)


def test_what_is_stored_in_a_declared_gap_is_delivered() -> None:
    """Of a gap of thousands that turns out to hold a block, that block is not passed over."""
    gap = Gap(2, 10_000, "burnt, it was thought")
    sink = MemorySink()
    pipeline = make_pipeline(sink, accept_gaps={STRAND: [gap]})
    pipeline.handle_batch(items_of(0, 1, 5, 6))
    assert [0, 1, 5, 6] == [block.address.sequence_no for block in sink.blocks]
    (strand,) = pipeline.drain().strands
    assert (StrandState.CURRENT, 7) == (strand.state, strand.waits_for)


def test_the_inbox_is_trimmed_when_every_sink_has_a_block(tmp_path: Path) -> None:
    """What a stopped sink lacks is kept, and goes when it has caught up."""
    away = AwaySink(1_000)
    inbox = SqliteInbox(tmp_path / "inbox")
    pipeline = make_pipeline({"good": MemorySink(), "away": away}, inbox)
    result = pipeline.handle_batch(ITEMS)
    assert [StrandState.CURRENT, StrandState.FAILED] == states(result.delivery)
    assert inbox.status().strands[0].records > 0
    assert set(result.outcomes) <= {ItemOutcome.DURABLE, ItemOutcome.PASSED}
    away.times = 0
    assert [StrandState.CURRENT] * 2 == states(pipeline.drain())
    assert [b.block_hash for b in BLOCKS] == [b.block_hash for b in away.blocks]
    assert 0 == inbox.status().strands[0].records
    inbox.close()


def test_a_failure_is_tried_again_with_growing_waits() -> None:
    """Time passes between tries; what the sink applied unheard is not applied twice."""
    clock, sink = TestClock(), AwaySink(4, applies=True)
    pipeline = make_pipeline(sink, clock=clock, batch_blocks=50)
    assert pipeline.handle_batch(ITEMS).delivery.ok
    assert BLOCKS == sink.blocks
    clock, gone = TestClock(), AwaySink(4)
    pipeline = make_pipeline(gone, clock=clock, retry=RetryPolicy(retries=4, base_s=1))
    assert pipeline.handle_batch(ITEMS).delivery.ok
    assert 4 == len(clock.slept)
    assert all(wait <= 2**n for n, wait in enumerate(clock.slept))
    assert BLOCKS == gone.blocks


def test_a_lease_that_another_holds_is_no_failure() -> None:
    """The batch is durable, and its holder delivers it when he looks again."""
    inbox, sink, clock = MemoryInbox(), MemorySink(), TestClock()
    lease = inbox.lease(f"sink/{STRAND}", 60, clock.now_s())
    assert lease is not None
    pipeline = make_pipeline(sink, inbox, clock=clock)
    result = pipeline.handle_batch(ITEMS)
    assert [StrandState.BUSY] == states(result.delivery)
    assert [] == sink.blocks
    assert not inbox.release(lease, strand_id=STRAND, arrivals=0)
    clock.sleep(61)
    assert [StrandState.CURRENT] == states(pipeline.drain())


class LateSink(MemorySink):
    """A sink during whose work more records come."""

    def __init__(self, inbox: MemoryInbox, late: list[Item]) -> None:
        super().__init__()
        self._inbox = inbox
        self._late = late

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, and let others put."""
        late, self._late = self._late, []
        self._inbox.put(late, 1.0)
        return super().apply(blocks, position, token)


def test_what_comes_during_a_delivery_is_delivered_by_it() -> None:
    """No wake-up is lost: the lease is given back only when nothing came since."""
    inbox = MemoryInbox()
    sink = LateSink(inbox, items_of(*range(3, 40)))
    pipeline = make_pipeline(sink, inbox)
    pipeline.handle_batch(items_of(0, 1, 2))
    assert BLOCKS == sink.blocks
    assert () == inbox.status().leases


class ThiefSink(MemorySink):
    """A sink that is so slow that somebody else takes the lease."""

    def __init__(self, inbox: MemoryInbox, clock: TestClock) -> None:
        super().__init__()
        self._inbox = inbox
        self._clock = clock
        self.has_stolen = False

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Let the lease run out once, then apply with the token that is given."""
        reached = super().apply(blocks, position, token)
        if not self.has_stolen:
            self.has_stolen = True
            self._clock.sleep(100)
            assert self._inbox.lease(f"sink/{STRAND}", 5, self._clock.now_s()) is not None
        return reached


def test_a_worker_that_was_too_slow_stops_and_loses_nothing() -> None:
    """Whoever lost the lease says that the strand is busy; the next one goes on."""
    inbox, clock = MemoryInbox(), TestClock()
    sink = ThiefSink(inbox, clock)
    pipeline = make_pipeline(sink, inbox, clock=clock, batch_blocks=5)
    assert [StrandState.BUSY] == states(pipeline.handle_batch(ITEMS).delivery)
    assert BLOCKS[:5] == sink.blocks
    clock.sleep(10)
    assert [StrandState.CURRENT] == states(pipeline.drain())
    assert BLOCKS == sink.blocks


def test_tokens_rise_and_reach_the_sink() -> None:
    """Each lease has a higher token than the one before."""
    sink = PickySink()
    pipeline = make_pipeline(sink)
    pipeline.handle_batch(items_of(0))
    pipeline.handle_batch(items_of(1))
    assert sorted(set(sink.tokens)) == sink.tokens
    assert 2 == len(sink.tokens)


def test_a_deadline_cuts_a_delivery_and_the_next_one_goes_on() -> None:
    """What is durable is acknowledged though nothing was delivered."""
    clock, sink = TestClock(), MemorySink()
    inbox = MemoryInbox()
    pipeline = make_pipeline(sink, inbox, clock=clock)
    result = pipeline.handle_batch(ITEMS, deadline_s=clock.now_s())
    assert [StrandState.CUT] == states(result.delivery)
    assert () == inbox.status().leases
    pipeline.drain(deadline_s=clock.now_s() + 1)
    assert BLOCKS == sink.blocks


def test_a_sink_without_a_position_has_it_in_the_inbox() -> None:
    """At least once: the checkpoint moves after delivery, and is resumed from."""
    inbox, sink = MemoryInbox(), PlainSink()
    make_pipeline(sink, inbox).handle_batch(items_of(*range(20)))
    make_pipeline(sink, inbox).handle_batch(items_of(*range(10, 40)))
    assert list(range(40)) == sink.given
    position = CheckpointedSink(sink, inbox, "sink").position(STRAND)
    assert position is not None
    assert LAST == position.sequence_no


def test_only_what_every_sink_has_is_acknowledged_when_nothing_else_is_durable() -> None:
    """An inbox in memory goes with the process: its records must come again."""
    pipeline = make_pipeline({"good": MemorySink(), "picky": PickySink(3)})
    items = [ControlRecord("arn", "CREATED"), *items_of(0, 1), *items_of(3)]
    result = pipeline.handle_batch(items)
    refused = [number_of(items[index]) for index in result.failed]  # type: ignore[arg-type]
    assert {3} == set(refused)
    assert result.acknowledged == result.failed[0]
    assert ItemOutcome.PASSED is result.outcomes[0]


def test_what_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """It is in the quarantine, and the strand goes on as long as no block lacks it."""
    with_bad = [Undecodable("shard", 0, 3, IonDecodeError(0, "x"), b"abc"), *items_of(0)]
    inbox, sink = SqliteInbox(tmp_path / "inbox"), MemorySink()
    result = make_pipeline(sink, inbox).handle_batch(with_bad)
    assert ItemOutcome.QUARANTINED is result.outcomes[0]
    assert () == result.failed
    assert BLOCKS[:1] == sink.blocks
    assert 1 == inbox.status().quarantined
    inbox.close()


def test_a_full_inbox_refuses_the_rest(tmp_path: Path) -> None:
    """What found no room must come again; the result says why."""
    inbox = SqliteInbox(tmp_path / "inbox", limits=InboxLimits(records=5))
    result = make_pipeline(MemorySink(), inbox).handle_batch(items_of(*range(5, 20)))
    assert 5 == result.acknowledged
    assert len(items_of(*range(5, 20))) == 5 + len(result.failed)
    assert result.refusal is not None
    inbox.close()


def test_observers_are_told_of_blocks_and_runs() -> None:
    """Each block once, in order, then the run; a bad observer is named once and does no harm."""
    witness, sink = Witness(), MemorySink()
    pipeline = make_pipeline(sink, observers=[Broken(), witness], batch_blocks=10)
    pipeline.handle_batch(ITEMS)
    delivered = [event.address.sequence_no for event in witness.of(BlockDelivered)]
    assert list(range(40)) == delivered
    done = witness.of(BatchDone)
    assert [10] * 4 == [event.blocks for event in done]
    assert sink.positions[STRAND] == done[-1].position
    broken = pipeline._rules.observers.broken  # noqa: SLF001 - what the log says
    assert ["raised ZeroDivisionError"] == [error.problem for error in broken]
    assert BLOCKS == sink.blocks


class Broken:
    """An observer with a bug."""

    from qldb_stream.hookspecs import hookimpl

    @hookimpl
    def qldb_stream_block_delivered(self) -> None:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize("last", [4, None])
def test_a_sink_that_was_restored_is_told_what_was_trimmed(last: int | None) -> None:
    """It does not have what the inbox let go for it: it waits, again and again, until it has."""
    inbox, sink = MemoryInbox(), MemorySink()
    pipeline = make_pipeline(sink, inbox)
    pipeline.handle_batch(items_of(*range(10)))
    next_number = 0 if last is None else last + 1
    del sink.blocks[next_number:]
    del sink.positions[STRAND]
    if last is not None:
        sink.positions[STRAND] = Position(STRAND, last, BLOCKS[last].block_hash, start=0)
    told = f"blocks {next_number} to 9 were trimmed"
    for more in ([], items_of(10, 11)):
        inbox.put(more, 1.0)
        (strand,) = pipeline.drain().strands
        assert (StrandState.WAITING, next_number) == (strand.state, strand.waits_for)
        assert told in strand.detail

    assert pipeline.run(BLOCKS[:9]).ok
    (strand,) = pipeline.drain().strands
    assert "block 9 was trimmed" in strand.detail
    assert pipeline.run(BLOCKS[:10]).ok
    assert [StrandState.CURRENT] == states(pipeline.drain())
    assert BLOCKS[:12] == sink.blocks


@pytest.mark.parametrize("more", [(), (10, 11)])
def test_a_sink_that_comes_late_is_told_what_is_there_no_more(more: tuple[int, ...]) -> None:
    """What others had was let go before it was there: it waits, where it was called current."""
    inbox, late = MemoryInbox(), MemorySink()
    make_pipeline(MemorySink(), inbox).handle_batch(items_of(*range(10)))
    pipeline = Pipeline({"late": late}, inbox=inbox, start=0)
    inbox.put(items_of(*more), 1.0)
    (strand,) = pipeline.drain().strands
    assert (StrandState.WAITING, 0) == (strand.state, strand.waits_for)
    assert "blocks 0 to 9 are in the inbox no more" in strand.detail
    assert pipeline.run(BLOCKS[:10]).ok
    assert [StrandState.CURRENT] == states(pipeline.drain())
    assert BLOCKS[: 10 + len(more)] == late.blocks


def test_a_sink_that_begins_behind_all_others_lacks_nothing() -> None:
    """Its start says that it wants nothing of what was let go."""
    inbox = MemoryInbox()
    make_pipeline(MemorySink(), inbox).handle_batch(items_of(*range(10)))
    pipeline = Pipeline({"late": MemorySink()}, inbox=inbox, start=10)
    assert [StrandState.CURRENT] == states(pipeline.drain())


def test_what_a_block_redacts_is_gone_from_the_inbox(tmp_path: Path) -> None:
    """The document is searched for in the bytes, though a slow sink keeps its block there."""
    shape = JournalShape(redactions=0.3, erased=False)
    journal = list(make_journal(78, blocks=40, shape=shape))
    asked = [r for b in journal if (i := b.summary.redaction_info) for r in i.revisions]
    assert asked
    by_number = {block.address.sequence_no: block for block in journal}
    slices = [
        r.data_ion
        for at in asked
        for r in by_number[at.block_address.sequence_no].revisions
        if r.document_id == at.document_id and r.data_ion is not None
    ]
    assert slices
    inbox = SqliteInbox(tmp_path / "inbox")
    inbox.register("somebody slow")
    make_pipeline(MemorySink(), inbox).handle_batch(journal)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [s for s in slices if s.buf[s.start : s.end] in stored]
    inbox.close()


class SplittingSink(PickySink):
    """A sink that applies every other block in parts, and says so since it was opened."""

    def summary(self) -> SinkSummary:
        """Name them all, old and new."""
        split = [(STRAND, number) for number in self.numbers() if not number % 2]
        return SinkSummary(not_atomic=tuple(split))


def test_blocks_applied_in_parts_are_told_with_their_delivery() -> None:
    """A batch names its own and no older ones; so do a drain, a requeue and a consumer."""
    inbox, sink = MemoryInbox(), SplittingSink(6)
    pipeline = make_pipeline(sink, inbox, on_refusal="park")
    found = [pipeline.handle_batch(items_of(*range(n, n + 5))).delivery for n in (0, 5)]
    parked = sorted(sink.positions[STRAND].parked)
    assert 6 == parked[0]
    assert [(0, 2, 4), (8,)] == [strand.not_atomic for each in found for strand in each.strands]
    assert [()] == [strand.not_atomic for strand in pipeline.drain().strands]
    sink.refused.clear()
    assert (6,) == pipeline.requeue(STRAND, [6]).not_atomic
    report = pipeline.consume(ITEMS)
    numbers = tuple(n for n in sink.numbers() if n >= 10 and not n % 2)
    assert [numbers] == [strand.not_atomic for strand in report.strands]
    assert list(numbers) == report.as_json()["strands"][0]["not_atomic"]


class SilentSink(MemorySink):
    """A sink whose summary is none."""

    def summary(self) -> Any:
        """Give nothing."""
        return


def test_a_broken_summary_is_told() -> None:
    """What the sink took is counted; that it does not say the rest stops it, by name."""
    (strand,) = make_pipeline(SilentSink()).handle_batch(items_of(0, 1)).delivery.strands
    assert (StrandState.STOPPED, 2) == (strand.state, strand.applied)
    assert "summary" in strand.detail

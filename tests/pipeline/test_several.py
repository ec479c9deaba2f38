"""Several sinks in one run: each with its own position, pace and failures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from qldb_stream.errors import (
    InboxUnavailableError,
    LeaseHeldError,
    QldbStreamError,
    SinkUnavailableError,
    UsageError,
)
from qldb_stream.hookspecs import SinkType
from qldb_stream.inbox import InboxLimits, MemoryInbox, SqliteInbox
from qldb_stream.pipeline import Pipeline, RetryPolicy
from qldb_stream.plugins import FoundSink
from qldb_stream.report import BlockDelivered, Position, ReplayReport, SinkSummary
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sinks.url import SinkUrl
from tests.pipeline.inboxes import AwaySink, PickySink, TestClock, Witness, make_pipeline
from tests.pipeline.support import BLOCKS, RECORDS, STRAND, write_source

NEVER = RetryPolicy(retries=0)


def test_each_sink_gets_the_journal_from_where_it_is(tmp_path: Path) -> None:
    """One that fails does not keep the others from it, and catches up the next time."""
    one, two, away = MemorySink(), MemorySink(), AwaySink(1)
    Pipeline(one).run(BLOCKS[:10])
    pipeline = Pipeline({"one": one, "away": away, "two": two}, retry=NEVER)
    report = pipeline.run(write_source(tmp_path, RECORDS))
    assert [(30, 10), (0, 0), (40, 0)] == [
        (s.report.applied, s.report.skipped) for s in report.sinks
    ]
    assert [True, False, True] == [sink.ok for sink in report.sinks]
    assert (False, 70, 10, 40) == (
        report.ok,
        report.applied,
        report.skipped,
        report.verification.blocks,
    )
    assert "it is away" in str(report.sinks[1].failure)
    assert (BLOCKS, BLOCKS) == (one.blocks, two.blocks)
    assert pipeline.run(write_source(tmp_path, RECORDS)).ok
    assert BLOCKS == away.blocks


def test_the_object_of_several_names_each(tmp_path: Path) -> None:
    """Programs find every sink's numbers beside the sums; of one sink there is no such list."""
    pipeline = Pipeline(["memory:", f"jsonl:{tmp_path / 'out.jsonl'}"])
    entry = pipeline.run(write_source(tmp_path, RECORDS)).as_json()
    assert ["memory:", f"jsonl:{tmp_path / 'out.jsonl'}"] == [s["sink"] for s in entry["sinks"]]
    assert [40, 40, 80] == [*(s["applied"] for s in entry["sinks"]), entry["applied"]]
    assert "sinks" not in Pipeline("memory:").run(BLOCKS).as_json()


def test_an_iterator_cannot_be_read_for_each() -> None:
    """It would be empty for the second sink."""
    with pytest.raises(UsageError, match="an iterator can be read once"):
        Pipeline({"a": MemorySink(), "b": MemorySink()}).run(iter(BLOCKS))


def test_names_are_needed_and_distinct() -> None:
    """A name is what an inbox knows a sink by."""
    with pytest.raises(UsageError, match="need names"):
        Pipeline([MemorySink(), MemorySink()])
    with pytest.raises(UsageError, match="the same name"):
        Pipeline(["memory:", "memory:"])
    with pytest.raises(UsageError, match="at least one sink"):
        Pipeline([])
    with pytest.raises(UsageError, match="there is no sink"):
        Pipeline(["nothing:"])
    with pytest.raises(UsageError, match="lease_s"):
        Pipeline("memory:", lease_s=0)
    with pytest.raises(UsageError, match="needs an inbox"):
        Pipeline("memory:").drain()


def test_a_run_with_an_inbox_takes_leases_and_mirrors_positions(tmp_path: Path) -> None:
    """The inbox knows where the sink is; a worker that holds the strand is waited for once."""
    inbox, sink, clock = SqliteInbox(tmp_path / "inbox"), MemorySink(), TestClock()
    assert make_pipeline(sink, inbox, clock=clock).run(BLOCKS).ok
    assert sink.positions[STRAND] == inbox.position("sink", STRAND)
    assert () == inbox.status().leases
    assert inbox.lease(f"sink/{STRAND}", 1000, clock.now_s()) is not None
    with pytest.raises(LeaseHeldError, match="another worker"):
        make_pipeline(sink, inbox, clock=clock).run(BLOCKS)
    clock.sleep(950)
    assert 40 == make_pipeline(sink, inbox, clock=clock).run(BLOCKS).skipped
    inbox.close()


def test_retries_are_bounded_in_number_and_time() -> None:
    """Then the sink's own error is raised, and its position is unchanged."""
    clock = TestClock()
    with pytest.raises(SinkUnavailableError):
        make_pipeline(AwaySink(99), clock=clock, retry=RetryPolicy(retries=3)).run(BLOCKS)
    assert 3 == len(clock.slept)
    clock = TestClock()
    policy = RetryPolicy(retries=1000, base_s=10, most_s=10, within_s=100)
    with pytest.raises(SinkUnavailableError):
        make_pipeline(AwaySink(1000), clock=clock, retry=policy).run(BLOCKS)
    assert 5 < len(clock.slept)
    assert sum(clock.slept) <= 100
    with pytest.raises(UsageError, match="base_s is -1"):
        RetryPolicy(base_s=-1)


def test_a_full_park_of_one_sink_keeps_nothing_from_the_others() -> None:
    """What fills up with one sink's blocks is that sink's failure."""
    picky, good = PickySink(*range(40)), MemorySink()
    inbox = MemoryInbox(limits=InboxLimits(parked_blocks=3))
    sinks = {"picky": picky, "good": good}
    report = make_pipeline(sinks, inbox, on_refusal={"picky": "park"}).run(list(BLOCKS))
    assert [False, True] == [found.failure is None for found in report.sinks]
    assert len(BLOCKS) == len(good.blocks)


def opening(*answers: MemorySink | QldbStreamError) -> FoundSink:
    """Give a kind of sink, opened with these outcomes, one after the other."""
    left = iter(answers)

    def open_it(_path: str, _options: Mapping[str, str]) -> MemorySink:
        answer = next(left)
        if isinstance(answer, QldbStreamError):
            raise answer
        return answer

    return FoundSink("tests", SinkType("opening", open_it, "tests"), SinkUrl("opening", "", {}))


def test_opening_is_tried_again_too() -> None:
    """A sink that cannot be opened now is no other failure than one that cannot be written."""
    clock, found = TestClock(), opening(SinkUnavailableError("sink", "it is away"), MemorySink())
    assert len(BLOCKS) == make_pipeline({"sink": found}, clock=clock).run(BLOCKS).applied
    assert 1 == len(clock.slept)


def test_a_sink_that_cannot_be_opened_again_holds_no_other_up() -> None:
    """A folder that is gone meanwhile, say, is a failure of its sink; the other goes on."""
    good, gone = MemorySink(), UsageError("there is no such folder")
    sinks = {"volume": opening(AwaySink(1), gone, gone), "good": good}
    pipeline = make_pipeline(sinks, retry=NEVER)
    for part in (BLOCKS[:10], BLOCKS[10:20], BLOCKS[20:]):
        delivery = pipeline.handle_batch(part).delivery
        failed = {found.sink: found.detail for found in delivery.strands if found.detail}
        assert {"volume"} == failed.keys() | delivery.sinks_failed.keys()
    assert "cannot be opened again: there is no such folder" in str(delivery)
    assert len(BLOCKS) == len(good.blocks)


def test_observers_hear_of_blocks_though_the_inbox_is_away() -> None:
    """What the sink has durably applied is told, whether or not its position can be mirrored."""
    witness = Witness()
    pipeline = make_pipeline(MemorySink(), AwayInbox(), observers=[witness], retry=NEVER)
    with pytest.raises(InboxUnavailableError):
        pipeline.run(BLOCKS)
    assert 0 in [event.address.sequence_no for event in witness.of(BlockDelivered)]


def test_retries_differ_by_sink() -> None:
    """One sink is tried again, the other is not."""
    sinks = {"a": AwaySink(1), "b": AwaySink(1)}
    report = make_pipeline(sinks, retry={"a": RetryPolicy(), "b": NEVER}).run(BLOCKS)
    assert [None, "sink away is not available: it is away"] == [s.failure for s in report.sinks]


def test_nothing_is_told_before_the_first_run() -> None:
    """Everything in the report is zero."""
    assert 0 == Pipeline({"a": "memory:", "b": "memory:"}).report.applied
    assert isinstance(Pipeline(None).report, ReplayReport)
    assert MemoryInbox().status().positions == ()


class AwayInbox(MemoryInbox):
    """An inbox that takes no positions."""

    def store_position(self, sink: str, position: Position, token: int) -> None:
        """Fail."""
        raise InboxUnavailableError("inbox", f"{sink} {position.sequence_no} {token}")


class SplittingSink(MemorySink):
    """A sink that could not apply its block 3 in one go, nor redact anything in block 5."""

    def summary(self) -> SinkSummary:
        """Say so."""
        address = (STRAND, 3)
        return SinkSummary(
            not_atomic=(address,), redactions_pending=((STRAND, 5),), left_out={"a": 1, "b": 2}
        )


def test_blocks_of_every_sink_are_named() -> None:
    """What one sink of several did in parts, or could not redact, is no secret of its own."""
    sinks = {"a": MemorySink(), "b": SplittingSink(), "c": SplittingSink()}
    report = Pipeline({name: sinks[name] for name in ("a", "b")}).run(BLOCKS)
    first, second = (sink.report for sink in report.sinks)
    assert ({}, {"a": 1, "b": 2}) == (first.left_out, report.left_out)
    assert {"a": 2, "b": 4} == dict(Pipeline(sinks).run(BLOCKS).left_out)
    assert ((), ((STRAND, 3),)) == (first.not_atomic, second.not_atomic)
    assert ((STRAND, 3),) == report.not_atomic
    assert first.redactions_pending, "in memory nothing is redacted"
    assert (*first.redactions_pending, (STRAND, 5)) == report.redactions_pending
    assert [{"strand_id": STRAND, "sequence_no": 3}] == report.as_json()["not_atomic"]

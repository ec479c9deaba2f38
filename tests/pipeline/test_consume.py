"""`consume`: threads for source and sinks, back-pressure, a stop in good order."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import BacklogError, SinkUnavailableError, SourceError, UsageError
from qldb_stream.events import Block
from qldb_stream.inbox import InboxLimits, MemoryInbox, SqliteInbox
from qldb_stream.pipeline import RetryPolicy, _consume
from qldb_stream.report import GapFound, InboxFull, Position, StrandState
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import make_journal
from qldb_stream.typing import Item, LiveSource
from tests.pipeline.inboxes import (
    AwaySink,
    PickySink,
    Witness,
    delivery_of,
    make_pipeline,
    until,
)
from tests.pipeline.support import BLOCKS, JOURNAL, STRAND, number_of

ITEMS = delivery_of(JOURNAL, 5)


class FakeStream:
    """A live source: it gives what it has, then waits until it is stopped."""

    bounded = False

    def __init__(self, items: Sequence[Item], error: Exception | None = None) -> None:
        self.given = 0
        self.acknowledged = 0
        self.stopped = threading.Event()
        self._items = items
        self._error = error

    def items(self) -> Iterator[Item]:
        """Give everything, then wait."""
        for item in self._items:
            self.given += 1
            yield item
        if self._error is not None:
            raise self._error
        self.stopped.wait(60)

    def acknowledge(self, count: int) -> None:
        """Count."""
        self.acknowledged += count

    def stop(self) -> None:
        """End `items`."""
        self.stopped.set()


def consume(
    pipeline: Any, source: Any, stop: threading.Event
) -> tuple[threading.Thread, list[Any]]:
    """Consume in a thread; the list gets the report, or the error."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(pipeline.consume(source, stop=stop))
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            found.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, found


def test_a_source_that_ends_is_delivered_whole() -> None:
    """Each sink gets every block, in order, by a worker of its own."""
    one, two = MemorySink(), PickySink()
    report = make_pipeline({"one": one, "two": two}).consume(ITEMS)
    assert (True, 80) == (report.ok, report.applied)
    assert [StrandState.CURRENT] * 2 == [strand.state for strand in report.strands]
    # Whole or redacted: what one sink's redaction erased in the inbox, a slower one gets so.
    hashes = [block.block_hash for block in BLOCKS]
    assert (hashes, hashes) == tuple([b.block_hash for b in sink.blocks] for sink in (one, two))


def test_a_live_source_is_acknowledged_and_stopped() -> None:
    """What is durable is told to the source; a stop ends everything in good order."""
    source, sink, stop = FakeStream(ITEMS), MemorySink(), threading.Event()
    assert isinstance(source, LiveSource)
    thread, found = consume(make_pipeline(sink), source, stop)
    until(lambda: len(sink.blocks) == len(BLOCKS))
    until(lambda: source.acknowledged == len(ITEMS))
    stop.set()
    thread.join(20)
    assert source.stopped.is_set()
    assert found[0].applied == len(BLOCKS)


def test_a_failing_sink_does_not_hold_the_others_and_catches_up() -> None:
    """Its worker tries again by itself, without anything new."""
    away, good, stop = AwaySink(10**9), MemorySink(), threading.Event()
    source = FakeStream(ITEMS)
    pipeline = make_pipeline({"away": away, "good": good})
    thread, found = consume(pipeline, source, stop)
    until(lambda: len(good.blocks) == len(BLOCKS))
    assert [] == away.blocks
    away.times = 0
    until(lambda: len(away.blocks) == len(BLOCKS))
    stop.set()
    thread.join(20)
    assert found[0].applied == 2 * len(BLOCKS)


class SlowSink(MemorySink):
    """A sink that takes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Wait, then apply."""
        self.may.wait(60)
        return super().apply(blocks, position, token)


def test_a_slow_sink_makes_the_source_wait(tmp_path: Path) -> None:
    """When the inbox is full no more is read, however long the source is."""
    journal = make_journal(9, blocks=1200)
    items = list(delivery_of(journal))
    inbox = SqliteInbox(tmp_path / "inbox", limits=InboxLimits(records=600))
    source, sink, stop = FakeStream(items), SlowSink(), threading.Event()
    thread, found = consume(make_pipeline(sink, inbox), source, stop)
    until(lambda: inbox.status().strands != () and inbox.status().strands[0].records > 400)
    assert source.given <= 600 + 1000 + 500 + 1
    assert source.given < len(items)
    sink.may.set()
    until(lambda: len(sink.blocks) == 1200)
    stop.set()
    thread.join(20)
    assert found[0].ok
    assert list(journal) == sink.blocks
    inbox.close()


def test_a_full_inbox_without_what_is_waited_for_is_an_error() -> None:
    """Waiting would never make room: it is said, instead of standing still for ever."""
    inbox = MemoryInbox(limits=InboxLimits(records=20))
    items = [item for item in ITEMS if number_of(item) != 0]  # type: ignore[arg-type]
    with pytest.raises(BacklogError):
        make_pipeline(MemorySink(), inbox).consume(items)


def small_inbox() -> MemoryInbox:
    """An inbox that a few blocks fill."""
    return MemoryInbox(limits=InboxLimits(records=20))


def test_a_sink_that_stands_still_is_told_of_and_ends_it_by_name() -> None:
    """A full inbox is not waited with for ever: each minute a warning, then an error."""
    witness, source = Witness(), FakeStream(in_order(ITEMS))
    sinks = {"away": AwaySink(10**9), "good": MemorySink()}
    pipeline = make_pipeline(sinks, small_inbox(), observers=[witness])
    with pytest.raises(BacklogError, match=r"room since \d+ s: sink away: failed \(.*away") as info:
        pipeline.consume(source, full_for_s=200)
    told = witness.of(InboxFull)
    waits = [event.at_s - event.since_s for event in told if event.sink == "away"]
    # The clock moves while the sink's failures are waited out too, so by how much is not known.
    assert 0 == waits[0]
    assert len(waits) > 1
    assert all(60 <= later - sooner for sooner, later in pairwise(waits))
    assert waits[-1] < 200
    assert "registered" not in str(info.value)
    assert source.stopped.is_set()
    assert source.acknowledged <= 20


def test_room_that_is_made_in_time_ends_the_wait() -> None:
    """A sink that is back is given everything, and nothing is said to have been lost."""
    sink, inbox = AwaySink(400), small_inbox()
    report = make_pipeline(sink, inbox, retry=RetryPolicy(retries=3)).consume(in_order(ITEMS))
    assert (True, 40) == (report.ok, report.applied)


def in_order(items: Sequence[Item]) -> list[Item]:
    """Give items by their blocks' numbers."""
    return sorted(items, key=number_of)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_live", [True, False])
def test_a_sink_of_others_that_keeps_everything_is_named(*, is_live: bool) -> None:
    """What is registered and never delivered to fills the inbox; the error says whose it is."""
    inbox = small_inbox()
    inbox.register("old")
    items = in_order(ITEMS)
    source = FakeStream(items) if is_live else items
    with pytest.raises(BacklogError, match="sink old, which is registered and not delivered"):
        make_pipeline(MemorySink(), inbox).consume(source, full_for_s=90)


class HangingSink(MemorySink):
    """A sink that answers no more from some block on, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.may = threading.Event(), threading.Event()

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Hang."""
        self.hangs.set()
        self.may.wait(60)
        return super().apply(blocks, position, token)


def test_a_sink_that_never_answers_does_not_keep_it_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither when the inbox was full for too long, nor at a stop."""
    monkeypatch.setattr(_consume, "_LAST_RUN_S", 0.05)
    full, stopped = HangingSink(), HangingSink()
    with pytest.raises(BacklogError, match=r"room since \d+ s: sink sink: .*at work|answered"):
        make_pipeline(full, small_inbox()).consume(FakeStream(in_order(ITEMS)), full_for_s=90)
    stop = threading.Event()
    thread, found = consume(make_pipeline(stopped), FakeStream(ITEMS), stop)
    assert stopped.hangs.wait(20)
    stop.set()
    thread.join(20)
    assert "did not come to the end of a run" in str(found[0])
    for sink in (full, stopped):
        sink.may.set()
    until(lambda: not [t for t in threading.enumerate() if t.name == "qldb-stream sink"])


def test_what_was_waited_for_may_fill_the_inbox() -> None:
    """It came with more than finds room: the sinks are woken for it before that is an error."""
    witness, inbox = Witness(), small_inbox()
    first = [item for item in in_order(ITEMS) if number_of(item) in {1, 2, 3}]  # type: ignore[arg-type]
    assert len(first) < 19
    rest = [item for item in in_order(ITEMS) if number_of(item) not in {1, 2, 3}]  # type: ignore[arg-type]

    def items() -> Iterator[Item]:
        yield from first
        until(lambda: witness.of(GapFound) != [])
        yield from rest

    sink = MemorySink()
    report = make_pipeline(sink, inbox, observers=[witness]).consume(items())
    assert (True, len(BLOCKS)) == (report.ok, len(sink.blocks))


def test_an_inbox_that_is_away_for_a_moment_ends_nothing() -> None:
    """Whoever looks for strands tries again, as with all that may pass."""

    class Away(MemoryInbox):
        times = 3

        def strands(self) -> tuple[str, ...]:
            if self.times:
                self.times -= 1
                raise SinkUnavailableError("inbox", "it is away")
            return super().strands()

    sink = MemorySink()
    assert make_pipeline(sink, Away()).consume(ITEMS).ok
    assert len(BLOCKS) == len(sink.blocks)


def test_a_wait_of_no_time_is_refused() -> None:
    """It would end before it began."""
    with pytest.raises(UsageError, match="full_for_s is 0"):
        make_pipeline(MemorySink()).consume(ITEMS, full_for_s=0)


def test_a_source_that_fails_ends_it_after_what_came() -> None:
    """The failure is raised when what was read is delivered."""
    sink = MemorySink()
    with pytest.raises(SourceError):
        make_pipeline(sink).consume(FakeStream(ITEMS, SourceError("stream", "is gone")))
    assert BLOCKS == sink.blocks


def test_a_missing_start_ends_it() -> None:
    """It is an error of whoever calls, not of a sink."""
    with pytest.raises(UsageError, match="no start"):
        make_pipeline(MemorySink(), start=None).consume(FakeStream(ITEMS))


def test_a_sink_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """The others go on; the report says why it has nothing."""
    path = tmp_path / "held.jsonl"
    held = JsonlSink(path)
    good = MemorySink()
    report = make_pipeline({"held": f"jsonl:{path}", "good": good}).consume(ITEMS)
    held.close()
    assert ["held"] == list(report.sinks_failed)
    assert not report.ok
    assert BLOCKS == good.blocks


def test_a_url_is_opened_by_its_worker(tmp_path: Path) -> None:
    """It is closed at the end, and has everything."""
    url = f"jsonl:{tmp_path / 'out.jsonl'}"
    assert 40 == make_pipeline(url).consume(ITEMS).applied
    sink = JsonlSink(tmp_path / "out.jsonl")
    position = sink.position(STRAND)
    sink.close()
    assert position is not None
    assert 39 == position.sequence_no

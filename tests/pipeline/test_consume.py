"""`consume`: threads for source and sinks, back-pressure, a stop in good order."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import BacklogError, SourceError, UsageError
from qldb_stream.events import Block
from qldb_stream.inbox import InboxLimits, MemoryInbox, SqliteInbox
from qldb_stream.report import Position, StrandState
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import make_journal
from qldb_stream.typing import Item, LiveSource
from tests.pipeline.inboxes import (
    AwaySink,
    PickySink,
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

"""For whom an inbox keeps everything once a delivery has begun, or could not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qldb_stream.errors import InboxUnavailableError, UsageError
from qldb_stream.inbox import MemoryInbox
from qldb_stream.pipeline import Pipeline
from qldb_stream.report import InboxStatus
from qldb_stream.sinks.memory import MemorySink
from tests.pipeline.inboxes import make_pipeline
from tests.pipeline.support import BLOCKS


class WholeSink(MemorySink):
    """A sink that builds on every block."""

    takes_filtered = False


@pytest.mark.parametrize(
    "deliver",
    [
        lambda pipeline: pipeline.drain(),
        lambda pipeline: pipeline.handle_batch(BLOCKS[3:6]),
        lambda pipeline: pipeline.consume(BLOCKS[3:6]),
        lambda pipeline: pipeline.run(BLOCKS[3:6]),
    ],
)
def test_what_cannot_begin_is_not_registered(deliver: Callable[[Pipeline], Any]) -> None:
    """Neither without a start nor with a sink that bears no filter; who was there stays."""
    inbox = MemoryInbox()
    inbox.put(BLOCKS[:3], 1.0)
    inbox.register("other")
    pipeline = make_pipeline({"sink": WholeSink()}, inbox, start=None, filter=lambda block: block)
    with pytest.raises(UsageError):
        deliver(pipeline)

    assert ("other",) == inbox.status().sinks


def test_who_has_begun_stays_registered() -> None:
    """Another sink's failure, or one in another strand, takes nobody's records away."""
    inbox = MemoryInbox()
    inbox.put(BLOCKS[:3], 1.0)
    inbox.register("old")
    pipeline = make_pipeline({"first": MemorySink(), "old": WholeSink()}, inbox, start=0)
    assert pipeline.drain().ok
    pipeline = make_pipeline(
        {"first": MemorySink(), "old": WholeSink()}, inbox, start=0, filter=lambda block: block
    )
    with pytest.raises(UsageError):
        pipeline.drain()

    assert ("first", "old") == inbox.status().sinks


def test_the_reason_is_told_though_the_inbox_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be taken back now is no reason to hide what was wrong."""
    inbox = MemoryInbox()
    inbox.put(BLOCKS[:3], 1.0)

    def away(_self: MemoryInbox) -> InboxStatus:
        raise InboxUnavailableError("memory:", "it is away")

    monkeypatch.setattr(MemoryInbox, "status", away)
    with pytest.raises(UsageError, match="no start was given"):
        make_pipeline(MemorySink(), inbox, start=None).drain()

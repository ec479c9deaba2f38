"""What tests of deliveries from an inbox need: time that passes by itself, sinks that fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import attrs

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError
from qldb_stream.events import Block
from qldb_stream.hookspecs import hookimpl
from qldb_stream.inbox import MemoryInbox
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Pipeline
from qldb_stream.report import Guarantee, Position
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import Journal, make_delivery
from qldb_stream.typing import Inbox, Item, Sink

NOW_S = 1_700_000_000.0


class TestClock:
    """A clock on which waiting takes no time; it only moves on."""

    __test__ = False

    def __init__(self) -> None:
        self.time_s = NOW_S
        self.slept: list[float] = []

    def now_s(self) -> float:
        """Give the time."""
        return self.time_s

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.slept.append(seconds)
        self.time_s += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait a moment for other threads, and move on if nothing came."""
        if not event.wait(0.005):
            self.sleep(seconds)
        return event.is_set()


class PickySink(MemorySink):
    """A sink that refuses some blocks for good, and all of a run that has one of them."""

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self.refused = set(refused)
        self.calls: list[list[int]] = []
        self.tokens: list[int] = []

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, or refuse the whole run."""
        numbers = [block.address.sequence_no for block in blocks]
        self.calls.append(numbers)
        self.tokens.append(token)
        for number in numbers:
            if number in self.refused:
                raise SinkRefusedError("picky", position.strand_id, number, "it does not like it")
        return super().apply(blocks, position, token)

    def numbers(self) -> list[int]:
        """Give the numbers of the applied blocks, in order of arrival."""
        return [block.address.sequence_no for block in self.blocks]


class Refusing:
    """Another sink, but for one block, which is refused."""

    def __init__(self, sink: Sink, number: int) -> None:
        self._sink = sink
        self._number = number

    def position(self, strand_id: str) -> Position | None:
        """Ask the other."""
        return self._sink.position(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Refuse, or let the other apply."""
        if self._number in [each.address.sequence_no for each in blocks]:
            raise SinkRefusedError("refusing", position.strand_id, self._number, "not this one")
        return self._sink.apply(blocks, position, token)

    def close(self) -> None:
        """Leave the other open."""


class AwaySink(MemorySink):
    """A sink that is away so many times, before or after it applied."""

    def __init__(self, times: int, *, applies: bool = False) -> None:
        super().__init__()
        self.times = times
        self._applies = applies

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, or fail."""
        if self.times:
            self.times -= 1
            if self._applies:
                super().apply(blocks, position, token)
            raise SinkUnavailableError("away", "it is away")
        return super().apply(blocks, position, token)


class PlainSink:
    """A sink without a position, which keeps what it was given by key."""

    guarantee = Guarantee.AT_LEAST_ONCE

    def __init__(self) -> None:
        self.blocks: dict[int, Block] = {}
        self.given: list[int] = []

    def position(self, strand_id: str) -> Position | None:
        """Give nothing: it does not know."""
        return None if strand_id else self.position(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Take all."""
        assert blocks
        assert token
        self.blocks |= {block.address.sequence_no: block for block in blocks}
        self.given += [block.address.sequence_no for block in blocks]
        return position

    def close(self) -> None:
        """Do nothing."""


class ErasableSink(MemorySink):
    """A sink that notes which blocks it was to erase in."""

    def __init__(self) -> None:
        super().__init__()
        self.erased: list[int] = []
        self.is_away = False

    def position(self, strand_id: str) -> Position | None:
        """Answer, or be away."""
        if self.is_away:
            raise SinkUnavailableError("erasable", "it is away")
        return super().position(strand_id)

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """Take note."""
        assert token
        self.erased += [block.address.sequence_no for block in blocks]


@attrs.frozen
class Witness:
    """An observer that keeps what it was told."""

    told: list[Any] = attrs.field(factory=list, eq=False)

    @hookimpl
    def qldb_stream_block_delivered(self, event: Any) -> None:
        """Keep it."""
        self.told.append(event)

    @hookimpl
    def qldb_stream_block_parked(self, event: Any) -> None:
        """Keep it."""
        self.told.append(event)

    @hookimpl
    def qldb_stream_gap_found(self, event: Any) -> None:
        """Keep it."""
        self.told.append(event)

    @hookimpl
    def qldb_stream_inbox_full(self, event: Any) -> None:
        """Keep it."""
        self.told.append(event)

    @hookimpl
    def qldb_stream_batch_done(self, event: Any) -> None:
        """Keep it."""
        self.told.append(event)

    def of(self, kind: type) -> list[Any]:
        """Give what was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]


def make_pipeline(sink: Any, inbox: Inbox | None = None, **more: Any) -> Pipeline:
    """Make a pipeline with an inbox in memory, a start, and time that passes by itself."""
    settings: dict[str, Any] = {"start": 0, "clock": TestClock(), "chance": Random(1)} | more
    return Pipeline(sink, inbox=MemoryInbox() if inbox is None else inbox, **settings)


def delivery_of(journal: Journal, seed: int = 0) -> list[Item]:
    """Give a journal's events as one delivery brings them."""
    return [parse_record(data) for data in make_delivery(journal.iter_records(), seed=seed)]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that other threads bring about."""
    event = threading.Event()
    for _ in range(2000):
        if condition():
            return
        event.wait(0.005)
    raise AssertionError("it never came about")

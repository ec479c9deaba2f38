"""Sinks and inboxes whose callers die, or which fail, before and after any call."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError
from qldb_stream.events import Block
from qldb_stream.report import Guarantee, Position
from qldb_stream.typing import Inbox, Sink

_STATED: Final = ("put", "store_position", "park", "unpark", "release", "trim", "erase", "renew")


class CrashError(BaseException):
    """A worker dies here; like a kill, it is nothing that the library may catch."""


@attrs.define
class Fate:
    """Decides what befalls a call, and counts it; `die` does not return."""

    chance: random.Random
    die: Callable[[], Any]
    deaths: float
    failures: float
    counts: Counter[str] = attrs.field(factory=Counter)
    lock: Any = attrs.field(factory=threading.Lock)

    def befall(self, where: str, *, may_fail: bool = False) -> None:
        """Let the caller die, or fail, or go on."""
        with self.lock:
            drawn = self.chance.random()
        if drawn < self.deaths:
            self.counts[f"died at {where}"] += 1
            self.die()
        elif may_fail and drawn < self.deaths + self.failures:
            self.counts[f"sink away at {where}"] += 1
            raise SinkUnavailableError("soak", "it is away")


class FragileSink:
    """A sink that fails or dies before or after each call; one call at a time."""

    def __init__(self, sink: Sink, fate: Fate, refused: Iterable[int] = ()) -> None:
        self.sink = sink
        self.refused = set(refused)
        self._fate = fate
        self._lock = threading.RLock()
        self.can_park = bool(self.refused)
        self.guarantee = getattr(sink, "guarantee", None) or Guarantee.EXACTLY_ONCE

    def position(self, strand_id: str) -> Position | None:
        """Ask the sink."""
        self._fate.befall("position", may_fail=True)
        return self.sink.position(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, unless one of the blocks is refused."""
        self._fate.befall("apply, before", may_fail=True)
        for block in blocks:
            number = block.address.sequence_no
            if number in self.refused:
                raise SinkRefusedError("soak", position.strand_id, number, "not now")
        with self._lock:
            reached = self.sink.apply(blocks, position, token)
        self._fate.befall("apply, after", may_fail=True)
        return reached

    def close(self) -> None:
        """Close the sink."""
        self.sink.close()


class FragileInbox:
    """An inbox whose caller dies before or after a call that changes it."""

    def __init__(self, inbox: Inbox, fate: Fate) -> None:
        self._inbox = inbox
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        """Give a method of the inbox, dangerous where it changes something."""
        method = getattr(self._inbox, name)
        if name not in _STATED:
            return method

        def call(*arguments: Any, **more: Any) -> Any:
            self._fate.befall(f"{name}, before")
            answer = method(*arguments, **more)
            self._fate.befall(f"{name}, after")
            return answer

        return call

"""
The thread of one sink in a `consume`: it delivers what waits, whenever it is woken.

It is woken when something came, and looks now and then without. What it does not get to, because
its sink is away or another process holds the strand, it looks at again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from qldb_stream.errors import PluginError, QldbStreamError, UsageError
from qldb_stream.pipeline._batch import InboxDelivery
from qldb_stream.pipeline._clock import Clock
from qldb_stream.pipeline._sinks import OpenSinks
from qldb_stream.pipeline._target import SinkPlan
from qldb_stream.report import StrandDelivery, StrandState

__all__ = ["Worker"]

_LISTED: Final = 10_000  # blocks that are named in a report of work without an end


class Worker(threading.Thread):
    """
    Delivers to one sink what waits, whenever it is woken, and now and then without.

    Attributes:
        plan: the sink.
        error: what ended it, other than the sink's failures.
        failure: why the sink could not be opened the last time.
        state: the worst of how it stands with its strands; None while it is at work.
        last: the same as of the last time that it came to the end of its work; None before.
        detail: why it stood so, without contents.
    """

    def __init__(
        self,
        delivery: InboxDelivery,
        plan: SinkPlan,
        is_over: Callable[[], bool],
        progress: threading.Event,
        drain_every_s: float,
    ) -> None:
        # A thread that dies with the process: a sink that never answers cannot be made to.
        super().__init__(name=f"qldb-stream {plan.name}", daemon=True)
        self.plan = plan
        self.error: BaseException | None = None
        self.failure: str | None = None
        self.state: StrandState | None = None
        self.last: StrandState | None = None
        self.detail = ""
        self._is_over = is_over
        self._progress = progress
        self._every_s = drain_every_s
        self._clock = _WorkersClock(delivery.rules.clock, is_over)
        rules = attrs.evolve(delivery.rules, clock=self._clock)
        self._delivery = attrs.evolve(delivery, rules=rules, sinks=OpenSinks(rules))
        self._woken = threading.Event()
        self._is_ending = False
        self._lock = threading.Lock()
        self._totals: dict[str, StrandDelivery] = {}

    def look(self) -> None:
        """Take note that something came."""
        with self._lock:
            self.state = None
            self._woken.set()

    def end(self) -> None:
        """Take note that nothing more comes: look once more, then end."""
        self._is_ending = True
        self._clock.wake()
        self._woken.set()

    def totals(self) -> tuple[StrandDelivery, ...]:
        """Sum up by strand."""
        return tuple(self._totals.values())

    def run(self) -> None:
        """Deliver until the end."""
        try:
            try:
                self._work()
            finally:
                self._delivery.sinks.close()
        except BaseException as exc:  # noqa: BLE001 - it is raised again in the caller's thread
            self.error = exc
        finally:
            self._progress.set()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            self._woken.clear()  # before all else: who wakes it from here on is heard
            is_last = self._is_ending  # before the look: what came until then is seen
            found = self._drain()
            with self._lock:
                self.last, self.detail = _worst(found, self.failure)
                if not self._woken.is_set():
                    self.state = self.last
            self._progress.set()
            if not (is_last or self._is_over()):
                self._clock.wait(self._woken, self._every_s)

    def _drain(self) -> list[StrandDelivery]:
        try:
            strands = self._delivery.rules.retrying(self.plan.name).call(
                self._delivery.inbox.strands
            )
            found = self._delivery.drain_sink(self.plan, strands, self._is_over)
        except (UsageError, PluginError):
            raise
        except QldbStreamError as exc:
            self.failure = str(exc)
            return []
        self.failure = None
        for delivery in found:
            self._totals[delivery.strand_id] = _sum(self._totals.get(delivery.strand_id), delivery)
        return found


class _WorkersClock:
    """A clock that lets no time pass any more when the work is over."""

    def __init__(self, clock: Clock, is_over: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_over = is_over
        self._woken = threading.Event()

    def now_s(self) -> float:
        """Give the time in seconds since 1970."""
        return self._clock.now_s()

    def sleep(self, seconds: float) -> None:
        """Let some seconds pass, unless the end comes first."""
        if not self._is_over():
            self._clock.wait(self._woken, seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, some seconds at most; say whether it is set."""
        return self._clock.wait(event, seconds)

    def wake(self) -> None:
        """End all sleep."""
        self._woken.set()


_BY_WEIGHT: Final = (
    StrandState.FAILED,
    StrandState.BUSY,
    StrandState.CUT,
    StrandState.STOPPED,
    StrandState.WAITING,
)


def _worst(found: Sequence[StrandDelivery], failure: str | None) -> tuple[StrandState, str]:
    """Give the state that says most about whether room will be made, and why it is so."""
    if failure is not None:
        return StrandState.FAILED, failure
    by_state = {delivery.state: delivery for delivery in reversed(found)}
    for state in _BY_WEIGHT:
        if state in by_state:
            return state, by_state[state].detail
    return StrandState.CURRENT, ""


def _sum(before: StrandDelivery | None, now: StrandDelivery) -> StrandDelivery:
    """Add up what was applied; the rest is as it is now."""
    if before is None:
        return now
    applied, parked = before.applied + now.applied, before.parked + now.parked
    position = now.position or before.position
    split = (before.not_atomic + now.not_atomic)[-_LISTED:]
    return attrs.evolve(now, applied=applied, parked=parked, position=position, not_atomic=split)

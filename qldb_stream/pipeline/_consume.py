"""
`consume`: a live source into the inbox, and from there to every sink at its own pace.

One thread reads the source, ahead of the next by a bounded number of items; the caller's
thread puts what was read into the inbox, batch by batch; one thread for each sink delivers. So
a sink that is slow or fails holds nobody up: what it lacks stays in the inbox. When the inbox is
full nothing more is put, nothing more is read, and memory stays bounded.

Nothing is acknowledged to the source before it is durable. A stop ends it in good order: the run
under way is applied, leases are given back, and what was read and not put comes again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from qldb_stream.errors import BacklogError, PluginError, QldbStreamError, UsageError
from qldb_stream.events import Block
from qldb_stream.pipeline._batch import InboxDelivery, redacted_numbers
from qldb_stream.pipeline._clock import Clock
from qldb_stream.pipeline._inputs import Input, iter_placed
from qldb_stream.pipeline._sinks import OpenSinks
from qldb_stream.pipeline._target import SinkPlan
from qldb_stream.report import DeliveryReport, StrandDelivery, StrandState
from qldb_stream.typing import Item, LiveSource

__all__ = ["DRAIN_EVERY_S", "Consumer"]

DRAIN_EVERY_S: Final = 30.0
"""How often a sink's worker looks for what nothing woke it for."""

_AHEAD_ITEMS: Final = 1000  # read and not yet put
_BATCH_ITEMS: Final = 500
_POLL_S: Final = 0.1  # how soon a stop is noticed where nothing else wakes the caller
_LISTED: Final = 10_000  # blocks that are named in a report of work without an end
_FULL_S: Final = 1.0  # how long a full inbox is left alone


class Consumer:
    """
    Runs the threads of one `consume`.

    Args:
        delivery: inbox and sinks; its open sinks are not used, each worker opens its own.
        source: what is read.
        stop: set it from anywhere to end in good order.
        drain_every_s: how often workers look without being woken.
    """

    def __init__(
        self,
        delivery: InboxDelivery,
        source: Input,
        stop: threading.Event,
        drain_every_s: float = DRAIN_EVERY_S,
    ) -> None:
        self._delivery = delivery
        self._source = source
        self._stop = stop
        self._aborted = threading.Event()
        self._clock = delivery.rules.clock
        self._ahead = _Ahead(source)
        self._progress = threading.Event()
        self._workers = [
            _Worker(delivery, plan, self._is_over, self._progress, drain_every_s)
            for plan in delivery.plans
        ]

    def run(self) -> DeliveryReport:
        """
        Consume until the source ends or a stop is asked for.

        Raises:
            QldbStreamError: the source or the inbox failed, or a sink cannot be used at all.
        """
        self._delivery.register()
        for thread in (self._ahead, *self._workers):
            thread.start()
        try:
            self._put_all()
        except BaseException:
            self._aborted.set()
            raise
        finally:
            self._end()
        self._raise_failures()
        return DeliveryReport(
            tuple(found for worker in self._workers for found in worker.totals()),
            {w.plan.name: w.failure for w in self._workers if w.failure is not None},
        )

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._aborted.is_set()

    def _put_all(self) -> None:
        while not self._is_over():
            batch = self._ahead.take(_BATCH_ITEMS)
            if batch is None:
                return
            if any(worker.error is not None for worker in self._workers):
                self._aborted.set()
            elif batch and self._put(batch):
                self._wake(redacted_numbers(batch))
                if isinstance(self._source, LiveSource):
                    self._source.acknowledge(len(batch))

    def _put(self, batch: Sequence[Item | Block]) -> bool:
        """Put a batch; wait while the inbox is full. False when a stop came first."""
        while batch and not self._is_over():
            self._progress.clear()
            try:
                batch = batch[self._delivery.put_some(batch) :]
            except BacklogError:
                if self._is_stuck():
                    raise
                self._wake({})
                self._clock.wait(self._progress, _FULL_S)
        return not batch

    def _is_stuck(self) -> bool:
        """
        Say whether waiting makes no room.

        A sink at work or one that failed may make room, and a person may mend one that stopped;
        but when all have what they can get, what they wait for is not in the inbox and finds no
        room there. A source that ends is not waited with until a person comes.
        """
        states = {worker.state for worker in self._workers}
        if states <= {StrandState.CURRENT, StrandState.WAITING}:
            return StrandState.WAITING in states
        is_live = isinstance(self._source, LiveSource)
        return not is_live and not states & {None, StrandState.FAILED, StrandState.BUSY}

    def _wake(self, behind: Mapping[str, Sequence[int]]) -> None:
        for worker in self._workers:
            worker.look(behind)

    def _end(self) -> None:
        """Let everybody come to an end, in good order."""
        self._ahead.close()
        if self._is_over() and isinstance(self._source, LiveSource):
            self._source.stop()
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.join()

    def _raise_failures(self) -> None:
        errors = [worker.error for worker in self._workers] + [self._ahead.error]
        for error in errors:
            if error is not None:
                raise error


class _Ahead(threading.Thread):
    """
    Reads a source, a bounded number of items ahead of whoever takes them.

    A thread that dies with the process: a source that never gives its next item cannot be made
    to end.
    """

    def __init__(self, source: Input) -> None:
        super().__init__(name="qldb-stream source", daemon=True)
        self.error: BaseException | None = None
        self._source = source
        self._items: deque[Item | Block] = deque()
        self._changed = threading.Condition()
        self._is_over = False

    def run(self) -> None:
        """Read to the end, or until nobody takes any more."""
        try:
            for _, item in iter_placed(self._source):
                if not self._give(item):
                    return
        except BaseException as exc:  # noqa: BLE001 - it is raised again in the caller's thread
            self.error = exc
        finally:
            self.close()

    def take(self, most: int) -> list[Item | Block] | None:
        """Give what was read, at most so much; nothing after a while, None at the end."""
        with self._changed:
            if not self._items and not self._is_over:
                self._changed.wait(_POLL_S)
            if not self._items and self._is_over:
                return None
            count = min(most, len(self._items))
            taken = [self._items.popleft() for _ in range(count)]
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Read no more; what was read can still be taken."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _give(self, item: Item | Block) -> bool:
        with self._changed:
            while len(self._items) >= _AHEAD_ITEMS and not self._is_over:
                self._changed.wait()
            if self._is_over:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True


class _Worker(threading.Thread):
    """
    Delivers to one sink what waits, whenever it is woken, and now and then without.

    Attributes:
        plan: the sink.
        error: what ended it, other than the sink's failures.
        failure: why the sink could not be opened the last time.
        state: the worst of how it stands with its strands; None while it is at work.
    """

    def __init__(
        self,
        delivery: InboxDelivery,
        plan: SinkPlan,
        is_over: Callable[[], bool],
        progress: threading.Event,
        drain_every_s: float,
    ) -> None:
        super().__init__(name=f"qldb-stream {plan.name}")
        self.plan = plan
        self.error: BaseException | None = None
        self.failure: str | None = None
        self.state: StrandState | None = None
        self._is_over = is_over
        self._progress = progress
        self._every_s = drain_every_s
        self._clock = _WorkersClock(delivery.rules.clock, is_over)
        rules = attrs.evolve(delivery.rules, clock=self._clock)
        self._delivery = attrs.evolve(delivery, rules=rules, sinks=OpenSinks(rules))
        self._woken = threading.Event()
        self._is_ending = False
        self._lock = threading.Lock()
        self._behind: dict[str, list[int]] = {}
        self._totals: dict[str, StrandDelivery] = {}

    def look(self, behind: Mapping[str, Sequence[int]]) -> None:
        """Take note that something came; `behind` as `SinkDrain.drain` takes it."""
        with self._lock:
            for strand_id, numbers in behind.items():
                self._behind.setdefault(strand_id, []).extend(numbers)
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
            is_last = self._is_ending  # before the look: what came until then is seen
            self._woken.clear()
            found = self._drain()
            with self._lock:
                if not self._woken.is_set():
                    self.state = _worst(found, self.failure)
            self._progress.set()
            if not (is_last or self._is_over()):
                self._clock.wait(self._woken, self._every_s)

    def _drain(self) -> list[StrandDelivery]:
        with self._lock:
            behind, self._behind = self._behind, {}
        strands = self._delivery.inbox.strands()
        try:
            found = self._delivery.drain_sink(self.plan, strands, self._is_over, behind)
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


def _worst(found: Sequence[StrandDelivery], failure: str | None) -> StrandState:
    """Give the state that says most about whether room will be made."""
    if failure is not None:
        return StrandState.FAILED
    states = {delivery.state for delivery in found}
    return next((state for state in _BY_WEIGHT if state in states), StrandState.CURRENT)


def _sum(before: StrandDelivery | None, now: StrandDelivery) -> StrandDelivery:
    """Add up what was applied; the rest is as it is now."""
    if before is None:
        return now
    applied, parked = before.applied + now.applied, before.parked + now.parked
    position = now.position or before.position
    split = (before.not_atomic + now.not_atomic)[-_LISTED:]
    return attrs.evolve(now, applied=applied, parked=parked, position=position, not_atomic=split)

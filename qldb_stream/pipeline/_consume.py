"""
`consume`: a live source into the inbox, and from there to every sink at its own pace.

One thread reads the source, ahead of the next by a bounded number of items; the caller's
thread puts what was read into the inbox, batch by batch; one thread for each sink delivers. So
a sink that is slow or fails holds nobody up: what it lacks stays in the inbox. When the inbox is
full nothing more is put, nothing more is read, and memory stays bounded; how long that may last
is in `_full`.

Nothing is acknowledged to the source before it is durable. A stop ends it in good order: the run
under way is applied, leases are given back, and what was read and not put comes again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import BacklogError, SinkUnavailableError
from qldb_stream.events import Block
from qldb_stream.pipeline._batch import InboxDelivery
from qldb_stream.pipeline._full import FULL_FOR_S, Patience
from qldb_stream.pipeline._inputs import Input, iter_placed
from qldb_stream.pipeline._worker import Worker
from qldb_stream.report import DeliveryReport
from qldb_stream.typing import Item, LiveSource

__all__ = ["DRAIN_EVERY_S", "Consumer"]

DRAIN_EVERY_S: Final = 30.0
"""How often a sink's worker looks for what nothing woke it for."""

_AHEAD_ITEMS: Final = 1000  # read and not yet put
_BATCH_ITEMS: Final = 500
_POLL_S: Final = 0.1  # how soon a stop is noticed where nothing else wakes the caller
_FULL_S: Final = 1.0  # how long a full inbox is left alone
_LAST_RUN_S: Final = 300.0  # how long a sink may take over its last run, once all is to end


class Consumer:
    """
    Runs the threads of one `consume`.

    Args:
        delivery: inbox and sinks; its open sinks are not used, each worker opens its own.
        source: what is read.
        stop: set it from anywhere to end in good order.
        drain_every_s: how often workers look without being woken.
        full_for_s: how long a full inbox is waited with.
    """

    def __init__(
        self,
        delivery: InboxDelivery,
        source: Input,
        stop: threading.Event,
        drain_every_s: float = DRAIN_EVERY_S,
        full_for_s: float = FULL_FOR_S,
    ) -> None:
        self._delivery = delivery
        self._source = source
        self._stop = stop
        self._aborted = threading.Event()
        self._clock = delivery.rules.clock
        self._ahead = _Ahead(source)
        self._progress = threading.Event()
        self._workers = [
            Worker(delivery, plan, self._is_over, self._progress, drain_every_s)
            for plan in delivery.plans
        ]
        self._patience = Patience(
            self._workers,
            delivery.rules,
            delivery.inbox.status,
            is_live=isinstance(source, LiveSource),
            full_for_s=full_for_s,
        )

    def run(self) -> DeliveryReport:
        """
        Consume until the source ends or a stop is asked for.

        Raises:
            QldbStreamError: the source or the inbox failed, or a sink cannot be used at all.
        """
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
            self._end_if_broken()
            if batch and self._put(batch) and isinstance(self._source, LiveSource):
                self._source.acknowledge(len(batch))

    def _put(self, batch: Sequence[Item | Block]) -> bool:
        """Put a batch; wait while the inbox is full. False when a stop came first."""
        while batch and not self._is_over():
            self._progress.clear()
            try:
                count = self._delivery.put_some(batch)
            except BacklogError as exc:
                self._patience.go_on(exc)
                self._wake()
                self._clock.wait(self._progress, _FULL_S)
                self._end_if_broken()
                continue
            self._patience.end()
            # Also when there is more to put: what was put may be what they wait for.
            self._wake()
            batch = batch[count:]
        return not batch

    def _end_if_broken(self) -> None:
        if any(worker.error is not None for worker in self._workers):
            self._aborted.set()

    def _wake(self) -> None:
        for worker in self._workers:
            worker.look()

    def _end(self) -> None:
        """Let everybody come to an end, in good order."""
        self._ahead.close()
        if self._is_over() and isinstance(self._source, LiveSource):
            self._source.stop()
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            self._join(worker)

    def _join(self, worker: Worker) -> None:
        """Wait for a worker; once all is over, only for so long as one run may take."""
        while worker.is_alive() and not self._is_over():
            worker.join(_POLL_S)
        worker.join(_LAST_RUN_S)

    def _raise_failures(self) -> None:
        errors = [worker.error for worker in self._workers] + [self._ahead.error]
        for error in errors:
            if error is not None:
                raise error
        for worker in self._workers:
            if worker.is_alive():
                problem = f"it did not come to the end of a run within {_LAST_RUN_S:.0f} s"
                raise SinkUnavailableError(worker.plan.name, problem)


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

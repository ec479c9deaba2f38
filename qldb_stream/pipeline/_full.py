"""
What becomes of a `consume` whose inbox is full: patience, said aloud, and an end to it.

A sink at work or one that failed may make room, and a person may mend one that stopped. But
when all have what they can get, what they wait for is not in the inbox and finds no room there;
and a source that ends is not waited with until a person comes. In any other case the wait has a
limit, and observers are told again and again whom it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from qldb_stream.errors import BacklogError
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._worker import Worker
from qldb_stream.report import InboxFull, InboxStatus, SinkWait, StrandState, WaitState

__all__ = ["FULL_FOR_S", "Patience"]

FULL_FOR_S: Final = 3600.0
"""How long a full inbox is waited with: longer than a database takes to restart or to restore."""

_TELL_EVERY_S: Final = 60.0
_SHOWN: Final = 3  # sinks in a message; more would bury it


class Patience:
    """
    Waits for room in an inbox, within a limit.

    Args:
        workers: those who make room.
        rules: the clock, and who is told.
        status: what the inbox holds, to name sinks that others registered.
        is_live: whether the source has no end.
        full_for_s: the limit.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        rules: DeliveryRules,
        status: Callable[[], InboxStatus],
        *,
        is_live: bool,
        full_for_s: float,
    ) -> None:
        self._workers = workers
        self._rules = rules
        self._status = status
        self._is_live = is_live
        self._full_for_s = full_for_s
        self._since_s: float | None = None
        self._told_s: float | None = None

    def end(self) -> None:
        """Take note that there was room."""
        self._since_s = None

    def go_on(self, error: BacklogError) -> None:
        """
        Take note that there was none; tell observers when it is time to.

        Raises:
            BacklogError: no room will be made, or none was for too long; it names the sinks.
        """
        now_s = self._rules.clock.now_s()
        if self._since_s is None:
            self._since_s, self._told_s = now_s, None
        waited_s = now_s - self._since_s
        if self._is_stuck() or waited_s >= self._full_for_s:
            raise self._error(error, waited_s) from error
        if self._told_s is None or now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self._tell(self._since_s, now_s)

    def _is_stuck(self) -> bool:
        states = {worker.state for worker in self._workers}
        if states <= {StrandState.CURRENT, StrandState.WAITING}:
            return StrandState.WAITING in states
        return not self._is_live and not states & {None, StrandState.FAILED, StrandState.BUSY}

    def _tell(self, since_s: float, now_s: float) -> None:
        late = self._late()
        for worker in self._workers:
            if worker.plan.name in late:
                event = InboxFull(worker.plan.name, worker.last, since_s, now_s)
                self._rules.observers.tell("qldb_stream_inbox_full", event)

    def _late(self) -> dict[str, SinkWait]:
        """Find the sinks that have not all that is stored, each with something that it lacks."""
        waits = self._rules.retrying("").call(self._status).waits
        return {wait.sink: wait for wait in waits if wait.state is not WaitState.NOTHING}

    def _error(self, error: BacklogError, waited_s: float) -> BacklogError:
        late = self._late()
        ours = {worker.plan.name: worker for worker in self._workers}
        said = [_say(worker) for name, worker in ours.items() if name in late]
        said += [_say_other(wait) for name, wait in late.items() if name not in ours]
        named = "; ".join(said[:_SHOWN]) + (f"; {len(said) - _SHOWN} more" * (len(said) > _SHOWN))
        since = f" since {waited_s:.0f} s" if waited_s else ""
        return BacklogError(error.limit, error.unit, f"room{since}: {named or error.waits_for}")


def _say(worker: Worker) -> str:
    """Say how one of our sinks stands."""
    last = "has not answered yet" if worker.last is None else worker.last.value
    now = ", and at work again" if worker.last is not None and worker.state is None else ""
    return f"sink {worker.plan.name}: {last}{f' ({worker.detail})' if worker.detail else ''}{now}"


def _say_other(wait: SinkWait) -> str:
    """Say what a sink keeps that nobody delivers to here."""
    return (
        f"sink {wait.sink}, which is registered and not delivered to here, lacks block "
        f"{wait.strand_id}/{wait.next} and all after it; deliver to it, or forget it"
    )

"""What `qldb-stream status` says of an inbox, as OpenTelemetry gauges: the same numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from qldb_stream.errors import QldbStreamError
from qldb_stream.observe._otel import make_meter
from qldb_stream.report import InboxStatus, WaitState
from qldb_stream.sinks.url import mask_url
from qldb_stream.typing import Inbox

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

__all__ = ["observe_inbox"]

_Value: TypeAlias = tuple[float, dict[str, str]]
_Read: TypeAlias = Callable[[InboxStatus, float], Iterator[_Value]]


def observe_inbox(
    inbox: Inbox,
    meter_provider: MeterProvider | None = None,
    *,
    now_s: Callable[[], float] = time.time,
) -> None:
    """
    Have every collection of metrics read an inbox; do it once for each inbox.

    The gauges are those of docs/observe.md that begin with `qldb_stream.inbox.`; each asks for
    a `status` of its own. Where that fails, as after `close`, there is nothing to observe.

    Args:
        inbox: read from the thread that collects.
        meter_provider: who gets metrics; the process's own when None.
        now_s: the time in seconds since 1970; for tests.

    Raises:
        UsageError: the extra `otel` is not installed.
    """
    meter = make_meter(meter_provider)
    for name, unit, summary, read in _GAUGES:
        callback = _make_callback(inbox, read, now_s)
        meter.create_observable_gauge(name, [callback], unit, summary)


def _make_callback(
    inbox: Inbox, read: _Read, now_s: Callable[[], float]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    from opentelemetry.metrics import Observation

    def observe(_options: CallbackOptions) -> list[Observation]:
        try:
            status = inbox.status()
        except QldbStreamError:
            return []  # the delivery that meets it too says what is wrong
        return [Observation(value, attributes) for value, attributes in read(status, now_s())]

    return observe


def _of(sink: str, strand_id: str) -> dict[str, str]:
    return {"qldb_stream.sink": mask_url(sink), "qldb_stream.strand_id": strand_id}


def _behind(status: InboxStatus, _now_s: float) -> Iterator[_Value]:
    for wait in status.waits:
        yield wait.behind, _of(wait.sink, wait.strand_id)


def _lag(status: InboxStatus, now_s: float) -> Iterator[_Value]:
    for wait in status.waits:
        lag_s = 0.0 if wait.since_s is None else max(0.0, now_s - wait.since_s)
        yield lag_s, _of(wait.sink, wait.strand_id)


def _gap(status: InboxStatus, _now_s: float) -> Iterator[_Value]:
    for wait in status.waits:
        stuck = wait.state in (WaitState.MISSING, WaitState.INCOMPLETE)
        yield int(stuck), _of(wait.sink, wait.strand_id)


def _verified(status: InboxStatus, _now_s: float) -> Iterator[_Value]:
    for sink, position in status.positions:
        yield position.sequence_no, _of(sink, position.strand_id)


def _parked(status: InboxStatus, _now_s: float) -> Iterator[_Value]:
    # A sink of which nothing is parked any more must fall back to 0, not vanish.
    counts = {(wait.sink, wait.strand_id): 0 for wait in status.waits}
    counts |= {(sink, strand_id): count for sink, strand_id, count in status.parked}
    for (sink, strand_id), count in counts.items():
        yield count, _of(sink, strand_id)


def _records(status: InboxStatus, _now_s: float) -> Iterator[_Value]:
    for strand in status.strands:
        yield strand.records, {"qldb_stream.strand_id": strand.strand_id}


def _quarantined(status: InboxStatus, _now_s: float) -> Iterator[_Value]:
    yield status.quarantined, {}


_GAUGES: Final[tuple[tuple[str, str, str, _Read], ...]] = (
    (
        "qldb_stream.inbox.behind",
        "{block}",
        "Blocks from the next to the last stored.",
        _behind,
    ),
    ("qldb_stream.inbox.lag", "s", "Since when the first undelivered block waits.", _lag),
    ("qldb_stream.inbox.gap", "1", "1 while the next block is missing or not whole.", _gap),
    ("qldb_stream.inbox.verified_through", "{block}", "The sink's position.", _verified),
    ("qldb_stream.inbox.parked", "{block}", "Blocks that are parked now.", _parked),
    ("qldb_stream.inbox.records", "{record}", "Records that are stored.", _records),
    ("qldb_stream.inbox.quarantined", "{record}", "Records that could not be read.", _quarantined),
)

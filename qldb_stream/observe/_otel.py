"""
What happens in a delivery as OpenTelemetry metrics and spans (extra `otel`).

Only the API is used: which SDK gets it, and where it goes, is the application's. Metrics have
the attributes `sink` and `strand_id` alone, of which there are few; numbers of blocks are in spans.
https://opentelemetry.io/docs/specs/otel/metrics/api/ has the instruments.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import hookimpl
from qldb_stream.report import BatchDone, BlockDelivered, BlockParked, GapFound, InboxFull
from qldb_stream.sinks.url import mask_url

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["TelemetryObserver", "make_meter"]

SCOPE: Final = "qldb_stream"

_SECOND_NS: Final = 1_000_000_000


class TelemetryObserver:
    """
    Tells what the hooks tell to OpenTelemetry.

    Args:
        meter_provider: who gets metrics; the process's own when None.
        tracer_provider: who gets spans; the process's own when None.

    Raises:
        UsageError: the extra `otel` is not installed.
    """

    def __init__(
        self,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        meter = make_meter(meter_provider)
        from opentelemetry import trace

        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._current_span = trace.get_current_span
        self._blocks = meter.create_counter(
            "qldb_stream.blocks.delivered", "{block}", "Blocks that a sink has durably applied."
        )
        self._revisions = meter.create_counter(
            "qldb_stream.revisions.delivered", "{revision}", "Revisions of delivered blocks."
        )
        self._parked = meter.create_counter(
            "qldb_stream.blocks.parked", "{block}", "Blocks that were put aside."
        )
        self._gaps = meter.create_counter(
            "qldb_stream.gaps.found", "{gap}", "Holes that hold a strand back."
        )
        self._full = meter.create_counter(
            "qldb_stream.inbox.full", "{time}", "Full inboxes that held a source up for a sink."
        )
        self._verified = meter.create_gauge(
            "qldb_stream.verified_through", "{block}", "The last block of the sink's position."
        )
        self._lag = meter.create_gauge(
            "qldb_stream.delivery.lag", "s", "From a block's commit until a sink had it."
        )
        self._durations = meter.create_histogram(
            "qldb_stream.batch.duration", "s", "How long a sink worked on a run of blocks."
        )

    @hookimpl
    def qldb_stream_block_delivered(self, event: BlockDelivered) -> None:
        """Set the lag; blocks are counted by the run, which costs less."""
        lag_s = event.at_s - event.block_timestamp.timestamp()
        self._lag.set(lag_s, _attributes(event.sink, event.address.strand_id))

    @hookimpl
    def qldb_stream_block_parked(self, event: BlockParked) -> None:
        """Count the block, move the position, and add an event to the current span."""
        number = event.address.sequence_no
        attributes = _attributes(event.sink, event.address.strand_id)
        self._parked.add(1, attributes)
        self._verified.set(number, attributes)  # a position passes over what is parked
        more = {"qldb_stream.sequence_no": number, "qldb_stream.reason": event.reason.value}
        self._current_span().add_event("qldb_stream.block_parked", {**attributes, **more})

    @hookimpl
    def qldb_stream_gap_found(self, event: GapFound) -> None:
        """Count the hole, and add an event to the current span."""
        attributes = _attributes(event.sink, event.strand_id)
        self._gaps.add(1, attributes)
        more = {"qldb_stream.sequence_no": event.first}
        self._current_span().add_event("qldb_stream.gap_found", {**attributes, **more})

    @hookimpl
    def qldb_stream_inbox_full(self, event: InboxFull) -> None:
        """Count it, and add an event to the current span; it is about no strand."""
        attributes = {"qldb_stream.sink": mask_url(event.sink)}
        self._full.add(1, attributes)
        state = "" if event.state is None else event.state.value
        waited_s = event.at_s - event.since_s
        self._current_span().add_event(
            "qldb_stream.inbox_full",
            {**attributes, "qldb_stream.state": state, "qldb_stream.waited_s": waited_s},
        )

    @hookimpl
    def qldb_stream_batch_done(self, event: BatchDone) -> None:
        """Count, move the position, and give the run its span."""
        attributes = _attributes(event.sink, event.position.strand_id)
        self._blocks.add(event.blocks, attributes)
        self._revisions.add(event.revisions, attributes)
        self._verified.set(event.position.sequence_no, attributes)
        self._durations.record(max(0.0, event.ended_s - event.started_s), attributes)
        self._trace(event, attributes)

    def _trace(self, event: BatchDone, attributes: dict[str, str]) -> None:
        # The hook comes after the fact, so the span is made with the times that it tells.
        span = self._tracer.start_span(
            "qldb_stream.apply", start_time=int(event.started_s * _SECOND_NS)
        )
        if span.is_recording():
            span.set_attributes(attributes)
            span.set_attributes(
                {
                    "qldb_stream.sequence_no": event.position.sequence_no,
                    "qldb_stream.block_hash": base64.b64encode(event.position.block_hash).decode(),
                    "qldb_stream.blocks": event.blocks,
                    "qldb_stream.revisions": event.revisions,
                    "qldb_stream.parked": len(event.position.parked),
                }
            )
        span.end(int(event.ended_s * _SECOND_NS))


def make_meter(provider: MeterProvider | None) -> Meter:
    """
    Give the meter that makes our instruments.

    Raises:
        UsageError: the extra `otel` is not installed.
    """
    try:
        from opentelemetry import metrics
    except ImportError as exc:
        raise UsageError("OpenTelemetry is not installed: pip install 'qldb-stream[otel]'") from exc
    return metrics.get_meter(SCOPE, meter_provider=provider)


def _attributes(sink: str, strand_id: str) -> dict[str, str]:
    return {"qldb_stream.sink": mask_url(sink), "qldb_stream.strand_id": strand_id}

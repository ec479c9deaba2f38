"""What tests of observers need: the real SDK with exporters in memory, and a delivery to watch."""

from __future__ import annotations

import json
from typing import Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qldb_stream.errors import SinkRefusedError
from qldb_stream.events import Block
from qldb_stream.inbox import MemoryInbox
from qldb_stream.observe import TelemetryObserver
from qldb_stream.report import Position
from qldb_stream.testing import Story
from tests.pipeline.inboxes import PickySink, make_pipeline

SECRET: Final = "hunter2-do-not-tell"
SINK: Final = "picky://reader:s3cret@host/db?token=t0ken"
MASKED: Final = "picky://reader:***@host/db?token=***"


class Telemetry:
    """Providers, and what they were told."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._spans = InMemorySpanExporter()
        self.meters = MeterProvider([self._reader])
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))

    def observer(self) -> TelemetryObserver:
        """Give an observer that tells these providers."""
        return TelemetryObserver(self.meters, self.tracers)

    def metrics(self) -> dict[str, list[Any]]:
        """Collect, and give the data points by metric."""
        data = self._reader.get_metrics_data()
        scopes = [s for r in (data.resource_metrics if data else ()) for s in r.scope_metrics]
        return {m.name: list(m.data.data_points) for s in scopes for m in s.metrics}

    def values(self) -> dict[str, Any]:
        """Collect, and give the only value of each metric that counts or gauges."""
        points = self.metrics()
        return {
            name: p[0].value for name, p in points.items() if len(p) == 1 and hasattr(p[0], "value")
        }

    def spans(self) -> list[Any]:
        """Give the spans that have ended."""
        return list(self._spans.get_finished_spans())

    def text(self) -> str:
        """Give all that was told, as text."""
        said = [str(self._reader.get_metrics_data()), *(span.to_json() for span in self.spans())]
        return json.dumps(said)


class TellingSink(PickySink):
    """A sink that quotes documents when it refuses, as no sink should."""

    def apply(self, blocks: list[Block], position: Position, token: int) -> Position:  # type: ignore[override]  # the tests give lists
        """Apply, or refuse the whole run."""
        try:
            return super().apply(blocks, position, token)
        except SinkRefusedError as error:
            raise SinkRefusedError(
                "picky", position.strand_id, error.sequence_no, f"bad value {SECRET}"
            ) from error


def make_story() -> list[Block]:
    """Tell twelve blocks whose documents and statements are secret."""
    story = Story(3)
    story.create_table("People")
    for number in range(11):
        story.insert("People", {"n": number, "ssn": SECRET})
    return story.blocks()


def deliver(
    *observers: object, without: int | None = None, inbox: MemoryInbox | None = None
) -> None:
    """Deliver the story but for one block; the sink refuses the fifth."""
    blocks = [b for b in make_story() if b.address.sequence_no != without]
    pipeline = make_pipeline(
        {SINK: TellingSink(5)}, inbox, on_refusal="park", observers=observers, batch_blocks=4
    )
    pipeline.handle_batch(blocks)

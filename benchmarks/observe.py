"""Observers: what a block costs in a delivery that nobody watches, and in watched ones."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from unittest.mock import patch

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks._timing import Row, best_us
from qldb_stream import Pipeline
from qldb_stream.events import Block
from qldb_stream.observe import TelemetryObserver, log_observer
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import JournalShape, make_journal

BLOCKS = 1_000
_IDLE = "OpenTelemetry's API without an SDK"


def run() -> list[Row]:
    """Deliver the same blocks to a sink in memory, and give the table's rows."""
    shape = JournalShape(least_revisions=1, most_revisions=1)
    blocks = list(make_journal(7, blocks=BLOCKS, shape=shape))
    watched: dict[str, tuple[object, ...]] = {
        "nobody": (),
        _IDLE: (TelemetryObserver(),),
        "log, info": (log_observer("json", "info", io.StringIO()),),
        "log, debug": (log_observer("json", "debug", io.StringIO()),),
        "OpenTelemetry's SDK": (_telemetry(),),
    }
    costs = best_us({name: _Delivery(blocks, who) for name, who in watched.items()}, BLOCKS)
    alone = costs.pop("nobody")
    rows = [Row("a verified block, nobody watching", f"{alone:.1f} us")]
    for name, cost in costs.items():
        rows.append(Row(f"  {name}", f"{cost - alone:+.1f} us  ({cost / alone:.2f}x)"))
    return rows


def _telemetry() -> TelemetryObserver:
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    return TelemetryObserver(MeterProvider([InMemoryMetricReader()]), tracers)


class _Delivery:
    """Delivers blocks to a new sink in memory at each call."""

    def __init__(self, blocks: list[Block], observers: tuple[object, ...]) -> None:
        self._blocks = blocks
        self._observers = observers

    def __call__(self) -> None:
        sink = MemorySink()
        # Nobody is nobody: to a pipeline it looks as if this process had no OpenTelemetry.
        with patch.dict(sys.modules):
            with suppress(KeyError):
                del sys.modules["opentelemetry.metrics"]
            pipeline = Pipeline(sink, observers=self._observers)
        pipeline.run(self._blocks)
        assert len(sink.blocks) == BLOCKS

"""
Observers of ours: structured logs, and OpenTelemetry metrics and spans.

Both stand on the hooks of `qldb_stream.hookspecs` and see only what these tell: addresses,
counts, hashes and times. A document's contents reach neither, nor does the text of a refusal,
which a sink wrote. Sinks' names pass through `mask_url`. docs/observe.md lists every name.

    from qldb_stream.observe import log_observer
    pipeline = Pipeline("sqlite:copy.db", inbox=inbox, observers=[log_observer()])
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from qldb_stream.observe._inbox import observe_inbox
from qldb_stream.observe._log import (
    LOG_FORMATS,
    LOG_LEVELS,
    JsonFormatter,
    LogObserver,
    TextFormatter,
    log_observer,
)
from qldb_stream.observe._otel import TelemetryObserver

__all__ = [
    "LOG_FORMATS",
    "LOG_LEVELS",
    "JsonFormatter",
    "LogObserver",
    "TelemetryObserver",
    "TextFormatter",
    "find_telemetry",
    "log_observer",
    "observe_inbox",
]


def find_telemetry(given: Sequence[object] = ()) -> TelemetryObserver | None:
    """
    Give an observer for the process's OpenTelemetry providers, if it may have any.

    Whoever configured providers has imported OpenTelemetry; where nobody has, nothing is
    imported and nothing is told. None too where its API lacks gauges (before 1.27), which
    is no reason to fail a delivery, and where an observer of the kind is among `given`.
    """
    metrics = sys.modules.get("opentelemetry.metrics")
    if metrics is None or not hasattr(getattr(metrics, "Meter", None), "create_gauge"):
        return None
    if any(isinstance(observer, TelemetryObserver) for observer in given):
        return None
    return TelemetryObserver()

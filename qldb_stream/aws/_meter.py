"""
What an invocation did, as one line on standard output: metrics, and why something waits.

The line is in CloudWatch's embedded metric format
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html),
so that metrics cost no call and need no right. It holds ids, counts and the reasons of
our own checks; no contents.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from qldb_stream.hookspecs import hookimpl
from qldb_stream.pipeline import Clock
from qldb_stream.report import BlockDelivered, DeliveryReport, StrandState

__all__ = ["NAMESPACE", "Meter"]

NAMESPACE: Final = "qldb-stream"
"""The namespace of the metrics."""

_DIMENSION: Final = "FunctionName"
_UNITS: Final = {"LagSeconds": "Seconds"}
# A line of a log has at most 256 KB.
_MAX_STRANDS: Final = 20
_MAX_TEXT: Final = 500


class Meter:
    """
    Gathers what happens in an invocation; an observer of the pipeline.

    Args:
        clock: the time.
        stream: where lines go; standard output when None.
    """

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._stream = stream
        self._first: BlockDelivered | None = None

    @hookimpl
    def qldb_stream_block_delivered(self, event: BlockDelivered) -> None:
        """Keep the first block of an invocation: none of its blocks has waited longer."""
        if self._first is None:
            self._first = event

    def tell(
        self, report: DeliveryReport, counts: Mapping[str, int], refusal: str | None = None
    ) -> None:
        """
        Write the line of an invocation.

        Args:
            report: what was delivered, and how each strand stands.
            counts: more metrics by name.
            refusal: why records come again.
        """
        states = [strand.state for strand in report.strands]
        metrics: dict[str, float] = {
            **counts,
            "BlocksApplied": report.applied,
            "BlocksParked": sum(strand.parked for strand in report.strands),
            "StrandsWaiting": states.count(StrandState.WAITING),
            "StrandsStopped": states.count(StrandState.STOPPED),
            "StrandsFailed": states.count(StrandState.FAILED) + len(report.sinks_failed),
        }
        first, self._first = self._first, None
        if first is not None:
            metrics["LagSeconds"] = max(0.0, first.at_s - first.block_timestamp.timestamp())
        self._write(metrics, _details(report, refusal))

    def _write(self, metrics: Mapping[str, float], details: Mapping[str, Any]) -> None:
        named = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in metrics]
        head = {
            "Timestamp": int(self._clock.now_s() * 1000),
            "CloudWatchMetrics": [
                {"Namespace": NAMESPACE, "Dimensions": [[_DIMENSION]], "Metrics": named}
            ],
        }
        function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
        line = {"_aws": head, _DIMENSION: function, **metrics, **details}
        stream = sys.stdout if self._stream is None else self._stream
        stream.write(json.dumps(line) + "\n")


def _details(report: DeliveryReport, refusal: str | None) -> dict[str, Any]:
    """Tell of what does not simply flow."""
    odd = [strand for strand in report.strands if strand.state is not StrandState.CURRENT]
    details: dict[str, Any] = {}
    if odd:
        details["strands"] = [
            {
                "sink": strand.sink,
                "strand_id": strand.strand_id,
                "state": strand.state.value,
                "waits_for": strand.waits_for,
                "detail": strand.detail[:_MAX_TEXT],
            }
            for strand in odd[:_MAX_STRANDS]
        ]
    if report.sinks_failed:
        failed = report.sinks_failed.items()
        details["sinks_failed"] = {name: why[:_MAX_TEXT] for name, why in failed}
    if refusal is not None:
        details["refusal"] = refusal[:_MAX_TEXT]
    return details

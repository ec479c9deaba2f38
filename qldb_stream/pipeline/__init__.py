"""
Joins the stages: parse, assembly, order, verification, delivery, and reports.

`PipelineCore` is the joint; it does no I/O and can be fed by anything. `iter_checked` feeds
it a source and gives its blocks, `Pipeline.run` hands these to a sink, `verify_source` is
the same run without a sink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qldb_stream.pipeline._checks import Checks
from qldb_stream.pipeline._clock import Clock, SystemClock
from qldb_stream.pipeline._core import CheckedBlock, Order, PipelineCore, Verdict
from qldb_stream.pipeline._foreign import closing_sink
from qldb_stream.pipeline._lease import FixedToken, Leases, Tokens, naming_lack
from qldb_stream.pipeline._pipeline import Pipeline, verify_source
from qldb_stream.pipeline._retry import Retrying, RetryPolicy
from qldb_stream.pipeline._rules import LEASE_S, OnRefusal
from qldb_stream.pipeline._run import iter_checked
from qldb_stream.pipeline._tally import Tally
from qldb_stream.pipeline._target import CheckpointedSink

if TYPE_CHECKING:
    from qldb_stream.pipeline._dry_run import DryRunSink

__all__ = [
    "LEASE_S",
    "CheckedBlock",
    "CheckpointedSink",
    "Checks",
    "Clock",
    "DryRunSink",
    "FixedToken",
    "Leases",
    "OnRefusal",
    "Order",
    "Pipeline",
    "PipelineCore",
    "RetryPolicy",
    "Retrying",
    "SystemClock",
    "Tally",
    "Tokens",
    "Verdict",
    "closing_sink",
    "iter_checked",
    "naming_lack",
    "verify_source",
]


def __getattr__(name: str) -> Any:
    """Import what plans replays, and with it PartiQL, on first use: most deliveries plan none."""
    if name != "DryRunSink":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from qldb_stream.pipeline import _dry_run

    return _dry_run.DryRunSink

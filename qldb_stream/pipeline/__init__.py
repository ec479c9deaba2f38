"""
Joins the stages: parse, assembly, order, verification, delivery, and reports.

`PipelineCore` is the joint; it does no I/O and can be fed by anything. `iter_checked` feeds
it a source and gives its blocks, `Pipeline.run` hands these to a sink, `verify_source` is
the same run without a sink.

Names are imported when they are first used: processes that verify together need few of them, and
what plans replays brings PartiQL along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qldb_stream._faces import import_from_home

if TYPE_CHECKING:
    from qldb_stream.pipeline._checks import Checks
    from qldb_stream.pipeline._clock import Clock, SystemClock
    from qldb_stream.pipeline._core import CheckedBlock, Order, PipelineCore, Verdict
    from qldb_stream.pipeline._dry_run import DryRunSink
    from qldb_stream.pipeline._foreign import closing_sink
    from qldb_stream.pipeline._lease import FixedToken, Leases, Tokens, naming_lack
    from qldb_stream.pipeline._pipeline import Pipeline, verify_source
    from qldb_stream.pipeline._retry import Retrying, RetryPolicy
    from qldb_stream.pipeline._rules import LEASE_S, OnRefusal
    from qldb_stream.pipeline._run import iter_checked
    from qldb_stream.pipeline._tally import Tally
    from qldb_stream.pipeline._target import CheckpointedSink

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

_HOME: Final = {
    "LEASE_S": "_rules",
    "CheckedBlock": "_core",
    "CheckpointedSink": "_target",
    "Checks": "_checks",
    "Clock": "_clock",
    "DryRunSink": "_dry_run",
    "FixedToken": "_lease",
    "Leases": "_lease",
    "OnRefusal": "_rules",
    "Order": "_core",
    "Pipeline": "_pipeline",
    "PipelineCore": "_core",
    "RetryPolicy": "_retry",
    "Retrying": "_retry",
    "SystemClock": "_clock",
    "Tally": "_tally",
    "Tokens": "_lease",
    "Verdict": "_core",
    "closing_sink": "_foreign",
    "iter_checked": "_run",
    "naming_lack": "_lease",
    "verify_source": "_pipeline",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    return import_from_home(__name__, _HOME, name)

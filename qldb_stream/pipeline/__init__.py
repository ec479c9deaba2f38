"""
Joins the stages: parse, assembly, order, verification, delivery, and reports.

`PipelineCore` is the joint; it does no I/O and can be fed by anything. `iter_checked` feeds
it a source and gives its blocks, `Pipeline.run` hands these to a sink, `verify_source` is
the same run without a sink.
"""

from __future__ import annotations

from qldb_stream.pipeline._core import CheckedBlock, Order, PipelineCore, Verdict
from qldb_stream.pipeline._foreign import closing_sink
from qldb_stream.pipeline._run import Pipeline, iter_checked, verify_source
from qldb_stream.pipeline._tally import Tally

__all__ = [
    "CheckedBlock",
    "Order",
    "Pipeline",
    "PipelineCore",
    "Tally",
    "Verdict",
    "closing_sink",
    "iter_checked",
    "verify_source",
]

"""
Joins the stages: parse, assembly, order, verification, delivery, and reports.

`PipelineCore` is the joint; it does no I/O and can be fed by anything. `Pipeline.run`
stands on it for bounded sources, `verify_source` is the same run without a sink.
"""

from __future__ import annotations

from qldb_stream.pipeline._core import CheckedBlock, Order, PipelineCore, Verdict
from qldb_stream.pipeline._run import Pipeline, verify_source

__all__ = ["CheckedBlock", "Order", "Pipeline", "PipelineCore", "Verdict", "verify_source"]

"""
Whether what was delivered equals its source, and where it does not.

Ledgers are compared as ledgers (`compare_ledgers`, `compare_mirror`); other sinks by what they
tell of their content (`SinkDiff`), which can be repaired.
"""

from qldb_stream.reconcile._compare import Replayed, compare_ledgers
from qldb_stream.reconcile._content import (
    ContentDifference,
    ContentReport,
    DiffCode,
    NotCompared,
    StrandDiff,
)
from qldb_stream.reconcile._diff_rules import Verified
from qldb_stream.reconcile._diff_state import DiffState
from qldb_stream.reconcile._differences import Comparison, Difference
from qldb_stream.reconcile._mirror import compare_mirror
from qldb_stream.reconcile._sink_diff import RepairOutcome, SinkDiff
from qldb_stream.reconcile._verified import MirroredLedger, VerifiedLedger, WholeLedger

__all__ = [
    "Comparison",
    "ContentDifference",
    "ContentReport",
    "DiffCode",
    "DiffState",
    "Difference",
    "MirroredLedger",
    "NotCompared",
    "RepairOutcome",
    "Replayed",
    "SinkDiff",
    "StrandDiff",
    "Verified",
    "VerifiedLedger",
    "WholeLedger",
    "compare_ledgers",
    "compare_mirror",
]

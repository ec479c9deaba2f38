"""
Frozen values that say what happened; what CLI, Lambda and tests read.

Nothing here computes more than a summary of its own fields, and nothing holds
document contents: ids, hashes, counts and places only.
"""

from qldb_stream.report._checks import (
    BlockVerification,
    Check,
    DeleteRule,
    Outcome,
    Problem,
    ProblemCode,
)
from qldb_stream.report._delivery import (
    BatchDone,
    BatchResult,
    BlockDelivered,
    BlockParked,
    DeliveryReport,
    DryRunReport,
    GapFound,
    InboxFull,
    ItemOutcome,
    PlannedTable,
    RequeueReport,
    StrandDelivery,
    StrandState,
)
from qldb_stream.report._inbox import (
    InboxStatus,
    Lease,
    ParkedBlock,
    ParkReason,
    Quarantined,
    SinkWait,
    WaitingStrand,
    WaitState,
)
from qldb_stream.report._ledger import LedgerProblem, LedgerReport
from qldb_stream.report._position import Gap, Position
from qldb_stream.report._runs import Level, ReplayReport, SinkReport, StrandReport, VerifyReport
from qldb_stream.report._sinks import Guarantee, SinkSummary, StoredRevision

__all__ = [
    "BatchDone",
    "BatchResult",
    "BlockDelivered",
    "BlockParked",
    "BlockVerification",
    "Check",
    "DeleteRule",
    "DeliveryReport",
    "DryRunReport",
    "Gap",
    "GapFound",
    "Guarantee",
    "InboxFull",
    "InboxStatus",
    "ItemOutcome",
    "Lease",
    "LedgerProblem",
    "LedgerReport",
    "Level",
    "Outcome",
    "ParkReason",
    "ParkedBlock",
    "PlannedTable",
    "Position",
    "Problem",
    "ProblemCode",
    "Quarantined",
    "ReplayReport",
    "RequeueReport",
    "SinkReport",
    "SinkSummary",
    "SinkWait",
    "StoredRevision",
    "StrandDelivery",
    "StrandReport",
    "StrandState",
    "VerifyReport",
    "WaitState",
    "WaitingStrand",
]

"""
Frozen values that say what happened; what CLI, Lambda and tests read.

Nothing here computes more than a summary of its own fields, and nothing holds
document contents: ids, hashes, counts and places only.
"""

from qldb_stream.report._checks import (
    BlockVerification,
    Check,
    Copy,
    DeleteRule,
    Outcome,
    Problem,
    ProblemCode,
)
from qldb_stream.report._claims import Claim
from qldb_stream.report._coverage import (
    Conflict,
    CoverageReport,
    FileCoverage,
    Holding,
    ManifestCoverage,
    Overlap,
    RedactionCoverage,
    SourceCoverage,
    StrandCoverage,
    TableCoverage,
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
from qldb_stream.report._diagnosis import Diagnosis, Evidence, FieldChange
from qldb_stream.report._digest import DigestCheck, DigestState
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
from qldb_stream.report._position import Gap, Position, iter_outside
from qldb_stream.report._runs import (
    Level,
    ReplayReport,
    SinkReport,
    StrandReport,
    UncheckedDocument,
    VerifyReport,
)
from qldb_stream.report._sinks import Guarantee, SinkSummary, StoredRevision
from qldb_stream.report._version import VERSION
from qldb_stream.report._wording import describe_coverage, unchecked_rows

__all__ = [
    "VERSION",
    "BatchDone",
    "BatchResult",
    "BlockDelivered",
    "BlockParked",
    "BlockVerification",
    "Check",
    "Claim",
    "Conflict",
    "Copy",
    "CoverageReport",
    "DeleteRule",
    "DeliveryReport",
    "Diagnosis",
    "DigestCheck",
    "DigestState",
    "DryRunReport",
    "Evidence",
    "FieldChange",
    "FileCoverage",
    "Gap",
    "GapFound",
    "Guarantee",
    "Holding",
    "InboxFull",
    "InboxStatus",
    "ItemOutcome",
    "Lease",
    "LedgerProblem",
    "LedgerReport",
    "Level",
    "ManifestCoverage",
    "Outcome",
    "Overlap",
    "ParkReason",
    "ParkedBlock",
    "PlannedTable",
    "Position",
    "Problem",
    "ProblemCode",
    "Quarantined",
    "RedactionCoverage",
    "ReplayReport",
    "RequeueReport",
    "SinkReport",
    "SinkSummary",
    "SinkWait",
    "SourceCoverage",
    "StoredRevision",
    "StrandCoverage",
    "StrandDelivery",
    "StrandReport",
    "StrandState",
    "TableCoverage",
    "UncheckedDocument",
    "VerifyReport",
    "WaitState",
    "WaitingStrand",
    "describe_coverage",
    "iter_outside",
    "unchecked_rows",
]

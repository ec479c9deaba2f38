"""
Frozen values that say what happened; what CLI, Lambda and tests read.

Nothing here computes more than a summary of its own fields, and nothing holds
document contents: ids, hashes, counts and places only.

Names are imported when they are first used: processes that verify together need few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qldb_stream._faces import import_from_home

if TYPE_CHECKING:
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

_HOME: Final = {
    "VERSION": "_version",
    "BatchDone": "_delivery",
    "BatchResult": "_delivery",
    "BlockDelivered": "_delivery",
    "BlockParked": "_delivery",
    "BlockVerification": "_checks",
    "Check": "_checks",
    "Claim": "_claims",
    "Conflict": "_coverage",
    "Copy": "_checks",
    "CoverageReport": "_coverage",
    "DeleteRule": "_checks",
    "DeliveryReport": "_delivery",
    "Diagnosis": "_diagnosis",
    "DigestCheck": "_digest",
    "DigestState": "_digest",
    "DryRunReport": "_delivery",
    "Evidence": "_diagnosis",
    "FieldChange": "_diagnosis",
    "FileCoverage": "_coverage",
    "Gap": "_position",
    "GapFound": "_delivery",
    "Guarantee": "_sinks",
    "Holding": "_coverage",
    "InboxFull": "_delivery",
    "InboxStatus": "_inbox",
    "ItemOutcome": "_delivery",
    "Lease": "_inbox",
    "LedgerProblem": "_ledger",
    "LedgerReport": "_ledger",
    "Level": "_runs",
    "ManifestCoverage": "_coverage",
    "Outcome": "_checks",
    "Overlap": "_coverage",
    "ParkReason": "_inbox",
    "ParkedBlock": "_inbox",
    "PlannedTable": "_delivery",
    "Position": "_position",
    "Problem": "_checks",
    "ProblemCode": "_checks",
    "Quarantined": "_inbox",
    "RedactionCoverage": "_coverage",
    "ReplayReport": "_runs",
    "RequeueReport": "_delivery",
    "SinkReport": "_runs",
    "SinkSummary": "_sinks",
    "SinkWait": "_inbox",
    "SourceCoverage": "_coverage",
    "StoredRevision": "_sinks",
    "StrandCoverage": "_coverage",
    "StrandDelivery": "_delivery",
    "StrandReport": "_runs",
    "StrandState": "_delivery",
    "TableCoverage": "_coverage",
    "UncheckedDocument": "_runs",
    "VerifyReport": "_runs",
    "WaitState": "_inbox",
    "WaitingStrand": "_inbox",
    "describe_coverage": "_wording",
    "iter_outside": "_position",
    "unchecked_rows": "_wording",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    return import_from_home(__name__, _HOME, name)

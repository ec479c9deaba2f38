"""Whether a replayed or mirrored ledger equals its source, and where it does not."""

from qldb_stream.reconcile._compare import Replayed, compare_ledgers
from qldb_stream.reconcile._differences import Comparison, Difference
from qldb_stream.reconcile._mirror import MirroredLedger, compare_mirror
from qldb_stream.reconcile._verified import VerifiedLedger, WholeLedger

__all__ = [
    "Comparison",
    "Difference",
    "MirroredLedger",
    "Replayed",
    "VerifiedLedger",
    "WholeLedger",
    "compare_ledgers",
    "compare_mirror",
]

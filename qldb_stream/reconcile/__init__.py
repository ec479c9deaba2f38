"""Whether a replayed or mirrored ledger equals its source, and where it does not."""

from qldb_stream.reconcile._compare import Replayed, compare_ledgers
from qldb_stream.reconcile._differences import Comparison, Difference
from qldb_stream.reconcile._mirror import MirroredLedger, compare_mirror

__all__ = [
    "Comparison",
    "Difference",
    "MirroredLedger",
    "Replayed",
    "compare_ledgers",
    "compare_mirror",
]

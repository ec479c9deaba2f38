"""Whether a replayed ledger equals its source, and where it does not."""

from qldb_stream.reconcile._compare import Replayed, compare_ledgers
from qldb_stream.reconcile._differences import Comparison, Difference

__all__ = ["Comparison", "Difference", "Replayed", "compare_ledgers"]

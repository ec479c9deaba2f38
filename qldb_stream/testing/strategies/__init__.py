"""
Hypothesis strategies: Ion values, documents, whole journals, and their deliveries.

The only part of `qldb_stream.testing` that needs Hypothesis, which the extra `testing` brings.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401 - before ours, to say what to install
except ModuleNotFoundError as exc:
    if exc.name != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "qldb_stream.testing.strategies needs Hypothesis: pip install 'qldb-stream[testing]'",
        name=exc.name,
    ) from exc

from qldb_stream.testing.strategies.deliveries import batches, deliveries
from qldb_stream.testing.strategies.ion_values import ion_documents, ion_values
from qldb_stream.testing.strategies.journals import journal_shapes, journals

__all__ = ["batches", "deliveries", "ion_documents", "ion_values", "journal_shapes", "journals"]

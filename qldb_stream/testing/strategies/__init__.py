"""
Hypothesis strategies: Ion values, documents, whole journals, and their deliveries.

The only part of `qldb_stream.testing` that needs Hypothesis.
"""

from __future__ import annotations

from qldb_stream.testing.strategies.deliveries import batches, deliveries
from qldb_stream.testing.strategies.ion_values import ion_documents, ion_values
from qldb_stream.testing.strategies.journals import journal_shapes, journals

__all__ = ["batches", "deliveries", "ion_documents", "ion_values", "journal_shapes", "journals"]

"""
Public tools for tests: synthetic journals, deliveries, tampering.

Journals and deliveries need nothing but the library. The Hypothesis strategies are in
`qldb_stream.testing.strategies`, which this module does not import.
"""

from __future__ import annotations

from qldb_stream.testing.deliveries import (
    aggregate,
    aggregated,
    cut,
    firehose_object,
    get_records_answer,
    lambda_event,
    make_delivery,
    repeated,
    shuffled,
    write_archive,
)
from qldb_stream.testing.journals import (
    DocumentMaker,
    Journal,
    JournalShape,
    control_record,
    make_document,
    make_journal,
    records,
)

__all__ = [
    "DocumentMaker",
    "Journal",
    "JournalShape",
    "aggregate",
    "aggregated",
    "control_record",
    "cut",
    "firehose_object",
    "get_records_answer",
    "lambda_event",
    "make_delivery",
    "make_document",
    "make_journal",
    "records",
    "repeated",
    "shuffled",
    "write_archive",
]

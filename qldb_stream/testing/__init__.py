"""
Public tools for tests: synthetic journals, deliveries, exports, tampering, and the kit for sinks.

All of it needs nothing but the library. The Hypothesis strategies are in
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
from qldb_stream.testing.exports import Export, exported_block, make_export
from qldb_stream.testing.journals import (
    DocumentMaker,
    Journal,
    JournalShape,
    control_record,
    make_document,
    make_journal,
    records,
)
from qldb_stream.testing.kit import SinkCheckError, SinkReport, check_sink, kit_place
from qldb_stream.testing.stories import Story
from qldb_stream.testing.tampering import (
    drop_field,
    edit_field,
    flip_bit,
    iter_flips,
    locate_field,
    reframe,
    resign,
)

__all__ = [
    "DocumentMaker",
    "Export",
    "Journal",
    "JournalShape",
    "SinkCheckError",
    "SinkReport",
    "Story",
    "aggregate",
    "aggregated",
    "check_sink",
    "control_record",
    "cut",
    "drop_field",
    "edit_field",
    "exported_block",
    "firehose_object",
    "flip_bit",
    "get_records_answer",
    "iter_flips",
    "kit_place",
    "lambda_event",
    "locate_field",
    "make_delivery",
    "make_document",
    "make_export",
    "make_journal",
    "records",
    "reframe",
    "repeated",
    "resign",
    "shuffled",
    "write_archive",
]

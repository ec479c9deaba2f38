"""
What the sinks into relational databases share: everything but the dialect.

For each table of the source there are three things: the current state (`NAME`), an append-only
history of all revisions (`NAME_history`) and a view that says when each was valid
(`NAME_scd2`). Tables of the sink's own keep positions, the chain of blocks, and names.
docs/sinks-relational.md shows them; `Database` says what a dialect has to offer.
"""

from __future__ import annotations

from qldb_stream.sinks._relational._catalog import Column, Table
from qldb_stream.sinks._relational._cells import Cell, Cells
from qldb_stream.sinks._relational._database import META_TABLES, Database, RowRefusedError
from qldb_stream.sinks._relational._documents import rest_bytes
from qldb_stream.sinks._relational._json import JsonWriter, number_text
from qldb_stream.sinks._relational._kinds import (
    MISFIT,
    Kind,
    base_type,
    maybe_time_text,
    time_text,
)
from qldb_stream.sinks._relational._names import quote
from qldb_stream.sinks._relational._plan import UNKNOWN_TABLE, Erasure
from qldb_stream.sinks._relational._read import expect_revisions, expect_together, plain
from qldb_stream.sinks._relational._sink import RelationalSink

__all__ = [
    "META_TABLES",
    "MISFIT",
    "UNKNOWN_TABLE",
    "Cell",
    "Cells",
    "Column",
    "Database",
    "Erasure",
    "JsonWriter",
    "Kind",
    "RelationalSink",
    "RowRefusedError",
    "Table",
    "base_type",
    "expect_revisions",
    "expect_together",
    "maybe_time_text",
    "number_text",
    "plain",
    "quote",
    "rest_bytes",
    "time_text",
]

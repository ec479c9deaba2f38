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
from qldb_stream.sinks._relational._kinds import MISFIT, Kind
from qldb_stream.sinks._relational._names import quote
from qldb_stream.sinks._relational._read import expect_revisions
from qldb_stream.sinks._relational._sink import RelationalSink

__all__ = [
    "META_TABLES",
    "MISFIT",
    "Cell",
    "Cells",
    "Column",
    "Database",
    "JsonWriter",
    "Kind",
    "RelationalSink",
    "RowRefusedError",
    "Table",
    "expect_revisions",
    "number_text",
    "quote",
    "rest_bytes",
]

"""
Ask the archive: revisions as they were, who changed what, and where it all stands.

`open_archive` gives an `Archive` over any mixture of sources. Its first question builds an index,
a SQLite file beside the archive that makes later ones fast; it says where to read and is never
believed: what is answered is read from the archive's own bytes and recomputed, and what rests on
the index alone is said to.
"""

from __future__ import annotations

from qldb_stream.archive.history._archive import Archive, archive_over, open_archive
from qldb_stream.archive.history._blocks import ReadBlock
from qldb_stream.archive.history._index import BuiltState
from qldb_stream.archive.history._lives import TableLife
from qldb_stream.archive.history._moments import Moment
from qldb_stream.archive.history._place import default_place
from qldb_stream.archive.history._proof import DocumentProof
from qldb_stream.archive.history._values import (
    Blame,
    BlamedField,
    HistoryEntry,
    RevisionState,
)
from qldb_stream.sources import INDEX_NAME

__all__ = [
    "INDEX_NAME",
    "Archive",
    "Blame",
    "BlamedField",
    "BuiltState",
    "DocumentProof",
    "HistoryEntry",
    "Moment",
    "ReadBlock",
    "RevisionState",
    "TableLife",
    "archive_over",
    "default_place",
    "open_archive",
]

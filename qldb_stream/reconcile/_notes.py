"""
What a comparison must remember of each document, on disk when it is much.

A temporary SQLite database keeps its pages in a bounded cache and spills to a
temporary file by itself, so that memory stays bounded whatever the ledgers hold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import Final

import attrs

from qldb_stream.replay import IdRecord

_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE document (
    destination_id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL,
    table_id TEXT NOT NULL,
    version_offset INTEGER NOT NULL,
    strand_id TEXT,
    sequence_no INTEGER,
    table_name TEXT,
    data_hash BLOB,             -- H(data) of the newest revision; NULL when deleted
    seen INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX by_source ON document (source_id);
BEGIN;
"""

_RECORD: Final = """
INSERT INTO document (destination_id, source_id, table_id, version_offset) VALUES (?, ?, ?, ?)
ON CONFLICT (destination_id) DO UPDATE SET version_offset = excluded.version_offset
"""
_NEWEST: Final = """
UPDATE document SET strand_id = ?, sequence_no = ?, table_name = ?, data_hash = ?
WHERE destination_id = ?
"""
_COLUMNS: Final = "destination_id, source_id, strand_id, sequence_no, table_name, data_hash"


@attrs.frozen
class Newest:
    """A document's newest revision: where the source has it, and H(data)."""

    destination_id: str
    source_id: str
    strand_id: str | None
    sequence_no: int | None
    table: str | None
    data_hash: bytes | None


class Notes:
    """Documents by destination id: what they stand for, and what was last said of them."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Throw the notes away."""
        self._db.close()

    def record(self, record: IdRecord) -> None:
        """Note what a destination document stands for."""
        row = (record.destination_id, record.source_id, record.table_id, record.version_offset)
        self._db.execute(_RECORD, row)

    def find(self, destination_id: str) -> IdRecord | None:
        """Give what a destination document stands for."""
        row = self._db.execute(
            "SELECT source_id, destination_id, table_id, version_offset FROM document"
            " WHERE destination_id = ?",
            (destination_id,),
        ).fetchone()
        return None if row is None else IdRecord(*row)

    def source_ids(self, destination_ids: Collection[str]) -> dict[str, str]:
        """Give the source ids of those that are destination documents."""
        found = {name: self.find(name) for name in destination_ids}
        return {name: record.source_id for name, record in found.items() if record is not None}

    def has_source(self, source_id: str) -> bool:
        """Say whether anything stands for a source document."""
        row = self._db.execute("SELECT 1 FROM document WHERE source_id = ?", (source_id,))
        return row.fetchone() is not None

    def newest(self, newest: Newest) -> None:
        """Note a document's newest revision."""
        row = (
            newest.strand_id,
            newest.sequence_no,
            newest.table,
            newest.data_hash,
            newest.destination_id,
        )
        self._db.execute(_NEWEST, row)

    def see(self, destination_id: str) -> Newest | None:
        """Mark a document as present, and give its newest revision."""
        self._db.execute("UPDATE document SET seen = 1 WHERE destination_id = ?", (destination_id,))
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM document WHERE destination_id = ?",  # noqa: S608 - a constant
            (destination_id,),
        ).fetchone()
        return None if row is None else Newest(*row)

    def iter_unseen(self, table_id: str) -> Iterator[Newest]:
        """Yield documents of a table that should be present and were not seen."""
        query = (
            f"SELECT {_COLUMNS} FROM document"  # noqa: S608 - a constant
            " WHERE table_id = ? AND data_hash IS NOT NULL AND NOT seen"
        )
        with closing(self._db.execute(query, (table_id,))) as rows:
            for row in rows:
                yield Newest(*row)

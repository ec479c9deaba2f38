"""
What a comparison must remember of each document, on disk when it is much.

A temporary database, so that memory stays bounded whatever the ledgers hold. Tables are few and
are remembered in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, TypeGuard

import attrs

from qldb_stream.reconcile._tables import Tables
from qldb_stream.reconcile._temporary import TemporaryDatabase
from qldb_stream.replay import IdRecord

_SCHEMA: Final = """
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

_MAX_INTEGER: Final = 2**63 - 1  # what SQLite keeps


@attrs.frozen
class Newest:
    """A document's newest revision: where the source has it, and H(data)."""

    destination_id: str
    source_id: str
    strand_id: str | None
    sequence_no: int | None
    table: str | None
    data_hash: bytes | None


def is_storable(value: object) -> TypeGuard[int]:
    """Say whether a value is a block's number or a version that can be noted."""
    return isinstance(value, int) and 0 <= value <= _MAX_INTEGER


class Notes:
    """
    Documents by destination id: what they stand for, and what was last said of them.

    Every method raises SourceError when the temporary database cannot be used.
    """

    def __init__(self) -> None:
        self.tables: Final = Tables()
        self._db: Final = TemporaryDatabase(_SCHEMA)

    def close(self) -> None:
        """Throw the notes away."""
        self._db.close()

    def record(self, record: IdRecord) -> None:
        """Note what a destination document stands for."""
        row = (record.destination_id, record.source_id, record.table_id, record.version_offset)
        self._db.execute(_RECORD, row)

    def find(self, destination_id: str) -> IdRecord | None:
        """Give what a destination document stands for."""
        row = self._db.first(
            "SELECT source_id, destination_id, table_id, version_offset FROM document"
            " WHERE destination_id = ?",
            (destination_id,),
        )
        return None if row is None else IdRecord(*row)

    def source_ids(self, destination_ids: Collection[str]) -> dict[str, str]:
        """Give the source ids of those that are destination documents."""
        found = {name: self.find(name) for name in destination_ids}
        return {name: record.source_id for name, record in found.items() if record is not None}

    def has_source(self, source_id: str) -> bool:
        """Say whether anything stands for a source document."""
        row = self._db.first("SELECT 1 FROM document WHERE source_id = ?", (source_id,))
        return row is not None

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
        row = self._db.first(
            f"SELECT {_COLUMNS} FROM document WHERE destination_id = ?",  # noqa: S608 - a constant
            (destination_id,),
        )
        return None if row is None else Newest(*row)

    def iter_unseen(self, table_id: str) -> Iterator[Newest]:
        """Yield documents of a table that should be present and were not seen."""
        query = (
            f"SELECT {_COLUMNS} FROM document"  # noqa: S608 - a constant
            " WHERE table_id = ? AND data_hash IS NOT NULL AND NOT seen"
        )
        for row in self._db.rows(query, (table_id,)):
            yield Newest(*row)

    def iter_tables(self) -> Iterator[tuple[str, str, str]]:
        """Yield id, name and strand of each table with documents that should be present."""
        query = (
            "SELECT table_id, min(table_name), min(strand_id) FROM document"
            " WHERE data_hash IS NOT NULL GROUP BY table_id"
        )
        yield from self._db.rows(query, ())

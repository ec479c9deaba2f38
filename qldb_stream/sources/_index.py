"""
The index of a bounded source: where each record stands, and under which block.

It is a table in a temporary SQLite database, which keeps a bounded cache in memory and
spills the rest to a file without a name; sorting spills in the same way. So an archive
of any size is put in order in constant memory, and nothing is left behind.

A revision belongs under the block whose summary lists its hash; where no summary does,
under its own address. So a damaged address neither hides a revision from its block nor
opens a block that never was. Of several blocks that list one hash (no sound journal
has that: metadata is hashed) its own address decides, then the lowest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import SourceError
from qldb_stream.events import BlockAddress, BlockSummary, ControlRecord, Event

__all__ = ["Index", "Place"]

_CACHE_KIB: Final = 16 * 1024
_ROWS_PER_INSERT: Final = 2000

_CONTROL: Final = 0
_SUMMARY: Final = 1
_REVISION: Final = 2

_SCHEMA: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE part (
    strand TEXT, number INTEGER, kind INTEGER, hash BLOB,
    file INTEGER, start INTEGER, length INTEGER, place INTEGER
);
CREATE TABLE leaf (hash BLOB, strand TEXT, number INTEGER);
"""

_PLACE: Final = f"""
CREATE INDEX leaf_by_hash ON leaf (hash, strand, number);
UPDATE part SET (strand, number) = (
    SELECT leaf.strand, leaf.number FROM leaf WHERE leaf.hash = part.hash
    ORDER BY leaf.strand, leaf.number LIMIT 1
)
WHERE kind = {_REVISION}
    AND NOT EXISTS (
        SELECT 1 FROM leaf WHERE leaf.hash = part.hash
            AND leaf.strand = part.strand AND leaf.number = part.number
    )
    AND EXISTS (SELECT 1 FROM leaf WHERE leaf.hash = part.hash);
DROP TABLE leaf;
"""  # noqa: S608 - the only value in it is a constant of this module

# The hash puts copies side by side; the rest makes the order the same in every run.
_IN_ORDER: Final = """
SELECT strand, number, kind, file, start, length, place FROM part
ORDER BY strand, number, kind, hash, file, start, place
"""


@attrs.frozen
class Place:
    """
    Where to read a record again, and under which block it belongs.

    `index` counts the records of an aggregate; None where the bytes are the record's
    own. `address` is None for CONTROL, which belongs to no block.
    """

    file: int
    offset: int
    length: int
    index: int | None
    address: BlockAddress | None


_Row: TypeAlias = tuple[str, int, int, bytes, int, int, int, int | None]


class Index:
    """Where every record of a source stands; first filled, then read in order."""

    def __init__(self) -> None:
        # The one who reads may be another thread than the one who began.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._parts: list[_Row] = []
        self._leaves: list[tuple[bytes, str, int]] = []

    def add(self, event: Event, file: int, offset: int, length: int, index: int | None) -> None:
        """
        Note where an event stands.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        if isinstance(event, ControlRecord):
            self._parts.append(("", -1, _CONTROL, b"", file, offset, length, index))
        elif isinstance(event, BlockSummary):
            strand_id, number = event.address.strand_id, event.address.sequence_no
            self._parts.append(
                (strand_id, number, _SUMMARY, event.block_hash, file, offset, length, index)
            )
            for revision in event.revision_summaries:
                self._leaves.append((revision.hash, strand_id, number))
        else:
            address = event.revision.address
            strand_id, number = address.strand_id, address.sequence_no
            digest = event.revision.hash
            self._parts.append((strand_id, number, _REVISION, digest, file, offset, length, index))
        if len(self._parts) + len(self._leaves) >= _ROWS_PER_INSERT:
            self._insert()

    def places(self) -> Iterator[Place]:
        """
        Iterate over all records: CONTROL, then block by block, each summary first.

        Strands come in order of their ids. Copies stand side by side. Nothing may be
        added after this.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._insert()
        with _translated():
            self._database.executescript(_PLACE)
            rows = self._database.execute(_IN_ORDER)
        address: BlockAddress | None = None
        for strand_id, number, kind, file, offset, length, index in rows:
            if kind == _CONTROL:
                yield Place(file, offset, length, index, None)
                continue
            if address is None or address.sequence_no != number or address.strand_id != strand_id:
                address = BlockAddress(strand_id, number)
            yield Place(file, offset, length, index, address)

    def close(self) -> None:
        """Give memory and disk space back."""
        self._database.close()

    def _insert(self) -> None:
        with _translated():
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO part VALUES (?,?,?,?,?,?,?,?)", self._parts)
            self._database.executemany("INSERT INTO leaf VALUES (?,?,?)", self._leaves)
            self._database.execute("COMMIT")
        self._parts.clear()
        self._leaves.clear()


@contextmanager
def _translated() -> Iterator[None]:
    """Tell what SQLite raises as an error of the source: there is no room, or no disk."""
    try:
        yield
    except sqlite3.Error as exc:
        raise SourceError("the temporary index", f"cannot be written: {exc}") from exc

"""
The index of a bounded source: where each record stands, and under which block.

It is a table in a temporary SQLite database, which keeps a bounded cache in memory and
spills the rest to a file without a name; sorting spills in the same way. So an archive
of any size is put in order in constant memory, and nothing is left behind.

A revision belongs under the block whose summary lists its hash; where no summary does,
under its own address. So a damaged address neither hides a revision from its block nor
opens a block that never was. Of several blocks that list one hash (no sound journal
has that: metadata is hashed) its own address decides, then the lowest.

A whole block of an export is one row, with the hashes that it lists beside it: these are
looked at only where a source has revisions by themselves as well. Symbol tables that
blocks need from elsewhere in their object are kept as chains, each with those before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import SourceError
from qldb_stream.events import BlockAddress, BlockSummary, ControlRecord, Event
from qldb_stream.parsers.export_places import FoundBlock

__all__ = ["Index", "Place", "Rows", "SymbolRow"]

_CACHE_KIB: Final = 16 * 1024
_ROWS_PER_INSERT: Final = 2000
_DIGEST_BYTES: Final = 32
_RANGES_TOLD: Final = 3

_CONTROL: Final = 0
_SUMMARY: Final = 1
_BLOCK: Final = 2  # after summaries, before revisions: the order in which they are read
_REVISION: Final = 3

_SCHEMA: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE part (
    strand TEXT, number INTEGER, kind INTEGER, hash BLOB,
    file INTEGER, start INTEGER, length INTEGER, place INTEGER, leaves BLOB, answer BLOB
);
CREATE TABLE leaf (hash BLOB, strand TEXT, number INTEGER);
CREATE TABLE symbols (
    file INTEGER, number INTEGER, parent INTEGER, start INTEGER, length INTEGER,
    PRIMARY KEY (file, number)
);
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

_INSERT: Final = "INSERT INTO part VALUES (?,?,?,?,?,?,?,?,?,?)"

# The hash puts copies side by side; the rest makes the order the same in every run.
_IN_ORDER: Final = """
SELECT strand, number, kind, file, start, length, place, answer FROM part
ORDER BY strand, number, kind, hash, file, start, place
"""


_NUMBERS: Final = f"""
SELECT DISTINCT number FROM part
WHERE strand = ? AND number BETWEEN ? AND ? AND kind IN ({_SUMMARY}, {_BLOCK})
    AND (? IS NULL OR (file = ? AND kind = ?))
ORDER BY number
"""  # noqa: S608 - as above


@attrs.frozen
class Place:
    """
    Where to read a record again, and under which block it belongs.

    `index` counts the records of an aggregate; None where the bytes are the record's
    own. `address` is None for CONTROL, which belongs to no block. `tables` is the number of
    the symbol tables that a whole block of an export needs, as `parsers.export_walk` counts
    them; None for a record. `answer` is what was said of a whole block when it was found, as it
    was given to `add_block`.
    """

    file: int
    offset: int
    length: int
    index: int | None
    address: BlockAddress | None
    tables: int | None = None
    answer: bytes | None = attrs.field(default=None, eq=False, repr=False)


SymbolRow: TypeAlias = tuple[int, int, int, int, int]
"""Where symbol tables stand: file, their number and that of those before them, offset, length."""

_Row: TypeAlias = tuple[str, int, int, bytes, int, int, int, int | None, bytes | None, bytes | None]


class Rows:
    """What a file or several hold, as rows for an index; plain values, for any process."""

    def __init__(self) -> None:
        self.parts: list[_Row] = []
        self.leaves: list[tuple[bytes, str, int]] = []
        self.symbols: list[SymbolRow] = []
        self.has_blocks = self.has_revisions = False

    def __len__(self) -> int:
        return len(self.parts) + len(self.leaves) + len(self.symbols)

    def add(self, event: Event, file: int, offset: int, length: int, index: int | None) -> None:
        """Note where an event stands."""
        if isinstance(event, ControlRecord):
            self._append("", -1, _CONTROL, b"", (file, offset, length, index))
        elif isinstance(event, BlockSummary):
            strand_id, number = event.address.strand_id, event.address.sequence_no
            place = (file, offset, length, index)
            self._append(strand_id, number, _SUMMARY, event.block_hash, place)
            for revision in event.revision_summaries:
                self.leaves.append((revision.hash, strand_id, number))
        else:
            address = event.revision.address
            strand_id, number = address.strand_id, address.sequence_no
            digest = event.revision.hash
            self.has_revisions = True
            self._append(strand_id, number, _REVISION, digest, (file, offset, length, index))

    def _append(
        self,
        strand_id: str,
        number: int,
        kind: int,
        digest: bytes,
        place: tuple[int, int, int, int | None],
    ) -> None:
        self.parts.append((strand_id, number, kind, digest, *place, None, None))

    def add_block(self, found: FoundBlock, file: int, answer: bytes | None = None) -> None:
        """Note where a whole block of an export stands, and what is said of it."""
        address = found.address
        self.has_blocks = True
        place = (file, found.offset, found.length, found.tables)
        block = (address.strand_id, address.sequence_no, _BLOCK, found.block_hash)
        self.parts.append((*block, *place, found.leaves, answer))

    def add_tables(self, file: int, number: int, parent: int, offset: int, length: int) -> None:
        """Note where symbol tables stand that blocks of a file need."""
        self.symbols.append((file, number, parent, offset, length))


class Index:
    """Where every record of a source stands; first filled, then read in order."""

    def __init__(self) -> None:
        # The one who reads may be another thread than the one who began.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._rows = Rows()
        self._has_blocks = self._has_revisions = False

    def add(self, event: Event, file: int, offset: int, length: int, index: int | None) -> None:
        """
        Note where an event stands.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._rows.add(event, file, offset, length, index)
        if len(self._rows) >= _ROWS_PER_INSERT:
            self._insert()

    def add_block(self, found: FoundBlock, file: int, answer: bytes | None = None) -> None:
        """
        Note where a whole block of an export stands, and what is said of it.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._rows.add_block(found, file, answer)
        if len(self._rows) >= _ROWS_PER_INSERT:
            self._insert()

    def add_tables(self, file: int, number: int, parent: int, offset: int, length: int) -> None:
        """
        Note where symbol tables stand that blocks of a file need.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._rows.add_tables(file, number, parent, offset, length)
        if len(self._rows) >= _ROWS_PER_INSERT:
            self._insert()

    def add_rows(self, rows: Rows) -> None:
        """
        Note what another process has found.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._insert()
        self._rows = rows
        self._insert()

    def tables(self, file: int, number: int) -> tuple[int, int, int]:
        """Give the number of the tables before some tables, and their own offset and length."""
        if self._rows.symbols:
            self._insert()
        found: tuple[int, int, int] = self._database.execute(
            "SELECT parent, start, length FROM symbols WHERE file = ? AND number = ?",
            (file, number),
        ).fetchone()
        return found

    def all_tables(self) -> Iterator[SymbolRow]:
        """Iterate over where all symbol tables stand."""
        self._insert()
        yield from self._database.execute(
            "SELECT file, number, parent, start, length FROM symbols ORDER BY file, number"
        )

    def files_with(self, strand_id: str, sequence_no: int) -> list[int]:
        """Give the numbers of the files that hold a whole block."""
        self._make_findable()
        rows = self._database.execute(
            "SELECT DISTINCT file FROM part WHERE kind = ? AND strand = ? AND number = ?",
            (_BLOCK, strand_id, sequence_no),
        )
        return [file for (file,) in rows]

    def holders(self, strand_id: str, sequence_no: int, most: int) -> list[int]:
        """
        Give the numbers of the files that hold anything of a block, the lowest first.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._make_findable()
        rows = self._database.execute(
            "SELECT DISTINCT file FROM part WHERE strand = ? AND number = ? ORDER BY file LIMIT ?",
            (strand_id, sequence_no, most),
        )
        return [file for (file,) in rows]

    def missing(
        self, strand_id: str, first: int, last: int, file: int | None
    ) -> tuple[list[tuple[int, int]], int]:
        """
        Find out which numbers of a range have no block.

        Args:
            strand_id: of the blocks.
            first: inclusive.
            last: inclusive.
            file: the file that must have them whole; None for any record or block.

        Returns:
            The first few missing ranges, and how many numbers are missing in all.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._make_findable()
        numbers = self._database.execute(_NUMBERS, (strand_id, first, last, file, file, _BLOCK))
        ranges: list[tuple[int, int]] = []
        count, expected = 0, first
        for (number,) in chain(numbers, ((last + 1,),)):
            if number > expected:
                count += number - expected
                if len(ranges) < _RANGES_TOLD:
                    ranges.append((expected, number - 1))
            expected = number + 1
        return ranges, count

    def _make_findable(self) -> None:
        """Let blocks be found by their numbers; needed where exports promise any."""
        if len(self._rows):
            self._insert()
        with _translated():
            self._database.execute(
                "CREATE INDEX IF NOT EXISTS part_by_number ON part (strand, number, kind, file)"
            )

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
            if self._has_blocks and self._has_revisions:
                self._spread_leaves()
            self._database.executescript(_PLACE)
            rows = self._database.execute(_IN_ORDER)
        address: BlockAddress | None = None
        for strand_id, number, kind, file, offset, length, index, answer in rows:
            if kind == _CONTROL:
                yield Place(file, offset, length, index, None)
                continue
            if address is None or address.sequence_no != number or address.strand_id != strand_id:
                address = BlockAddress(strand_id, number)
            if kind == _BLOCK:
                yield Place(file, offset, length, None, address, index, answer)
            else:
                yield Place(file, offset, length, index, address)

    def close(self) -> None:
        """Give memory and disk space back."""
        self._database.close()

    def _insert(self) -> None:
        rows, self._rows = self._rows, Rows()
        self._has_blocks |= rows.has_blocks
        self._has_revisions |= rows.has_revisions
        with _translated():
            self._database.execute("BEGIN")
            self._database.executemany(_INSERT, rows.parts)
            self._database.executemany("INSERT INTO leaf VALUES (?,?,?)", rows.leaves)
            self._database.executemany("INSERT INTO symbols VALUES (?,?,?,?,?)", rows.symbols)
            self._database.execute("COMMIT")

    def _spread_leaves(self) -> None:
        """Give each hash that a whole block lists a row of its own."""
        blocks = self._database.execute(
            "SELECT strand, number, leaves FROM part WHERE kind = ?", (_BLOCK,)
        )
        self._database.executemany(
            "INSERT INTO leaf VALUES (?,?,?)",
            (
                (leaves[start : start + _DIGEST_BYTES], strand_id, number)
                for strand_id, number, leaves in blocks
                for start in range(0, len(leaves), _DIGEST_BYTES)
            ),
        )


@contextmanager
def _translated() -> Iterator[None]:
    """Tell what SQLite raises as an error of the source: there is no room, or no disk."""
    try:
        yield
    except sqlite3.Error as exc:
        raise SourceError("the temporary index", f"cannot be written: {exc}") from exc

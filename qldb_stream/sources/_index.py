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
looked at only where a source has revisions by themselves as well. What was said of blocks when
they were found is kept in runs of consecutive ones, and of those that stand alone with their
numbers no row is looked at again. Symbol tables that
blocks need from elsewhere in their object are kept as chains, each with those before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Final

import attrs

from qldb_stream.errors import SourceError
from qldb_stream.events import BlockAddress
from qldb_stream.sources._rows import BLOCK, CONTROL, REVISION, SUMMARY, RowKeeper, Rows, SymbolRow
from qldb_stream.sources._settle import Run, Said, SumUp, read_said, read_summed, run_of

__all__ = ["Index", "Place"]

_CACHE_KIB: Final = 16 * 1024
_DIGEST_BYTES: Final = 32
_RANGES_TOLD: Final = 3

_START: Final = ("", -2)  # before everything: CONTROL has no strand, and the number -1

_SCHEMA: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE part (
    strand TEXT, number INTEGER, kind INTEGER, hash BLOB,
    file INTEGER, start INTEGER, length INTEGER, place INTEGER, leaves BLOB, asked INTEGER
);
CREATE TABLE run (strand TEXT, first INTEGER, last INTEGER, file INTEGER, said BLOB, summed BLOB);
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
WHERE kind = {REVISION}
    AND NOT EXISTS (
        SELECT 1 FROM leaf WHERE leaf.hash = part.hash
            AND leaf.strand = part.strand AND leaf.number = part.number
    )
    AND EXISTS (SELECT 1 FROM leaf WHERE leaf.hash = part.hash);
DROP TABLE leaf;
"""  # noqa: S608 - the only value in it is a constant of this module

_INSERT: Final = "INSERT INTO part VALUES (?,?,?,?,?,?,?,?,?,?)"

_FIND: Final = "CREATE INDEX IF NOT EXISTS part_by_number ON part (strand, number, kind, file)"

_PARTS: Final = "SELECT strand, number, kind, file, start, length, place, asked FROM part"
_BEHIND: Final = "WHERE (strand, number) > (?, ?)"
# The hash puts copies side by side; the rest makes the order the same in every run.
_IN_ORDER: Final = "ORDER BY strand, number, kind, hash, file, start, place"
_ALL: Final = f"{_PARTS} {_IN_ORDER}"
_REST: Final = f"{_PARTS} {_BEHIND} {_IN_ORDER}"
_BETWEEN: Final = f"{_PARTS} {_BEHIND} AND (strand, number) < (?, ?) {_IN_ORDER}"

_RUNS: Final = "SELECT rowid, strand, first, last FROM run ORDER BY strand, first, last, file"
_SHARED: Final = """
SELECT number FROM part WHERE strand = ? AND number BETWEEN ? AND ?
GROUP BY number HAVING COUNT(*) > 1 ORDER BY number
"""

_NUMBERS: Final = "SELECT DISTINCT number"
_COUNT: Final = "SELECT COUNT(DISTINCT number)"
_WHOLE: Final = f"""FROM part
WHERE strand = ? AND number BETWEEN ? AND ? AND kind IN ({SUMMARY}, {BLOCK})
    AND (? IS NULL OR (file = ? AND kind = ?))
"""


@attrs.frozen
class Place:
    """
    Where to read a record again, and under which block it belongs.

    `index` counts the records of an aggregate; None where the bytes are the record's
    own. `address` is None for CONTROL, which belongs to no block. `tables` is the number of
    the symbol tables that a whole block of an export needs, as `parsers.export_walk` counts
    them; None for a record. `is_asked` says whether something was to be said of a whole block when
    it was found.
    """

    file: int
    offset: int
    length: int
    index: int | None
    address: BlockAddress | None
    tables: int | None = None
    is_asked: bool = attrs.field(default=False, eq=False, repr=False)


class Index(RowKeeper):
    """
    Where every record of a source stands; first filled, then read in order.

    Whatever adds to it raises `SourceError` when the temporary database cannot grow.

    Args:
        sum_up: as `Look` has it.
    """

    def __init__(self, sum_up: SumUp | None = None) -> None:
        super().__init__(sum_up)
        # The one who reads may be another thread than the one who began.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._has_blocks = self._has_revisions = False

    def add_rows(self, rows: Rows) -> None:
        """
        Note what another process has found.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self.hand_on()
        self._take(rows)

    def tables(self, file: int, number: int) -> tuple[int, int, int]:
        """Give the number of the tables before some tables, and their own offset and length."""
        self.hand_on()
        found: tuple[int, int, int] = self._database.execute(
            "SELECT parent, start, length FROM symbols WHERE file = ? AND number = ?",
            (file, number),
        ).fetchone()
        return found

    def all_tables(self) -> Iterator[SymbolRow]:
        """Iterate over where all symbol tables stand."""
        self.hand_on()
        yield from self._database.execute(
            "SELECT file, number, parent, start, length FROM symbols ORDER BY file, number"
        )

    def files_with(self, strand_id: str, sequence_no: int) -> list[int]:
        """Give the numbers of the files that hold a whole block."""
        self._make_findable()
        rows = self._database.execute(
            "SELECT DISTINCT file FROM part WHERE kind = ? AND strand = ? AND number = ?",
            (BLOCK, strand_id, sequence_no),
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
        sought = (strand_id, first, last, file, file, BLOCK)
        (there,) = self._database.execute(f"{_COUNT} {_WHOLE}", sought).fetchone()
        if there == last - first + 1:  # as nearly always, and found out much faster
            return [], 0
        numbers = self._database.execute(f"{_NUMBERS} {_WHOLE} ORDER BY number", sought)
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
        self.hand_on()
        with _translated():
            self._database.execute(_FIND)

    def places(self) -> Iterator[Place]:
        """
        Iterate over all records: CONTROL, then block by block, each summary first.

        Strands come in order of their ids. Copies stand side by side. Nothing may be
        added after this.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._put_in_place()
        return self._select(_ALL)

    def runs_and_places(self) -> Iterator[Run | Place]:
        """
        Iterate like `places`, with what was said of blocks in place of those that stand alone.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._put_in_place()
        if self._database.execute("SELECT 1 FROM run LIMIT 1").fetchone() is None:
            yield from self._select(_ALL)
            return
        self._make_findable()
        done = _START
        with _translated():
            runs = self._database.execute(_RUNS)
        for row, strand_id, first, last in runs:
            start = done[1] + 1 if done[0] == strand_id else first
            if start <= first:
                if done != (strand_id, first - 1):
                    yield from self._select(_BETWEEN, *done, strand_id, first)
                start = first
            if start <= last:
                yield from self._open_run(row, strand_id, first, (start, last))
                done = (strand_id, last)
        yield from self._select(_REST, *done)

    def _open_run(
        self, row: int, strand_id: str, first: int, within: tuple[int, int]
    ) -> Iterator[Run | Place]:
        """Give the blocks of a run that are within a range, and places where there are copies."""
        start, last = within
        shared = [*_joined(self._database.execute(_SHARED, (strand_id, *within)))]
        if start == first and not shared:
            yield self._whole_run(row, last + 1 - first)
            return
        answers = self._read_run(row)
        for low, high in shared:
            if start < low:
                yield run_of(answers[start - first : low - first])
            yield from self._select(_BETWEEN, strand_id, low - 1, strand_id, high + 1)
            start = high + 1
        if start <= last:
            yield run_of(answers[start - first : last + 1 - first])

    def _whole_run(self, row: int, blocks: int) -> Run:
        """Give a run of so many blocks, of none of which there are copies."""
        query = "SELECT summed FROM run WHERE rowid = ?"
        length, summed = read_summed(*self._database.execute(query, (row,)).fetchone())
        return Run(blocks, length, summed, partial(self._read_run, row))

    def _read_run(self, row: int) -> list[Said]:
        query = "SELECT said FROM run WHERE rowid = ?"
        return read_said(*self._database.execute(query, (row,)).fetchone())

    def _put_in_place(self) -> None:
        """Put every revision under the block that lists it."""
        self.hand_on()
        with _translated():
            if self._has_blocks and self._has_revisions:
                self._spread_leaves()
            self._database.executescript(_PLACE)

    def _select(self, query: str, *values: str | int) -> Iterator[Place]:
        """Iterate over places as a query finds them."""
        with _translated():
            rows = self._database.execute(query, values)
        address: BlockAddress | None = None
        for strand_id, number, kind, file, offset, length, index, asked in rows:
            if kind == CONTROL:
                yield Place(file, offset, length, index, None)
                continue
            if address is None or address.sequence_no != number or address.strand_id != strand_id:
                address = BlockAddress(strand_id, number)
            if kind == BLOCK:
                yield Place(file, offset, length, None, address, index, bool(asked))
            else:
                yield Place(file, offset, length, index, address)

    def close(self) -> None:
        """Give memory and disk space back."""
        self._database.close()

    def _take(self, rows: Rows) -> None:
        self._has_blocks |= rows.has_blocks
        self._has_revisions |= rows.has_revisions
        with _translated():
            self._database.execute("BEGIN")
            self._database.executemany(_INSERT, rows.parts)
            self._database.executemany("INSERT INTO leaf VALUES (?,?,?)", rows.leaves)
            self._database.executemany("INSERT INTO symbols VALUES (?,?,?,?,?)", rows.symbols)
            self._database.executemany("INSERT INTO run VALUES (?,?,?,?,?,?)", rows.runs)
            self._database.execute("COMMIT")

    def _spread_leaves(self) -> None:
        """Give each hash that a whole block lists a row of its own."""
        blocks = self._database.execute(
            "SELECT strand, number, leaves FROM part WHERE kind = ?", (BLOCK,)
        )
        self._database.executemany(
            "INSERT INTO leaf VALUES (?,?,?)",
            (
                (leaves[start : start + _DIGEST_BYTES], strand_id, number)
                for strand_id, number, leaves in blocks
                for start in range(0, len(leaves), _DIGEST_BYTES)
            ),
        )


def _joined(numbers: Iterable[tuple[int]]) -> Iterator[tuple[int, int]]:
    """Join rising numbers to ranges of consecutive ones, first and last inclusive."""
    first = last = None
    for (number,) in numbers:
        if first is None or last is None:
            first = number
        elif number != last + 1:
            yield first, last
            first = number
        last = number
    if first is not None and last is not None:
        yield first, last


@contextmanager
def _translated() -> Iterator[None]:
    """Tell what SQLite raises as an error of the source: there is no room, or no disk."""
    try:
        yield
    except sqlite3.Error as exc:
        raise SourceError("the temporary index", f"cannot be written: {exc}") from exc

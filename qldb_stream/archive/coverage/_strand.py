"""What is known of one strand while its blocks come by, and of each holder of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

import attrs

from qldb_stream.archive.coverage._holders import Holders, Part
from qldb_stream.archive.coverage._memory import Memory
from qldb_stream.archive.coverage._ranges import RangeList
from qldb_stream.archive.coverage._tables import Tables
from qldb_stream.events import Block, RevisionKind
from qldb_stream.report import Holding, Overlap, RedactionCoverage, StrandCoverage
from qldb_stream.statements import readable_redactions

__all__ = ["FILES_NAMED", "Held", "Strand"]

FILES_NAMED: Final = 20
"""How many files an overlap or a conflict names; the others are counted."""

_MISSING: Final = 10_000
_OVERLAPS: Final = 10_000


@attrs.define(eq=False)
class Held:
    """What one file or source holds of a strand, so far."""

    whole: RangeList
    in_part: RangeList
    first: int
    last: int
    first_time: datetime | None = None
    last_time: datetime | None = None

    @classmethod
    def begin(cls, number: int, limit: int) -> Held:
        """Make one of which nothing is known but where it begins."""
        return cls(RangeList(limit), RangeList(limit), number, number)

    def add(self, number: int, part: Part) -> None:
        """Take in what is held of the next block."""
        self.last = number
        (self.whole if part.is_whole else self.in_part).add(number)
        self.first_time = self.first_time or part.time
        self.last_time = part.time or self.last_time

    def report(self, strand_id: str) -> Holding:
        """Sum up."""
        return Holding(
            strand_id,
            self.first,
            self.last,
            self.whole.count,
            self.whole.ranges,
            self.in_part.ranges,
            self.in_part.count,
            self.whole.is_exact and self.in_part.is_exact,
            self.first_time,
            self.last_time,
        )


class Strand:
    """
    Sums up one strand, block by block, by rising number.

    Args:
        strand_id: the strand.
        memory: what is on disk; shared by all strands.
        first_home: the number of its first table there.
        begin: the first block that its owner ever had.
    """

    def __init__(self, strand_id: str, memory: Memory, first_home: int, begin: int = 0) -> None:
        self.strand_id = strand_id
        self.tables = Tables(memory, first_home)
        self._missing = RangeList(_MISSING)
        self._memory = memory
        self._in_part = RangeList(_MISSING)
        self._before = RangeList(_MISSING)
        self._begin = begin
        self._next = begin
        self._seen = -1
        self._blocks = 0
        self._revisions = 0
        self._first: Block | None = None
        self._last: Block | None = None
        self._overlaps: list[Overlap] = []
        self._overlap: Overlap | None = None
        self._overlapping = 0

    def see(self, number: int, *, is_whole: bool) -> None:
        """Take note that something of a block came, and whether all of it did."""
        self._seen = number
        if not is_whole and number >= self._begin:
            self._in_part.add(number)

    def feed(self, block: Block) -> None:
        """Take in the next block that is whole."""
        number = block.address.sequence_no
        if number > self._next:
            self._missing.add(self._next, number - 1)
        if number < self._begin:
            self._before.add(number)
        else:
            self._next = number + 1
        self._blocks += 1
        self._revisions += sum(found.metadata is not None for found in block.revisions)
        self._first = self._first or block
        self._last = block
        self.tables.feed(block)
        self._remember_redactions(block)

    def compare(
        self, number: int, holders: Holders, source_of: Collection[tuple[int, int]]
    ) -> None:
        """
        Take note of who holds a block whole.

        Args:
            number: the block's.
            holders: who holds what of it.
            source_of: each file that holds something of it, with its source.
        """
        files = sorted(file for file, _ in source_of if holders.parts[file].is_whole)
        if len(holders.parts) == 1:
            return
        by_source: dict[int, list[int]] = {}
        for file, source in source_of:
            by_source.setdefault(source, []).append(file)
        sources = sorted(s for s, found in by_source.items() if holders.joined(found).is_whole)
        if len(files) > 1 or len(sources) > 1:
            copies = max(len(files), len(sources))
            found = Overlap(number, number, copies, tuple(sources), tuple(files[:FILES_NAMED]))
            self._add_overlap(found)

    def holds(self, number: int) -> bool:
        """Say whether a block came whole, as far as blocks have come."""
        if number < self._begin:
            return number in self._before
        return number < self._next and number not in self._missing

    def report(
        self, documents: dict[int, int], redactions: RedactionCoverage, promised_last: int
    ) -> StrandCoverage:
        """
        Sum up.

        Args:
            documents: how many documents each table has, by its number.
            redactions: what is known of redactions.
            promised_last: the last block that manifests promise; -1 for none.
        """
        last = max(self._seen, promised_last)
        if self._begin:  # who says that a strand is theirs from there on has that block
            last = max(last, self._begin)
        missing = self._missing_until(last)
        overlaps = self._overlaps + ([] if self._overlap is None else [self._overlap])
        return StrandCoverage(
            self.strand_id,
            None if self._first is None else self._first.address.sequence_no,
            None if self._last is None else self._last.address.sequence_no,
            last,
            self._blocks,
            missing,
            last + 1 - self._begin - (self._blocks - self._before.count),
            self._in_part.ranges,
            self._in_part.count,
            self._missing.is_exact and self._in_part.is_exact and self._before.is_exact,
            tuple(overlaps[:_OVERLAPS]),
            self._overlapping,
            None if self._first is None else self._first.summary.block_timestamp,
            None if self._last is None else self._last.summary.block_timestamp,
            self._revisions,
            self.tables.report(documents),
            redactions,
            self._begin,
            self._before.ranges,
            self._before.count,
        )

    def _missing_until(self, last: int) -> tuple[tuple[int, int], ...]:
        """Give what is missing, with what was seen or promised after the last whole block."""
        tail = () if self._next > last else ((self._next, last),)
        return (*self._missing.ranges, *tail)

    def _add_overlap(self, found: Overlap) -> None:
        """Lengthen the run of blocks that the same sources hold, or begin another."""
        self._overlapping += 1
        run = self._overlap
        if run is not None and (run.last + 1, run.sources) == (found.first, found.sources):
            self._overlap = _joined(run, found)
            return
        if run is not None and len(self._overlaps) < _OVERLAPS:
            self._overlaps.append(run)
        self._overlap = found

    def _remember_redactions(self, block: Block) -> None:
        for revision in block.revisions:
            if revision.kind is RevisionKind.REDACTED and revision.metadata is not None:
                metadata = revision.metadata
                place = (self.strand_id, block.address.sequence_no)
                self._memory.add_erased((*place, metadata.id, metadata.version))
        for request in readable_redactions(block.summary):
            at = request.block_address
            key = (at.strand_id, at.sequence_no, request.document_id, request.version)
            self._memory.add_request(key)


def _joined(run: Overlap, found: Overlap) -> Overlap:
    files = run.files
    if len(files) < FILES_NAMED and found.files != files:
        files = tuple(sorted({*files, *found.files})[:FILES_NAMED])
    return attrs.evolve(run, last=found.last, copies=max(run.copies, found.copies), files=files)

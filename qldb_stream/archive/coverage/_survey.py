"""
Walk a source once and tell who holds what.

The source is sorted, so all copies of a block come together: who holds it is decided then,
and what is kept are ranges and counts. The genuine copy is chosen where the pipeline
chooses it too, in the assembler; hashes are computed there only when copies differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final, Protocol, runtime_checkable

import attrs

from qldb_stream.archive.coverage._begin import Begin
from qldb_stream.archive.coverage._holders import Holders, Part
from qldb_stream.archive.coverage._memory import Memory
from qldb_stream.archive.coverage._promises import Promises, PromisingSource, read_promises
from qldb_stream.archive.coverage._strand import FILES_NAMED, Held, Strand
from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import ExportIncompleteError
from qldb_stream.events import (
    BlockAddress,
    BlockSummary,
    Need,
    RevisionDetails,
    Undecodable,
)
from qldb_stream.pipeline import Tally
from qldb_stream.report import (
    Conflict,
    CoverageReport,
    FileCoverage,
    Holding,
    Problem,
    ProblemCode,
    RedactionCoverage,
    SourceCoverage,
    StrandCoverage,
)
from qldb_stream.sources import Carrier, JudgedManifest
from qldb_stream.typing import Item

__all__ = ["LocatingSource", "Survey", "cover_source"]

_RANGES: Final = 200_000
"""How many ranges all files together may have, some 30 MB; each has its share of them."""

_MOST_RANGES: Final = 10_000
_LEAST_RANGES: Final = 16
_CONFLICTS: Final = 10_000
_FROM_ZERO: Final = Begin()


@runtime_checkable
class LocatingSource(Protocol):
    """A sorted source that tells from which of its files each item came."""

    @property
    def carriers(self) -> tuple[Carrier, ...]:
        """Give the files."""

    def located_items(self) -> Iterator[tuple[str, BlockAddress | None, Item]]:
        """Iterate over all items by rising address, each with its file's name and its block."""


def cover_source(
    source: LocatingSource, names: Sequence[str], *, begin: Begin = _FROM_ZERO
) -> CoverageReport:
    """
    Tell what a source holds, which of its files holds it, and what is missing.

    Args:
        source: read once.
        names: what was named to open it, in the order of `Carrier.argument`.
        begin: from which block on anything can be missing; a ledger begins with block 0.

    Raises:
        SourceError: a file changed or failed while it was read, or there is no room for
            the index.
        BacklogError: one block has too many parts.
    """
    survey = Survey(source, names, begin=begin)
    with closing(survey):
        survey.run()
        return survey.report()


class Survey:
    """
    One walk over a source; `report` may be asked for at any time, and once after an error.

    Args:
        source: read by `run`, once.
        names: what was named to open it, in the order of `Carrier.argument`.
        begin: from which block on anything can be missing.
    """

    def __init__(
        self, source: LocatingSource, names: Sequence[str], *, begin: Begin = _FROM_ZERO
    ) -> None:
        self._begin = begin
        self._source = source
        self._names = tuple(names)
        self._carriers = source.carriers
        self._by_name = {carrier.name: n for n, carrier in enumerate(self._carriers)}
        self._file_ranges = _share(len(self._carriers))
        self._source_ranges = _share(len(self._names))
        self._memory = Memory()
        self._assembler = BlockAssembler(hold=True)
        self._tally = Tally()
        self._conflicts: list[Conflict] = []
        self._strands: dict[str, Strand] = {}
        self._of_files: dict[tuple[int, str], Held] = {}
        self._of_sources: dict[tuple[int, str], Held] = {}
        self._records: dict[int, int] = {}
        self._undecodable: dict[int, int] = {}
        self._place: BlockAddress | None = None
        self._holders = Holders()
        self._manifests: Sequence[JudgedManifest] = ()

    def run(self) -> None:
        """Walk the source to its end; raises as `cover_source`."""
        for name, address, item in self._source.located_items():
            if address != self._place:
                self._finish()
                self._place = address
            if isinstance(item, Undecodable):
                self._add_undecodable(item)
                continue
            file = self._by_name[name]
            self._records[file] = self._records.get(file, 0) + 1
            if isinstance(item, BlockSummary | RevisionDetails):
                self._holders.feed(file, item)
                self._assembler.feed(item)
        self._finish()
        self._place = None
        for error in self._assembler.close():  # nothing, where the source is sorted
            self._tally.add_problem(Problem(ProblemCode.INCOMPLETE, str(error)))
        if isinstance(self._source, PromisingSource):
            self._manifests = self._source.judged_manifests

    def report(self) -> CoverageReport:
        """Sum up what came so far."""
        promises = read_promises(self._manifests, self._begin)
        return CoverageReport(
            self._source_reports(),
            self._file_reports(),
            self._strand_reports(promises),
            promises.manifests,
            tuple(self._conflicts),
            self._tally.report(()).problems,
            sum(self._records.values()),
        )

    def close(self) -> None:
        """Give back what is on disk; there is no report after it."""
        self._memory.close()

    def _finish(self) -> None:
        """Judge the block of which all has come now."""
        place, holders = self._place, self._holders
        if place is None:
            return
        self._holders = Holders()
        strand = self._strand(place.strand_id)
        sources = [(file, self._carriers[file].argument) for file in holders.parts]
        self._assembler.finish(place)
        is_whole = False
        while not isinstance(block := self._assembler.next_block(), Need):
            is_whole = is_whole or block.address == place
            strand.feed(block)
        strand.see(place.sequence_no, is_whole=is_whole)
        strand.compare(place.sequence_no, holders, sources)
        self._hold(place, holders, sources)
        for problem in self._assembler.take_problems():
            self._add_problem(problem, sorted(holders.parts))

    def _hold(
        self, place: BlockAddress, holders: Holders, sources: Sequence[tuple[int, int]]
    ) -> None:
        """Note for each file and each source what it holds of a block."""
        by_source: dict[int, list[int]] = {}
        for file, source in sources:
            by_source.setdefault(source, []).append(file)
            _note(self._of_files, file, place, holders.parts[file], self._file_ranges)
        for source, files in by_source.items():
            part = holders.parts[files[0]] if len(files) == 1 else holders.joined(files)
            _note(self._of_sources, source, place, part, self._source_ranges)

    def _strand(self, strand_id: str) -> Strand:
        found = self._strands.get(strand_id)
        if found is None:
            last = next(reversed(self._strands.values()), None)
            home = 0 if last is None else last.tables.next_home
            begin = self._begin.of(strand_id)
            found = self._strands[strand_id] = Strand(strand_id, self._memory, home, begin)
        return found

    def _add_undecodable(self, item: Undecodable) -> None:
        if self._begin.excuses_promise(item.error):
            return
        if not isinstance(item.error, ExportIncompleteError):
            file = self._by_name.get(item.source, -1)
            self._undecodable[file] = self._undecodable.get(file, 0) + 1
        self._tally.add_undecodable(item)

    def _add_problem(self, problem: Problem, files: Sequence[int]) -> None:
        if self._begin.excuses_problem(problem):
            return
        # Values of documents are for `verify`, which is asked for them; the message has the rest.
        problem = attrs.evolve(problem, diagnosis=None)
        if problem.code is ProblemCode.CONFLICT and len(self._conflicts) < _CONFLICTS:
            self._conflicts.append(Conflict(problem, tuple(files[:FILES_NAMED])))
            return
        names = tuple([self._carriers[file].name for file in files[:FILES_NAMED]])
        self._tally.add_problem(attrs.evolve(problem, held_by=names))

    def _source_reports(self) -> tuple[SourceCoverage, ...]:
        found = [SourceCoverage(name) for name in self._names]
        for number, carrier in enumerate(self._carriers):
            was = found[carrier.argument]
            found[carrier.argument] = attrs.evolve(
                was,
                files=was.files + 1,
                records=was.records + self._records.get(number, 0),
                undecodable=was.undecodable + self._undecodable.get(number, 0),
            )
        held = _holdings(self._of_sources)
        return tuple(
            [attrs.evolve(s, holdings=tuple(held.get(n, ()))) for n, s in enumerate(found)]
        )

    def _file_reports(self) -> tuple[FileCoverage, ...]:
        held = _holdings(self._of_files)
        return tuple(
            [
                FileCoverage(
                    carrier.name,
                    carrier.argument,
                    carrier.size,
                    self._records.get(number, 0),
                    self._undecodable.get(number, 0),
                    tuple(held.get(number, ())),
                )
                for number, carrier in enumerate(self._carriers)
            ]
        )

    def _strand_reports(self, promises: Promises) -> tuple[StrandCoverage, ...]:
        documents = dict(self._memory.documents())
        redactions = self._redactions()
        for strand_id in {*promises.last, *self._begin.strands}:
            self._strand(strand_id)  # of which nothing came
        return tuple(
            [
                strand.report(
                    documents,
                    redactions.get(strand_id, RedactionCoverage()),
                    promises.last.get(strand_id, -1),
                )
                for strand_id, strand in sorted(self._strands.items())
            ]
        )

    def _redactions(self) -> Mapping[str, RedactionCoverage]:
        """Say by strand what became of the redactions that were asked for."""
        erased, unasked = self._memory.erased(), self._memory.unasked()
        in_full: dict[str, int] = {}
        not_held: dict[str, int] = {}
        for strand_id, number in self._memory.iter_left_over():
            strand = self._strands.get(strand_id)
            is_held = strand is not None and strand.holds(number)
            counts = in_full if is_held else not_held
            counts[strand_id] = counts.get(strand_id, 0) + 1
        return {
            strand_id: RedactionCoverage(
                sum(found.get(strand_id, 0) for found in (erased, in_full, not_held)),
                erased.get(strand_id, 0),
                in_full.get(strand_id, 0),
                not_held.get(strand_id, 0),
                unasked.get(strand_id, 0),
            )
            for strand_id in self._strands
        }


def _share(holders: int) -> int:
    """Say how many ranges each of so many may have."""
    return min(_MOST_RANGES, max(_LEAST_RANGES, _RANGES // max(1, holders)))


def _note(
    held: dict[tuple[int, str], Held], holder: int, place: BlockAddress, part: Part, limit: int
) -> None:
    key = (holder, place.strand_id)
    found = held.get(key)
    if found is None:
        found = held[key] = Held.begin(place.sequence_no, limit)
    found.add(place.sequence_no, part)


def _holdings(held: Mapping[tuple[int, str], Held]) -> dict[int, list[Holding]]:
    found: dict[int, list[Holding]] = {}
    for (holder, strand_id), what in sorted(held.items()):
        found.setdefault(holder, []).append(what.report(strand_id))
    return found

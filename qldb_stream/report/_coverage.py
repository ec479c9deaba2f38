"""
What an archive holds of a ledger, where, and what it lacks.

Ranges are pairs of block numbers, both ends included. Files are named by their place in
`CoverageReport.files`, sources (what a command line named) by theirs in `sources`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

import attrs

from qldb_stream.report._checks import Problem
from qldb_stream.report._version import VERSION

Ranges: TypeAlias = tuple[tuple[int, int], ...]


@attrs.frozen
class Holding:
    """
    What one file or source holds of a strand.

    Attributes:
        strand_id: the strand.
        first: the lowest block of which anything is there.
        last: the highest.
        blocks: how many are there whole: a summary, and each revision that it lists.
        ranges: which these are.
        in_part: blocks of which only a part is there.
        in_part_blocks: how many these are.
        is_exact: whether `ranges` and `in_part` are all; else small holes in them are
            filled, so that they stay few. The counts are always exact.
        first_time: when the first of the blocks was written, aware, UTC; None where no
            summary tells.
        last_time: the same of the last one.
    """

    strand_id: str
    first: int
    last: int
    blocks: int = 0
    ranges: Ranges = ()
    in_part: Ranges = ()
    in_part_blocks: int = 0
    is_exact: bool = True
    first_time: datetime | None = None
    last_time: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "strand_id": self.strand_id,
            "first": self.first,
            "last": self.last,
            "blocks": self.blocks,
            "ranges": _pairs(self.ranges),
            "in_part": _pairs(self.in_part),
            "in_part_blocks": self.in_part_blocks,
            "exact": self.is_exact,
            "first_time": _time(self.first_time),
            "last_time": _time(self.last_time),
        }


@attrs.frozen
class FileCoverage:
    """
    What one file or object holds.

    `source` counts what the command line named; `size` is in bytes, as it is stored;
    `records` and `undecodable` count what could be read in it, and what could not.
    """

    name: str
    source: int
    size: int
    records: int = 0
    undecodable: int = 0
    holdings: tuple[Holding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "name": self.name,
            "source": self.source,
            "bytes": self.size,
            **_contents(self),
        }


@attrs.frozen
class SourceCoverage:
    """What one source holds, all its files together; a block may be spread over several."""

    name: str
    files: int = 0
    records: int = 0
    undecodable: int = 0
    holdings: tuple[Holding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {"name": self.name, "files": self.files, **_contents(self)}


@attrs.frozen
class Overlap:
    """
    A run of blocks that are there whole more than once, in the same sources.

    `copies` is in how many files, or sources, the one of them is that is in most. `sources`
    are those that hold them whole, `files` the first files that hold one of them whole.
    """

    first: int
    last: int
    copies: int
    sources: tuple[int, ...]
    files: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "first": self.first,
            "last": self.last,
            "copies": self.copies,
            "sources": list(self.sources),
            "files": list(self.files),
        }


@attrs.frozen
class Conflict:
    """A block with two contents, what differs first, and which files hold one of them."""

    problem: Problem
    files: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return self.problem.as_json() | {"files": list(self.files)}


@attrs.frozen
class TableCoverage:
    """
    What was seen of one table.

    `table_id` is None for a table of which no document was seen. `documents` counts
    documents, `revisions` their states, `deleted` those states that are deletes. `created`
    and `dropped` are the blocks that did it, None where no block here did; `first` and
    `last` are the blocks of its first and last revision.
    """

    name: str
    table_id: str | None
    documents: int = 0
    revisions: int = 0
    deleted: int = 0
    first: int | None = None
    last: int | None = None
    created: int | None = None
    dropped: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class RedactionCoverage:
    """
    What was seen of redactions.

    `requested` counts the revisions that blocks ask to redact, and is the sum of `erased`
    (only the hash of the document is here), `in_full` (the document is still here) and
    `not_held` (the revision is in no block that is here whole). `unasked` counts redacted
    revisions that no block here asks for.
    """

    requested: int = 0
    erased: int = 0
    in_full: int = 0
    not_held: int = 0
    unasked: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class StrandCoverage:
    """
    What all sources together hold of one strand.

    Attributes:
        strand_id: the strand.
        first: the first block that is here whole; None for none.
        last: the last one.
        expected_last: the last block that is known to be: the last of which anything is
            here, or that a manifest promises, or `expected_first` where that is later. What
            came after it nobody can tell.
        blocks: how many blocks are here whole, copies once.
        missing: blocks from `expected_first` to `expected_last` that are not, those in part
            included.
        missing_blocks: how many these are.
        in_part: of the missing ones, those of which a part is here.
        in_part_blocks: how many these are.
        is_exact: whether `missing`, `in_part` and `before` name exactly these; else, where
            they are very many, they are widened over blocks between them. The counts are
            exact.
        overlaps: blocks that are here more than once, the first ones.
        overlapping_blocks: how many blocks these are, listed or not.
        first_time: when the first block was written, aware, UTC.
        last_time: when the last block was written.
        revisions: how many revisions with contents the blocks have.
        tables: the tables that were seen, dropped ones included.
        redactions: what was seen of redactions.
        expected_first: from which block on something can be missing: 0, or what the owner
            declared, who never had the blocks before.
        before: blocks before it that are here whole all the same.
        before_blocks: how many these are; `blocks` counts them too.
    """

    strand_id: str
    first: int | None = None
    last: int | None = None
    expected_last: int = -1
    blocks: int = 0
    missing: Ranges = ()
    missing_blocks: int = 0
    in_part: Ranges = ()
    in_part_blocks: int = 0
    is_exact: bool = True
    overlaps: tuple[Overlap, ...] = ()
    overlapping_blocks: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    revisions: int = 0
    tables: tuple[TableCoverage, ...] = ()
    redactions: RedactionCoverage = RedactionCoverage()
    expected_first: int = 0
    before: Ranges = ()
    before_blocks: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "strand_id": self.strand_id,
            "first": self.first,
            "last": self.last,
            "expected_first": self.expected_first,
            "expected_last": self.expected_last,
            "blocks": self.blocks,
            "missing": _pairs(self.missing),
            "missing_blocks": self.missing_blocks,
            "in_part": _pairs(self.in_part),
            "in_part_blocks": self.in_part_blocks,
            "before": _pairs(self.before),
            "before_blocks": self.before_blocks,
            "exact": self.is_exact,
            "overlaps": [overlap.as_json() for overlap in self.overlaps],
            "overlapping_blocks": self.overlapping_blocks,
            "first_time": _time(self.first_time),
            "last_time": _time(self.last_time),
            "revisions": self.revisions,
            "tables": [table.as_json() for table in self.tables],
            "redactions": self.redactions.as_json(),
        }


@attrs.frozen
class ManifestCoverage:
    """
    What one manifest of an export promised, and what came of it.

    Attributes:
        name: the manifest's file, or the export's id where only that is known.
        strand_id: the strand that it is about; None where it does not say.
        objects: how many data objects it promises.
        missing_objects: the keys of those that are not here, the first ones.
        missing_objects_count: how many these are.
        is_final: whether it is the manifest that is written last; an export of which only
            the first is here was not complete.
    """

    name: str
    strand_id: str | None = None
    objects: int = 0
    missing_objects: tuple[str, ...] = ()
    missing_objects_count: int = 0
    is_final: bool = True

    @property
    def ok(self) -> bool:
        """Say whether all that was promised is here."""
        return not self.missing_objects_count and self.is_final

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "name": self.name,
            "strand_id": self.strand_id,
            "objects": self.objects,
            "missing_objects": list(self.missing_objects),
            "missing_objects_count": self.missing_objects_count,
            "final": self.is_final,
        }


@attrs.frozen
class CoverageReport:
    """
    What an archive holds of one ledger or several; no hash is recomputed for it.

    `records` counts every record that could be read, copies and CONTROL included.
    `problems` are those that are not conflicts: what cannot be read, blocks in part, and
    copies that were left out for better ones.
    """

    sources: tuple[SourceCoverage, ...] = ()
    files: tuple[FileCoverage, ...] = ()
    strands: tuple[StrandCoverage, ...] = ()
    manifests: tuple[ManifestCoverage, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    problems: tuple[Problem, ...] = ()
    records: int = 0

    @property
    def ok(self) -> bool:
        """Say whether nothing is missing, nothing has two contents, and all could be read."""
        return not (self.problems or self.conflicts or self.missing_blocks) and all(
            manifest.ok for manifest in self.manifests
        )

    @property
    def nothing_readable(self) -> bool:
        """Say whether there was no record and no manifest (exit code 2 of the command)."""
        return self.records == 0 and not self.manifests

    @property
    def blocks(self) -> int:
        """Count the blocks that are here whole, copies once."""
        return sum(strand.blocks for strand in self.strands)

    @property
    def missing_blocks(self) -> int:
        """Count the blocks that are known to be, and are not here whole."""
        return sum(strand.missing_blocks for strand in self.strands)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `coverage --json` prints."""
        return {
            "version": VERSION,
            "ok": self.ok,
            "records": self.records,
            "blocks": self.blocks,
            "missing_blocks": self.missing_blocks,
            "sources": [source.as_json() for source in self.sources],
            "files": [file.as_json() for file in self.files],
            "strands": [strand.as_json() for strand in self.strands],
            "manifests": [manifest.as_json() for manifest in self.manifests],
            "conflicts": [conflict.as_json() for conflict in self.conflicts],
            "problems": [problem.as_json() for problem in self.problems],
        }


def _contents(carrier: FileCoverage | SourceCoverage) -> dict[str, Any]:
    """Give what `--json` prints of what was found in a file, or in all of a source's."""
    return {
        "records": carrier.records,
        "undecodable": carrier.undecodable,
        "holdings": [holding.as_json() for holding in carrier.holdings],
    }


def _pairs(ranges: Iterable[tuple[int, int]]) -> list[list[int]]:
    return [list(pair) for pair in ranges]


def _time(moment: datetime | None) -> str | None:
    return (
        None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )

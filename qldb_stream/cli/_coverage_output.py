"""What `coverage` prints for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.markup import escape

from qldb_stream.cli._output import (
    console,
    count,
    make_printable,
    make_table,
    print_problems,
    print_verdict,
)
from qldb_stream.report import CoverageReport, Holding, StrandCoverage, describe_coverage

__all__ = ["print_coverage"]

_SHOWN: Final = 25  # rows of a table; more are for `--json` and `--html`
_STRANDS_SHOWN: Final = 5  # a ledger has one
_RANGES_SHOWN: Final = 8  # of one holder; its counts are exact

_STRAND_COLUMNS: Final = ("strand", "#first", "#last", "#blocks", "missing", "from", "to")
_HOLDING_COLUMNS: Final = ("source", "#files", "#first", "#last", "#whole", "#in part", "ranges")


def print_coverage(report: CoverageReport, *, has_failed: bool = False) -> None:
    """Print strands, who holds what, tables, what is wrong, and the verdict."""
    if report.strands:
        _print("Strands", _STRAND_COLUMNS, map(_strand_row, report.strands))
    for strand in report.strands[:_STRANDS_SHOWN]:
        _print_strand(report, strand)
    _print_manifests(report)
    print_problems([each.problem for each in report.conflicts], "Conflicts")
    _print_conflict_files(report)
    print_problems(report.problems)
    if not report.nothing_readable:
        broken_off = "; then it broke off" if has_failed else ""
        sentence = f"{describe_coverage(report)}{broken_off}"
        print_verdict(ok=report.ok and not has_failed, sentence=sentence)


def _print_strand(report: CoverageReport, strand: StrandCoverage) -> None:
    title = f"Who holds strand {strand.strand_id}"
    _print(title, _HOLDING_COLUMNS, _holding_rows(report, strand.strand_id))
    overlaps = (
        (
            _range((found.first, found.last)),
            found.copies,
            ", ".join(report.sources[n].name for n in found.sources),
        )
        for found in strand.overlaps
    )
    _print("Held more than once", ("blocks", "#copies", "sources"), overlaps)
    columns = ("table", "#documents", "#revisions", "#deletes", "#first", "#last", "#dropped in")
    tables = (
        (t.name, t.documents, t.revisions, t.deleted, t.first, t.last, t.dropped)
        for t in strand.tables
    )
    _print("Tables", columns, tables)
    for note in _notes(strand):
        console().print(f"  {escape(make_printable(note))}", soft_wrap=True)


def _holding_rows(report: CoverageReport, strand_id: str) -> Iterator[Sequence[object]]:
    for source in report.sources:
        for holding in source.holdings:
            if holding.strand_id == strand_id:
                yield (
                    source.name,
                    source.files,
                    holding.first,
                    holding.last,
                    holding.blocks,
                    holding.in_part_blocks,
                    _held(holding),
                )


def _held(holding: Holding) -> str | None:
    note = "" if holding.is_exact else ", small holes aside"
    ranges = _ranges(holding.ranges)
    return None if ranges is None else f"{ranges}{note}"


def _strand_row(strand: StrandCoverage) -> tuple[object, ...]:
    return (
        strand.strand_id,
        strand.first,
        strand.last,
        strand.blocks,
        _ranges(strand.missing),
        None if strand.first_time is None else f"{strand.first_time:%Y-%m-%d %H:%M:%S}",
        None if strand.last_time is None else f"{strand.last_time:%Y-%m-%d %H:%M:%S}",
    )


def _notes(strand: StrandCoverage) -> Iterator[str]:
    """Say what the tables have no room for."""
    if strand.expected_first:
        yield f"what is missing is judged from block {strand.expected_first} on, as was asked"
    if strand.before_blocks:
        yield f"held before it, {count(strand.before_blocks, 'block')}: {_ranges(strand.before)}"
    if strand.in_part_blocks:
        yield f"here in part, and so missing: blocks {_ranges(strand.in_part)}"
    if strand.last is not None and strand.expected_last > strand.last:
        what = "expected" if strand.expected_first else "seen or promised"
        yield f"the last block {what} is {strand.expected_last}"
    found = strand.redactions
    if found.requested:
        yield (
            f"{count(found.requested, 'redaction')} asked for: {found.erased} carried out here, "
            f"{found.in_full} still here in full, {found.not_held} not here"
        )
    if found.unasked:
        yield f"{count(found.unasked, 'redacted revision')} that no block here asks for"


def _print_manifests(report: CoverageReport) -> None:
    rows = (
        (each.name, each.objects, each.missing_objects_count, _objects(each.missing_objects))
        if each.is_final
        else (each.name, None, None, "no final manifest: the export was not complete")
        for each in report.manifests
    )
    _print("What manifests promised", ("manifest", "#objects", "#not here", "which"), rows)


def _objects(keys: Sequence[str]) -> str | None:
    more = len(keys) - _RANGES_SHOWN
    return ", ".join(keys[:_RANGES_SHOWN]) + (f", and {more:,} more" if more > 0 else "") or None


def _print_conflict_files(report: CoverageReport) -> None:
    rows = (
        (each.problem.sequence_no, ", ".join(report.files[n].name for n in each.files))
        for each in report.conflicts
    )
    _print("Who holds blocks in conflict", ("#block", "files"), rows)


def _print(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, the first rows of it where there are many; nothing for none."""
    found = list(rows)
    if not found:
        return
    console().print(make_table(escape(make_printable(title)), columns, found[:_SHOWN]))
    more = len(found) - _SHOWN
    if more > 0:
        console().print(f"  and {more:,} more: `--json` lists them all")


def _ranges(ranges: Sequence[tuple[int, int]]) -> str | None:
    shown = ", ".join(map(_range, ranges[:_RANGES_SHOWN]))
    more = len(ranges) - _RANGES_SHOWN
    return f"{shown}, and {more:,} ranges more" if more > 0 else shown or None


def _range(ends: tuple[int, int]) -> str:
    first, last = ends
    return str(first) if first == last else f"{first}-{last}"

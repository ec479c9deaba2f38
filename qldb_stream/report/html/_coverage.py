"""The page of a coverage report: each strand as bars, then everything in exact numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from qldb_stream.report._coverage import (
    CoverageReport,
    Holding,
    Ranges,
    StrandCoverage,
)
from qldb_stream.report._wording import count, describe_coverage
from qldb_stream.report.html._bars import Bar, make_bars
from qldb_stream.report.html._page import (
    Markup,
    make_facts,
    make_list,
    make_page,
    make_section,
    make_table,
    make_verdict,
)
from qldb_stream.report.html._shared import (
    describe_ranges,
    describe_time,
    problem_tables,
)

__all__ = ["coverage_page"]

_RANGES_IN_WORDS: Final = 3  # beside a bar; the tables have all
_FILES_DRAWN: Final = 40
"""More bars than this are no picture; what each file holds is in the table anyway."""

_ROWS: Final = 2_000
_STRANDS: Final = 100  # a ledger has one
_DRAWN: Final = "Where each source covers it"

_SAYS: Final[Sequence[str]] = (
    (
        "Coverage says what is in the archive, as records and summaries tell it. No hash of a "
        "sound copy is recomputed for it: that nothing was changed is what `verify` proves."
    ),
    (
        "A block is whole where its summary is here and every revision that the summary lists. One "
        "of which a part is here counts as missing."
    ),
    (
        "A ledger begins with block 0. Where another first block stands above, the archive's owner "
        "said that the ones before were never theirs, and nothing before it counts as missing."
    ),
    (
        "What the ledger wrote after the last block that is seen or promised nobody can tell from "
        "an archive; a digest that was saved names the ledger's last block then."
    ),
)


def coverage_page(
    report: CoverageReport, *, made_at: datetime, maker: str, failure: str | None = None
) -> str:
    """
    Make the page of a coverage report.

    Args:
        report: what coverage found.
        made_at: the time to print on it, aware, UTC.
        maker: the program and its version.
        failure: what ended it before its end, one sentence.

    Returns:
        One HTML document, which needs no other file and no network.
    """
    parts = [
        make_verdict(ok=report.ok and failure is None, sentence=_sentence(report, failure)),
        make_facts(_facts(report)),
        *(_strand_section(report, strand) for strand in report.strands[:_STRANDS]),
        _further_strands(report),
        make_section("Manifests", *_manifests(report)),
        make_section("Conflicts", *_conflicts(report)),
        make_section("Problems", *problem_tables(report.problems)),
        make_section("What each source and file holds", *_sources(report), *_files(report)),
        make_section("What this says, and what not", make_list(_SAYS)),
    ]
    return make_page("Coverage of an archive", parts, made_at=made_at, maker=maker)


def _sentence(report: CoverageReport, failure: str | None) -> str:
    end = "" if failure is None else f" It broke off: {failure}."
    return f"{describe_coverage(report)}.{end}"


def _facts(report: CoverageReport) -> Mapping[str, object]:
    return {
        "sources": len(report.sources),
        "files": len(report.files),
        "records, copies included": report.records,
        "strands": len(report.strands),
    }


def _further_strands(report: CoverageReport) -> Markup:
    more = len(report.strands) - _STRANDS
    said = f"And {more:,} strands more: the JSON report (--json) lists them." if more > 0 else ""
    return make_section("Further strands", *filter(None, [said]))


def _strand_section(report: CoverageReport, strand: StrandCoverage) -> Markup:
    redactions = strand.redactions
    facts = {
        "first and last block": _ends(strand.first, strand.last),
        "judged from block": strand.expected_first,
        "last block seen or promised": strand.expected_last,
        "written": _span(strand.first_time, strand.last_time),
        "blocks held whole": strand.blocks,
        "of these before the first that is judged": strand.before_blocks,
        "blocks missing": strand.missing_blocks,
        "of these here in part": strand.in_part_blocks,
        "blocks held more than once": strand.overlapping_blocks,
        "revisions with contents": strand.revisions,
        "redactions asked for": redactions.requested,
        "of these carried out here": redactions.erased,
        "still here in full": redactions.in_full,
        "not here at all": redactions.not_held,
        "redacted, and not asked for here": redactions.unasked,
    }
    return make_section(
        f"Strand {strand.strand_id}",
        make_facts(facts),
        make_bars(
            _DRAWN,
            max(0, strand.expected_last),
            _bars(report, strand),
            first=_first_drawn(report, strand),
        ),
        _drawn(report, strand),
        *_ranges_table("Missing", strand.missing, is_exact=strand.is_exact),
        *_ranges_table("In part", strand.in_part, is_exact=strand.is_exact),
        *_overlaps(report, strand),
        *_tables(strand),
    )


def _bars(report: CoverageReport, strand: StrandCoverage) -> Iterator[Bar]:
    judged = (strand.expected_first, strand.expected_last)
    expected = judged[1] + 1 - judged[0]
    held = f"{count(strand.blocks - strand.before_blocks, 'block')} of {expected:,}"
    everything = [*strand.before, judged] if strand.blocks else []
    yield Bar("all together", held, everything, strand.in_part, _without_part(strand))
    for source in report.sources:
        yield from _bars_of(source.name, source.holdings, strand.strand_id)
    files = _holders(report, strand)
    if len(report.sources) < len(files) <= _FILES_DRAWN:
        for name, holding in sorted(files, key=lambda found: (found[1].first, found[1].last)):
            yield from _bars_of(name, (holding,), strand.strand_id)


def _first_drawn(report: CoverageReport, strand: StrandCoverage) -> int:
    """Give the first block that is judged, or an earlier one of which anything is here."""
    firsts = [
        holding.first
        for source in report.sources
        for holding in source.holdings
        if holding.strand_id == strand.strand_id
    ]
    return min([strand.expected_first, *firsts])


def _without_part(strand: StrandCoverage) -> Ranges:
    """Give what is missing and not here in part, so that both are seen."""
    parts = iter((*strand.in_part, (strand.expected_last + 1, strand.expected_last + 1)))
    part = next(parts)
    found: list[tuple[int, int]] = []
    for first, last in strand.missing:
        start = first
        while part[0] <= last:
            if start < part[0]:
                found.append((start, part[0] - 1))
            start = max(start, part[1] + 1)
            if part[1] > last:
                break
            part = next(parts)
        if start <= last:
            found.append((start, last))
    return tuple(found)


def _bars_of(name: str, holdings: Iterable[Holding], strand_id: str) -> Iterator[Bar]:
    for holding in holdings:
        if holding.strand_id == strand_id:
            words = f"{_whole(holding)}, {holding.in_part_blocks:,} in part"
            yield Bar(name, words, holding.ranges, holding.in_part)


def _whole(holding: Holding) -> str:
    """Count the blocks that are held whole, and name them where they are few ranges."""
    held = f"{count(holding.blocks, 'block')} whole"
    if not 0 < len(holding.ranges) <= _RANGES_IN_WORDS or not holding.is_exact:
        return held
    return f"{held} ({describe_ranges(holding.ranges)})"


def _holders(report: CoverageReport, strand: StrandCoverage) -> Sequence[tuple[str, Holding]]:
    return [
        (file.name, holding)
        for file in report.files
        for holding in file.holdings
        if holding.strand_id == strand.strand_id
    ]


def _drawn(report: CoverageReport, strand: StrandCoverage) -> Markup | str:
    files = len(_holders(report, strand))
    if files <= _FILES_DRAWN:
        return Markup("")
    return f"{files:,} files hold blocks of it: too many to draw, each is in the table below."


def _ranges_table(title: str, ranges: Ranges, *, is_exact: bool) -> tuple[object, ...]:
    rows = ((first, last, last - first + 1) for first, last in ranges)
    note = "" if is_exact else ", widened over blocks between them where they are very many"
    return _cut(f"{title}{note}", ("#first", "#last", "#blocks"), rows)


def _cut(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[object, ...]:
    """Make a table of the first rows, and a sentence that counts the others."""
    left = iter(rows)
    table = make_table(caption, columns, islice(left, _ROWS))
    more = sum(1 for _ in left)
    said = f"And {more:,} rows more: the JSON report (--json) lists them."
    return (table, said) if more else (table,)


def _overlaps(report: CoverageReport, strand: StrandCoverage) -> tuple[object, ...]:
    rows = (
        (
            found.first,
            found.last,
            found.copies,
            "; ".join(report.sources[n].name for n in found.sources),
            "; ".join(report.files[n].name for n in found.files),
        )
        for found in strand.overlaps
    )
    columns = ("#first", "#last", "#copies", "sources", "files")
    return _cut("Held more than once", columns, rows)


def _tables(strand: StrandCoverage) -> tuple[object, ...]:
    columns = ("table", "=id", "#documents", "#revisions", "#deletes", "#first", "#last")
    rows = (
        (
            table.name,
            table.table_id,
            table.documents,
            table.revisions,
            table.deleted,
            table.first,
            table.last,
            table.created,
            table.dropped,
        )
        for table in strand.tables
    )
    return _cut("Tables", (*columns, "#created", "#dropped"), rows)


def _manifests(report: CoverageReport) -> tuple[object, ...]:
    rows = (
        (
            each.name,
            each.strand_id,
            "final" if each.is_final else "the export was not complete: no final manifest is here",
            each.objects,
            each.missing_objects_count,
            "; ".join(each.missing_objects) or None,
        )
        for each in report.manifests
    )
    columns = ("manifest", "=strand", "kind", "#objects", "#not here", "which")
    return _cut("What manifests promised", columns, rows)


def _conflicts(report: CoverageReport) -> tuple[object, ...]:
    rows = (
        (
            each.problem.strand_id,
            each.problem.sequence_no,
            each.problem.document_id,
            each.problem.message,
            "; ".join(report.files[n].name for n in each.files),
        )
        for each in report.conflicts
    )
    columns = ("=strand", "#block", "document", "what differs", "files that hold it")
    return _cut("The same block with two contents", columns, rows)


def _sources(report: CoverageReport) -> tuple[object, ...]:
    rows = ((s.name, s.files, s.records, s.undecodable) for s in report.sources)
    return _cut("Sources", ("source", "#files", "#records", "#undecodable"), rows)


def _files(report: CoverageReport) -> tuple[object, ...]:
    rows = (
        (
            file.name,
            report.sources[file.source].name,
            file.size,
            holding.strand_id if holding else None,
            _holding(holding) if holding else f"{count(file.records, 'record')}, no block",
        )
        for file in report.files
        for holding in file.holdings or (None,)
    )
    return _cut("Files", ("file", "source", "#bytes", "=strand", "blocks"), rows)


def _holding(holding: Holding) -> str:
    whole, part = describe_ranges(holding.ranges), describe_ranges(holding.in_part)
    words = [f"whole: {whole}" if whole else "", f"in part: {part}" if part else ""]
    note = "" if holding.is_exact else " (small holes are not shown)"
    counts = f"{holding.blocks:,} whole, {holding.in_part_blocks:,} in part"
    return f"{counts}; {'; '.join(filter(None, words))}{note}"


def _ends(first: int | None, last: int | None) -> str | None:
    return None if first is None else f"{first:,} and {last:,}"


def _span(first: datetime | None, last: datetime | None) -> str | None:
    return None if first is None else f"{describe_time(first)} to {describe_time(last)}"

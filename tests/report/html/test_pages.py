"""Pages of reports: sound HTML, all text escaped, no hole lost in a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from qldb_stream.report import (
    Conflict,
    CoverageReport,
    Diagnosis,
    DigestCheck,
    DigestState,
    Evidence,
    FieldChange,
    FileCoverage,
    Holding,
    ManifestCoverage,
    Overlap,
    Problem,
    ProblemCode,
    RedactionCoverage,
    SourceCoverage,
    StrandCoverage,
    StrandReport,
    TableCoverage,
    VerifyReport,
)
from qldb_stream.report.html import (
    Bar,
    Markup,
    coverage_page,
    join,
    make_bars,
    make_list,
    make_page,
    make_section,
    make_table,
    make_text,
    verify_page,
)
from qldb_stream.report.html._bars import COLUMNS

NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
EVIL = "<script>alert('1')</script>\"&\u202e\x1b[2J\ud800"
VOID = {"meta"}
SEGMENT = re.compile(r"M(\d+) 0H(\d+)v10H(\d+)z")


class Reader(HTMLParser):
    """Reads a page: its tags must be closed in order; keeps tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert [] == self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag that is closed at once."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Check that what is closed is what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if self.open and self.open[-1] != "style":
            self.text += data


def cover(report: CoverageReport, failure: str | None = None) -> Reader:
    """Read the page of a coverage report."""
    return Reader(coverage_page(report, made_at=NOW, maker="test 1", failure=failure))


def verify(report: VerifyReport, failure: str | None = None) -> Reader:
    """Read the page of a verification."""
    return Reader(verify_page(report, ["in", "b"], made_at=NOW, maker="test 1", failure=failure))


def everything(text: str) -> CoverageReport:
    """A coverage report with something in all of its lists, and this text wherever text is."""
    problem = Problem(ProblemCode.INCOMPLETE, text, text, 1, text, text)
    holding = Holding(text, 0, 99, 50, ((0, 49),), ((60, 60),), 1, False, NOW, NOW)
    strand = StrandCoverage(
        text,
        0,
        90,
        99,
        88,
        ((50, 60), (99, 99)),
        12,
        ((60, 60),),
        1,
        False,
        (Overlap(0, 5, 2, (0,), (0,)),),
        6,
        NOW,
        NOW,
        70,
        (TableCoverage(text, text, 3, 4, 1, 5, 6, 2, 7), TableCoverage(text, None)),
        RedactionCoverage(6, 1, 2, 3, 4),
    )
    manifests = (
        ManifestCoverage(text, text, 2, (text,), 1),
        ManifestCoverage(text, is_final=False),
    )
    return CoverageReport(
        (SourceCoverage(text, 2, 10, 1, (holding,)),),
        (FileCoverage(text, 0, 1234, 10, 1, (holding,)), FileCoverage(text, 0, 1)),
        (strand,),
        manifests,
        (Conflict(problem, (0,)),),
        (problem,),
        10,
    )


def test_every_text_is_escaped() -> None:
    """Whatever names say, it is text on the page, and nothing a browser or terminal obeys."""
    page = coverage_page(everything(EVIL), made_at=NOW, maker=EVIL, failure=EVIL)
    reader = Reader(page)

    assert "script" not in reader.tags
    assert all("<script" not in value for name, value in reader.attributes if name != "aria-label")
    assert "<script>alert('1')</script>\"&\\u202e\\x1b[2J\\ud800" in reader.text
    assert page.replace("\n", "").isprintable()
    assert page.encode()


@given(st.text())
def test_any_text_is_text(text: str) -> None:
    """Any text comes back from HTML as it is printed."""
    shown = make_text(text)
    kept = shown.replace("\n", "")

    assert "<" not in shown
    assert not text.isprintable() or text == Reader(f"<p>{shown}</p>").text
    assert kept.isprintable()


def test_a_page_needs_nothing_else() -> None:
    """No page loads anything or runs a script; each says so to the browser."""
    for reader in (cover(everything("x")), verify(VerifyReport(records=1))):
        assert not {"script", "link", "img", "iframe", "object"} & reader.tags
        assert not {"href", "src", "onclick", "style"} & {name for name, _ in reader.attributes}
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in reader.attributes
        assert ("lang", "en") in reader.attributes
        assert "2026-11-28T12:30:00Z" in reader.text


def test_a_page_has_all_numbers() -> None:
    """Everything that the report says is on the page, in exact numbers."""
    text = " ".join(cover(everything("name")).text.split())

    for expected in (
        "Not OK: 88 blocks held whole; 12 missing, 1 conflict, 1 problem, not all that manifests",
        "0 and 90",
        "2026-11-28T12:30:00.000Z to 2026-11-28T12:30:00.000Z",
        "50 whole, 1 in part; whole: 0-49; in part: 60 (small holes are not shown)",
        "no final manifest is here",
        "1,234",
        "0 records, no block",
        "redacted, and not asked for here",
    ):
        assert expected in text


def test_a_bar_has_the_ranges_of_a_source_beside_it() -> None:
    """Where they are few; the picture alone would leave them to be guessed."""
    holding = Holding("s", 0, 20, 11, ((0, 9), (20, 20)), ((15, 15),), 1)
    source = SourceCoverage("in", 1, 1, 0, (holding,))
    report = CoverageReport((source,), (), (StrandCoverage("s", 0, 20, 20, 11),))
    assert "11 blocks whole (0-9, 20), 1 in part" in " ".join(cover(report).text.split())


def test_a_whole_archive_says_ok() -> None:
    """Where nothing is missing the first line says so, in words."""
    assert "OK: 0 blocks held whole, none known to be missing." in cover(CoverageReport()).text
    assert "Not OK" in cover(CoverageReport(), "interrupted").text
    assert "It broke off: interrupted." in cover(CoverageReport(), "interrupted").text


def test_many_files_are_not_drawn() -> None:
    """More files than make a picture are in the table alone; few have bars of their own."""

    def report(files: int) -> CoverageReport:
        holding = Holding("s", 0, 9, 10, ((0, 9),))
        found = tuple(FileCoverage(f"f{n}", 0, 1, 1, 0, (holding,)) for n in range(files))
        source = SourceCoverage("in", files, files, 0, (holding,))
        return CoverageReport((source,), found, (StrandCoverage("s", 0, 9, 9, 10),))

    assert 2 + 3 == len(cover_labels(report(3)))
    assert 2 == len(cover_labels(report(1)))
    assert 2 == len(cover_labels(report(41)))
    assert "41 files hold blocks of it: too many to draw" in cover(report(41)).text


def cover_labels(report: CoverageReport) -> list[str]:
    """The texts that stand for a report's bars."""
    return [value for name, value in cover(report).attributes if name == "aria-label"]


def test_long_lists_are_cut_and_said() -> None:
    """Of thousands of ranges or problems a page has the first ones, and says how many more."""
    ranges = tuple((n, n) for n in range(1, 6_001, 2))
    overlaps = tuple(Overlap(n, n, 2, (), ()) for n in range(0, 6_000, 2))
    strand = StrandCoverage("s", 0, 6_000, 6_000, 3_001, ranges, 3_000, overlaps=overlaps)
    problems = tuple(Problem(ProblemCode.GAP, "gone", "s", n) for n in range(1_500))
    text = cover(CoverageReport(strands=(strand,), problems=problems)).text

    assert 2 == text.count("And 1,000 rows more: the JSON report (--json) lists them.")
    assert "And 500 more: the JSON report (--json) lists them." in text


def test_many_strands_are_cut_and_said() -> None:
    """A ledger has one strand; what was made of thousands is no page of thousands of pictures."""
    strands = tuple(StrandCoverage(f"s{n}", 0, 1, 1, 2) for n in range(130))
    reader = cover(CoverageReport(strands=strands))

    assert "And 30 strands more: the JSON report (--json) lists them." in reader.text
    assert 100 == reader.text.count("Strand s")


def segments(markup: str, kind: str) -> Sequence[tuple[int, int]]:
    """The columns that are drawn in one colour."""
    found = re.search(rf'class="{kind}" d="([^"]*)"', markup)
    if found is None:
        return []
    return [(int(a), int(b)) for a, b, c in SEGMENT.findall(found[1]) if a == c]


RANGES = st.lists(st.integers(0, 50_000), unique=True, min_size=2, max_size=60).map(
    lambda ends: [*zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False)]
)


@given(RANGES, st.integers(0, 1000))
def test_bars_are_true_to_their_columns(ranges: list[tuple[int, int]], more: int) -> None:
    """Each block is in the columns drawn; these rise, do not touch, and stay in the picture."""
    last = ranges[-1][1] + more
    drawn = segments(make_bars("c", last, [Bar("a", "b", ranges)]), "held")

    assert all(0 <= a < b <= COLUMNS for a, b in drawn)
    assert all(a[1] < b[0] for a, b in pairwise(drawn))
    for number in (n for pair in ranges for n in pair):
        column = number * COLUMNS // (last + 1)
        assert any(a <= column < b for a, b in drawn)


@given(RANGES)
def test_what_is_missing_is_seen(ranges: list[tuple[int, int]]) -> None:
    """The smallest hole in the longest strand is drawn, and wide enough to be seen."""
    last = 10**9
    drawn = segments(make_bars("c", last, [Bar("a", "b", missing=ranges)]), "missing")
    at_end = segments(make_bars("c", last, [Bar("a", "b", missing=[(last, last)])]), "missing")

    assert drawn
    assert all(b - a >= 3 for a, b in drawn)
    assert [(COLUMNS - 3, COLUMNS)] == at_end


def test_thousands_of_ranges_stay_a_picture() -> None:
    """However many ranges there are, no more is drawn than there are columns."""
    ranges = [(n, n) for n in range(0, 400_000, 2)]
    markup = make_bars("c", 400_000, [Bar("a", "b", ranges)])

    assert [(0, COLUMNS)] == segments(markup, "held")
    assert len(markup) < 2_000


@pytest.mark.parametrize(
    ("missing", "in_part", "red"),
    [
        ([(0, 9)], [(3, 4)], [(0, 2), (5, 9)]),
        ([(0, 4), (8, 9)], [(4, 4), (8, 8)], [(0, 3), (9, 9)]),
        ([(0, 9)], [(0, 9)], []),
        ([(2, 5)], [], [(2, 5)]),
        ([(0, 4), (6, 9)], [(3, 7)], [(0, 2), (8, 9)]),
        ([(0, 9)], [(2, 2), (4, 4), (9, 9)], [(0, 1), (3, 3), (5, 8)]),
    ],
)
def test_in_part_is_told_from_missing(
    missing: list[tuple[int, int]], in_part: list[tuple[int, int]], red: list[tuple[int, int]]
) -> None:
    """Blocks in part have their own colour in the bar of all: it is not painted over."""
    strand = StrandCoverage("s", 0, 9, 9, 5, tuple(missing), 5, tuple(in_part), 2)
    page = coverage_page(CoverageReport(strands=(strand,)), made_at=NOW, maker="")
    hundredths = [(a * COLUMNS // 10, (b + 1) * COLUMNS // 10) for a, b in red]

    assert hundredths == list(segments(page, "missing"))


def test_a_verified_archive() -> None:
    """The page of a whole strand has its digest, what was checked, and what that proves."""
    strand = StrandReport("s", 0, 41, (), bytes(32))
    text = verify(VerifyReport(42, 60, {}, (strand,), (), 103)).text

    assert "OK: 42 blocks and 60 revisions verified in full." in text
    assert "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" in text
    assert "level" in text
    assert "What this proves" in text
    assert "What this does not prove" in text
    assert "each block's entries hash and block hash" in text
    assert "in; b" in text


def test_a_verification_with_problems() -> None:
    """Problems come with their places, reasons are counted, and the page claims little."""
    problem = Problem(ProblemCode.REVISION_HASH, "is another", "s", 7, "d0c", "data.a")
    strand = StrandReport("s", 5, 9, ((6, 6),))
    report = VerifyReport(4, 5, {"a reason": 3}, (strand,), (problem,), 9, 2)
    reader = verify(report, "interrupted")
    text = " ".join(reader.text.split())

    assert "Not OK: 1 problem found in 4 blocks and 5 revisions. It broke off: interrupted." in text
    assert all(word in text for word in ("REVISION_HASH", "d0c", "data.a", "a reason", "partial"))


def test_saved_digests() -> None:
    """Each digest that was compared is there, with how it compares and what that means."""
    digests = (
        DigestCheck(DigestState.CONFIRMED, bytes(32), "s", 7),
        DigestCheck(DigestState.NO_TIP, bytes(31) + b"1"),
    )
    text = verify(VerifyReport(8, 9, strands=(StrandReport("s", 0, 7),), digests=digests)).text

    assert all(found.state.value in text and found.message in text for found in digests)
    assert "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADE=" in text


def test_a_page_has_no_values_of_documents() -> None:
    """A diagnosis is told by its sentence: the values in it are the document's."""
    change = FieldChange("data.a", "FLOAT", "a decimal", "decimal", "12.50")
    diagnosis = Diagnosis(Evidence.REVISION_HASH, (change,))
    problem = Problem(
        ProblemCode.REVISION_HASH, f"wrong; {diagnosis.sentence}", "s", 1, diagnosis=diagnosis
    )
    text = verify(VerifyReport(8, 9, problems=(problem,))).text

    assert "it verifies if `data.a` is a decimal" in text
    assert "12.50" not in text


def test_a_partial_verification() -> None:
    """What could not be checked is said in the first line, and that nothing was, too."""
    report = VerifyReport(4, 5, {"a reason": 3}, (StrandReport("s", 5, 8),), (), 9)

    assert "OK: 4 blocks and 5 revisions verified as far as they can be" in verify(report).text
    assert "nothing: no block" in verify(VerifyReport()).text


def test_parts_of_pages() -> None:
    """What has no contents is nothing; markup stays, all else is escaped; None is a dash."""
    assert "" == make_table("t", ("a",), []) == make_list([]) == make_section("s", Markup(""))
    assert "<b>x</b>" == make_text(Markup("<b>x</b>"))
    assert ("-", "1,234", "True") == (make_text(None), make_text(1234), make_text(True))
    assert "a&lt;b" == join([Markup("a"), Markup("b")], "<")
    assert "<h1>&lt;</h1>" in make_page("<", [], made_at=NOW, maker="")

"""Laws of coverage: it is what a naive model says, and no damage is more than a problem."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings, strategies as st

from qldb_stream.archive.coverage import cover_source
from qldb_stream.report import CoverageReport
from qldb_stream.report.html import coverage_page
from qldb_stream.sources import open_source
from qldb_stream.testing import JournalShape, flip_bit, make_journal, records

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def cover(*paths: Path) -> CoverageReport:
    """Tell what paths hold, each a source of its name."""
    return cover_source(open_source(paths), [path.name for path in paths])


RECORDS = [
    (block.address.sequence_no, number, record)
    for block in make_journal(11, blocks=12, shape=JournalShape(most_revisions=2))
    for number, record in enumerate(records(block))
]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.frozensets(st.integers(0, 2), max_size=2),
        min_size=len(RECORDS),
        max_size=len(RECORDS),
    )
)
def test_coverage_is_that_of_a_naive_model(homes: list[frozenset[int]]) -> None:
    """However records are strewn over files, each file holds whole what it has all records of."""
    with tempfile.TemporaryDirectory() as folder:
        for home in range(3):
            path = Path(folder) / str(home)
            found = [r[2] for r, files in zip(RECORDS, homes, strict=True) if home in files]
            path.write_bytes(b"".join(found))
        report = cover(*(Path(folder) / str(home) for home in range(3)))
    wanted = {n: {i for m, i, _ in RECORDS if m == n} for n in range(12)}
    has: dict[int, dict[int, set[int]]] = {home: {} for home in (0, 1, 2, -1)}
    for (number, index, _), files in zip(RECORDS, homes, strict=True):
        for home in (*files, *([-1] if files else [])):
            has[home].setdefault(number, set()).add(index)

    for home in range(3):
        held = {n for h in report.files[home].holdings for n in spread(h.ranges)}
        part = {n for h in report.files[home].holdings for n in spread(h.in_part)}
        assert {n for n, found in has[home].items() if found == wanted[n]} == held
        assert {n for n, found in has[home].items() if found != wanted[n]} == part
    whole = {n for n, found in has[-1].items() if found == wanted[n]}
    last = max(has[-1], default=-1)
    missing = {n for strand in report.strands for n in spread(strand.missing)}
    assert len(whole) == report.blocks
    assert {n for n in range(last + 1) if n not in whole} == missing


def spread(ranges: Iterable[tuple[int, int]]) -> Iterable[int]:
    """All numbers in ranges."""
    return (n for first, last in ranges for n in range(first, last + 1))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_never_more_than_a_problem(data: st.DataObject) -> None:
    """A flipped bit anywhere costs what it costs: nothing else than a report comes of it."""
    whole = b"".join(record for _, _, record in RECORDS)
    flipped = flip_bit(whole, data.draw(st.integers(0, 8 * len(whole) - 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in"
        path.write_bytes(flipped)
        report = cover(path)
        assert report.as_json()
        assert coverage_page(report, made_at=NOW, maker="")

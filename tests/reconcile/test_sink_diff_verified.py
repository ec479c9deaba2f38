"""What agreed before is passed over, and what no longer agrees is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import UsageError
from qldb_stream.reconcile import Verified
from qldb_stream.sinks.memory import MemorySink
from tests.reconcile.contents import (
    ERASED,
    STRAND,
    by_hand,
    codes,
    compare,
    fill,
    filled,
    open_closing,
    position_at,
    source_of,
    sql,
)

Work = Callable[[sqlite3.Connection], Any]


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    """What agreed is passed over, the current state of all documents is looked at again."""
    sink = MemorySink()
    fill(sink, ERASED)
    seen: dict[str, Verified] = {}
    compare(sink, source_of(tmp_path / "a", ERASED[:30]), progress=seen.__setitem__)
    sink.blocks = [block for block in sink.blocks if block.address.sequence_no != 7]

    report = compare(sink, source_of(tmp_path / "b", ERASED), verified=seen)

    (strand,) = report.strands
    assert (30, 30) == (strand.passed_over, strand.blocks)
    assert {"current_missing"} >= codes(report)


def test_it_goes_on_with_later_files_alone(tmp_path: Path) -> None:
    """Files that begin behind what agreed are enough, and must continue its chain."""
    sink = MemorySink()
    fill(sink, ERASED)
    seen: dict[str, Verified] = {}
    compare(sink, source_of(tmp_path / "a", ERASED[:30]), progress=seen.__setitem__)

    report = compare(
        sink, source_of(tmp_path / "b", ERASED[30:]), verified=seen, progress=seen.__setitem__
    )
    gone_on = compare(sink, source_of(tmp_path / "c", ERASED[:31]), verified=seen)

    assert report.ok, report
    assert position_at(ERASED[-1]) == report.strands[0].verified_through
    through = report.strands[0].verified_through
    assert through is not None
    assert 0 == through.start
    assert gone_on.strands[0].verified_through == through


def test_a_hole_behind_what_agreed_is_a_problem(tmp_path: Path) -> None:
    """Files that begin too late leave a hole, as they do for a delivery."""
    sink = MemorySink()
    fill(sink, ERASED)
    verified = {STRAND: Verified(position_at(ERASED[20]))}

    report = compare(sink, source_of(tmp_path / "in", ERASED[30:]), verified=verified)

    assert not report.source.ok
    assert verified[STRAND].through == report.strands[0].verified_through


def test_what_agreed_in_another_journal_is_refused(tmp_path: Path) -> None:
    """A block with another hash than the one that agreed is another journal's."""
    sink = MemorySink()
    fill(sink, ERASED)
    other = attrs.evolve(position_at(ERASED[20]), block_hash=b"x" * 32)

    with pytest.raises(UsageError, match="another one than when it was compared"):
        compare(sink, source_of(tmp_path / "in", ERASED), verified={STRAND: Verified(other)})


def test_a_sink_made_anew_is_compared_anew(tmp_path: Path) -> None:
    """Where the sink has less than what agreed, that was another one's."""
    sink = MemorySink()
    fill(sink, ERASED[:20])
    verified = {STRAND: Verified(position_at(ERASED[40]))}

    report = compare(sink, source_of(tmp_path / "in", ERASED[:20]), verified=verified)

    assert report.ok
    assert 20 == report.strands[0].blocks


def test_a_block_that_was_parked_then_is_compared_now(tmp_path: Path) -> None:
    """What was verified without it is verified with it once it is no longer parked."""
    sink = MemorySink()
    fill(sink, ERASED)
    then = attrs.evolve(position_at(ERASED[40]), parked=frozenset({12}))
    source = source_of(tmp_path / "in", ERASED)
    number = 12
    verified = {STRAND: Verified(then)}

    report = compare(sink, source, verified=verified)

    assert report.ok, report
    assert (20, 40) == (report.strands[0].blocks, report.strands[0].passed_over)
    assert report.strands[0].verified_through == position_at(ERASED[-1])
    sink.blocks = [block for block in sink.blocks if block.address.sequence_no != number]
    again = compare(sink, source, verified=verified)
    assert bool(ERASED[number].revisions) == (not again.ok)


def test_what_no_longer_agrees_moves_it_back(tmp_path: Path) -> None:
    """A current row that was changed after it agreed opens its block again."""
    path, source = tmp_path / "sink.db", source_of(tmp_path / "in")
    seen: dict[str, Verified] = {}
    with filled(f"sqlite:{path}") as sink:
        compare(sink, source, progress=seen.__setitem__, range_blocks=1)
    by_hand(path, sql("UPDATE {1} SET name = 'nobody' WHERE {living}"))
    with open_closing(path) as sink:
        report = compare(sink, source, verified=seen, progress=seen.__setitem__, range_blocks=1)

    (difference,) = report.differences
    through = report.strands[0].verified_through
    assert through is None or through.sequence_no < difference.sequence_no
    assert through == seen[STRAND].through


def test_it_tells_how_far_it_came(tmp_path: Path) -> None:
    """Each range that agrees moves the history's position; the last word moves the whole."""
    sink = MemorySink()
    fill(sink, ERASED)
    seen: list[Verified] = []

    compare(
        sink,
        source_of(tmp_path / "in", ERASED),
        progress=lambda _, verified: seen.append(verified),
        range_blocks=10,
    )

    history = [v.history.sequence_no for v in seen if v.history is not None]
    assert [9, 19, 29, 39, 49, 59] == history
    assert Verified(position_at(ERASED[-1])) == seen[-1]


# --- filters, repairs, and what cannot be compared ---------------------------------------------

"""A comparison goes as far as sink and source have come, and says what it leaves out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from qldb_stream.reconcile import Verified
from qldb_stream.report import Gap
from qldb_stream.sinks.memory import MemorySink
from tests.reconcile.contents import (
    BLOCKS,
    ERASED,
    STRAND,
    codes,
    compare,
    fill,
    position_at,
    source_of,
)

Work = Callable[[sqlite3.Connection], Any]


def test_a_sink_that_is_behind(tmp_path: Path) -> None:
    """What the sink has is compared; that it lacks the rest is one difference."""
    sink = MemorySink()
    fill(sink, ERASED[:40])

    report = compare(sink, source_of(tmp_path / "in", ERASED))

    (difference,) = report.differences
    (strand,) = report.strands
    assert ("behind", 40) == (difference.code.value, difference.sequence_no)
    assert (40, 20) == (strand.blocks, strand.behind)
    assert position_at(BLOCKS[39]) == strand.verified_through


def test_a_sink_that_has_nothing(tmp_path: Path) -> None:
    """Nothing is compared, and nothing agrees."""
    report = compare(MemorySink(), source_of(tmp_path / "in", ERASED))

    (strand,) = report.strands
    assert {"behind"} == codes(report)
    assert (0, 60, None, None) == (
        strand.blocks,
        strand.behind,
        strand.position,
        strand.verified_through,
    )


def test_a_source_that_ends_before_the_sink(tmp_path: Path) -> None:
    """What the source lacks is not compared, and said; what it has is."""
    sink = MemorySink()
    fill(sink, ERASED)

    report = compare(sink, source_of(tmp_path / "in", ERASED[20:40]))

    (strand,) = report.strands
    assert report.ok, report
    assert [(40, 59)] == [(found.first, found.last) for found in strand.not_compared]
    assert strand.verified_through is not None
    assert (20, 39) == (strand.verified_through.start, strand.verified_through.sequence_no)


def test_a_sink_that_began_later(tmp_path: Path) -> None:
    """What it never had is not compared, and said."""
    sink = MemorySink()
    at = attrs.evolve(position_at(ERASED[-1]), start=10)
    sink.apply(ERASED[10:], at, 0)
    target = [b for b in ERASED[10:] if b.summary.redaction_info is None]

    report = compare(sink, source_of(tmp_path / "in", ERASED))

    (strand,) = report.strands
    assert target
    assert report.ok, report
    assert [(0, 9)] == [(found.first, found.last) for found in strand.not_compared]
    assert 50 == strand.blocks


def test_what_is_missing_in_the_source_is_not_compared(tmp_path: Path) -> None:
    """A hole ends what is verified; behind it content is compared all the same."""
    sink = MemorySink()
    fill(sink, ERASED)
    holed = [block for block in ERASED if block.address.sequence_no not in {20, 21}]

    report = compare(sink, source_of(tmp_path / "in", holed))

    (strand,) = report.strands
    assert not report.ok
    assert 0 == report.count
    assert not report.source.ok
    assert [(20, 21)] == [(found.first, found.last) for found in strand.not_compared]
    assert position_at(BLOCKS[19]) == strand.verified_through
    assert 58 == strand.blocks


def test_what_does_not_verify_is_not_compared(tmp_path: Path) -> None:
    """A block that was altered in the source says nothing of the sink; the others do."""
    sink = MemorySink()
    fill(sink, ERASED)
    number = 30
    summary = attrs.evolve(ERASED[number].summary, entries_hash=b"x" * 32)
    altered = [*ERASED]
    altered[number] = attrs.evolve(ERASED[number], summary=summary)

    report = compare(sink, source_of(tmp_path / "in", altered))

    (strand,) = report.strands
    assert 0 == report.count
    assert [(number, number)] == [(x.first, x.last) for x in strand.not_compared]
    assert position_at(BLOCKS[number - 1]) == strand.verified_through


def test_parked_blocks_and_gaps_are_known(tmp_path: Path) -> None:
    """They are named and no difference; but the sink must have nothing of them."""
    sink = MemorySink()
    left_out = {5, 6, 30}
    blocks = [block for block in ERASED if block.address.sequence_no not in left_out]
    at = position_at(ERASED[-1])
    gaps = (Gap(30, 30, "lost"),)
    sink.apply(blocks, attrs.evolve(at, parked=frozenset({5, 6}), gaps=gaps), 0)
    source = source_of(tmp_path / "in", ERASED)

    report = compare(sink, source)

    (strand,) = report.strands
    history = {c for c in codes(report) if not c.startswith("current")}
    assert set() == history
    assert ((5, 6), ((30, 30),)) == (strand.parked, strand.gaps)
    sink.blocks.append(ERASED[5])
    expected = {"extra"} if ERASED[5].revisions else set()
    assert expected <= codes(compare(sink, source))


def test_a_declared_gap_is_crossed(tmp_path: Path) -> None:
    """Blocks that are lost for both are no problem of the source, and nothing to compare."""
    sink = MemorySink()
    blocks = [block for block in ERASED if block.address.sequence_no not in {30, 31}]
    gaps = (Gap(30, 31, "lost"),)
    sink.apply(blocks, attrs.evolve(position_at(ERASED[-1]), gaps=gaps), 0)

    report = compare(sink, source_of(tmp_path / "in", blocks))

    (strand,) = report.strands
    assert report.source.ok
    assert 0 == report.count
    assert () == strand.not_compared
    assert strand.verified_through is not None
    assert gaps == strand.verified_through.gaps


def test_another_block_at_the_sinks_position(tmp_path: Path) -> None:
    """A position with the hash of another block is a difference that no repair mends."""
    sink = MemorySink()
    fill(sink, ERASED)
    sink.positions[STRAND] = attrs.evolve(position_at(ERASED[-1]), block_hash=b"x" * 32)

    report = compare(sink, source_of(tmp_path / "in", ERASED))

    assert ({"other_block"}, 1) == (codes(report), report.strands[0].not_repairable)


class Growing(MemorySink):
    """A sink that goes on while its current state is read."""

    def current(self, strand_id: str) -> Any:
        """Move on first."""
        self.positions[strand_id] = position_at(ERASED[59])
        return super().current(strand_id)


def test_a_sink_that_goes_on_meanwhile(tmp_path: Path) -> None:
    """Its current state is that of a later moment, and is not compared; its history is."""
    sink = Growing()
    sink.apply(ERASED[:50], position_at(ERASED[49]), 0)
    seen: list[Verified] = []

    report = compare(
        sink, source_of(tmp_path / "in", ERASED[:50]), progress=lambda _, v: seen.append(v)
    )

    (strand,) = report.strands
    assert report.ok
    assert (False, None) == (strand.current_compared, strand.verified_through)
    assert Verified(None, position_at(ERASED[49])) == seen[-1]


# --- where it goes on --------------------------------------------------------------------------

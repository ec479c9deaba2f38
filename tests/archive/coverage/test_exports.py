"""Coverage of exports: what manifests promised, and parts of every form as one archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.archive.coverage import cover_source
from qldb_stream.report import CoverageReport, ManifestCoverage, ProblemCode
from qldb_stream.sources import open_source
from qldb_stream.testing import Export, make_export, make_journal, records, write_archive
from tests.archive.parts import make_ledger, write_parts
from tests.cli.conftest import Run, run

__all__ = ["run"]  # a fixture

JOURNAL = make_journal(5, blocks=60)
BLOCKS = list(JOURNAL)


def cover(*paths: Path) -> CoverageReport:
    """Tell what paths hold, each a source of its name."""
    return cover_source(open_source(paths), [path.name for path in paths])


@pytest.fixture
def made() -> Export:
    """An export of the blocks from 10 to 59 in objects of ten."""
    return make_export(BLOCKS[10:], "ion-binary", object_blocks=10, prefix="p/")


def test_a_whole_export(made: Export, tmp_path: Path) -> None:
    """An export that holds all that it promised is ok but for what came before it."""
    made.write(tmp_path / "in")
    report = cover(tmp_path / "in")

    assert [(5, 0, True, JOURNAL.strand_id)] == [
        (m.objects, m.missing_objects_count, m.ok, m.strand_id) for m in report.manifests
    ]
    assert () == report.problems
    assert ((0, 9),) == report.strands[0].missing
    assert 7 == len(report.files)


def test_parts_of_every_form_are_one_archive(made: Export, tmp_path: Path) -> None:
    """Exports in both forms of Ion and stream records that overlap hold the whole together."""
    made.write(tmp_path / "binary")
    make_export(BLOCKS[:20], "ion-text").write(tmp_path / "text")
    write_archive((r for b in BLOCKS[15:30] for r in records(b)), tmp_path / "firehose")
    report = cover(tmp_path / "binary", tmp_path / "text", tmp_path / "firehose")
    (strand,) = report.strands

    assert (True, 60, ()) == (report.ok, report.blocks, report.conflicts)
    assert [(10, 14, (0, 1)), (15, 19, (0, 1, 2)), (20, 29, (0, 2))] == [
        (found.first, found.last, found.sources) for found in strand.overlaps
    ]


def test_an_object_that_was_deleted(made: Export, tmp_path: Path) -> None:
    """An object that a manifest promises and that is not here is named, and its blocks."""
    made.write(tmp_path / "in", without=[made.keys[2]])
    report = cover(tmp_path / "in")

    assert ((made.keys[2],), 1) == (
        report.manifests[0].missing_objects,
        report.manifests[0].missing_objects_count,
    )
    assert ((0, 9), (30, 39)) == report.strands[0].missing
    assert not report.manifests[0].ok


def test_an_object_whose_blocks_are_elsewhere(made: Export, tmp_path: Path) -> None:
    """An object that is gone is named though no block is missing for it; a renamed one is not."""
    made.write(tmp_path / "in", without=made.keys[2:4])
    renamed = tmp_path / "in" / "copy"
    renamed.write_bytes(made.objects[made.keys[2]])
    write_archive((r for b in BLOCKS[:50] for r in records(b)[:1]), tmp_path / "summaries")
    write_archive((r for b in BLOCKS[:50] for r in records(b)[1:]), tmp_path / "revisions")
    report = cover(tmp_path / "in", tmp_path / "summaries", tmp_path / "revisions")

    assert (made.keys[3],) == report.manifests[0].missing_objects
    assert (0, False) == (report.missing_blocks, report.ok)


def test_promises_beyond_the_last_block(made: Export, tmp_path: Path) -> None:
    """What a manifest promises after the last block that is here is missing."""
    made.write(tmp_path / "in", without=made.keys[3:])
    (strand,) = cover(tmp_path / "in").strands

    assert (39, 59, ((0, 9), (40, 59))) == (strand.last, strand.expected_last, strand.missing)


def test_a_manifest_alone(made: Export, tmp_path: Path) -> None:
    """Of a strand that is only promised everything is missing."""
    made.write(tmp_path / "in", without=made.keys)
    other = make_journal(6, blocks=3)
    write_archive(other.iter_records(), tmp_path / "other")
    strands = {s.strand_id: s for s in cover(tmp_path / "in", tmp_path / "other").strands}
    found = strands[JOURNAL.strand_id]

    assert (None, None, 0, 59) == (found.first, found.last, found.blocks, found.expected_last)
    assert (((0, 59),), 60) == (found.missing, found.missing_blocks)


def test_an_export_that_did_not_end(made: Export, tmp_path: Path) -> None:
    """An initial manifest without a final one is an export that was not complete."""
    made.write(tmp_path / "in", without=[made.manifest_key])
    report = cover(tmp_path / "in")

    assert [False] == [found.is_final for found in report.manifests]
    assert isinstance(report.manifests[0], ManifestCoverage)
    assert not report.ok


def test_a_block_less_than_the_name_says(made: Export, tmp_path: Path) -> None:
    """An object that holds fewer blocks than its name says is a problem, and its block missing."""
    cut = make_export(BLOCKS[20:29], "ion-binary", object_blocks=10)
    made.write(tmp_path / "in")
    (tmp_path / "in" / made.keys[1]).write_bytes(cut.objects[cut.keys[0]])
    report = cover(tmp_path / "in")

    assert ((0, 9), (29, 29)) == report.strands[0].missing
    assert {ProblemCode.EXPORT_INCOMPLETE} == {problem.code for problem in report.problems}
    assert 0 == sum(file.undecodable for file in report.files)


def test_one_block_with_two_contents(made: Export, tmp_path: Path) -> None:
    """Two exports that say different things of one block are a conflict of the two objects."""
    made.write(tmp_path / "in")
    rival = list(make_journal(6, blocks=60, strand_id=JOURNAL.strand_id))
    lone = make_export(rival[12:13], "ion-text")
    (tmp_path / "lone").write_bytes(lone.objects[lone.keys[0]])
    report = cover(tmp_path / "in", tmp_path / "lone")
    held = {Path(report.files[n].name).name for found in report.conflicts for n in found.files}

    assert {12} == {found.problem.sequence_no for found in report.conflicts}
    assert {"lone", Path(made.keys[0]).name} == held


def test_manifests_for_people(made: Export, tmp_path: Path, run: Run) -> None:
    """People see what manifests promised, and which objects are not here."""
    small = make_export(BLOCKS[:30], object_blocks=1)
    small.write(tmp_path / "small", without=small.keys[:20])
    made.write(tmp_path / "in", without=[made.manifest_key])
    answer = run("coverage", tmp_path / "small", tmp_path / "in")
    words = answer.out.replace("│", " ").replace("\n", " ")

    assert 1 == answer.code
    assert "no final manifest" in words
    assert "What manifests promised" in words
    assert "not all that manifests promise" in answer.out.splitlines()[-1]


def test_five_parts_of_a_ledger(tmp_path: Path) -> None:
    """Binary, text and JSON exports and Firehose's bytes of one ledger: whole, without conflict."""
    with make_ledger() as ledger:
        write_parts(ledger, tmp_path / "in")
        blocks = list(ledger.blocks())
    parts = ["a", "b", "text", "json", "firehose"]
    source = open_source([tmp_path / "in" / part for part in parts])
    report = cover_source(source, parts)
    (strand,) = report.strands

    assert (True, len(blocks), ()) == (report.ok, report.blocks, strand.missing)
    assert [(0, 17), (14, len(blocks) - 1), (10, 25), (22, 37)] == [
        (source.holdings[0].first, source.holdings[0].last) for source in report.sources[:4]
    ]
    assert {"Car": 7, "Van": 6} == {table.name: table.documents for table in strand.tables}
    assert (1, 1) == (strand.redactions.requested, strand.redactions.erased)

"""Coverage of an archive whose owner never had the blocks before some number."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from qldb_stream.archive.coverage import Begin, cover_source
from qldb_stream.report import CoverageReport, ProblemCode, StrandCoverage, describe_coverage
from qldb_stream.sources import open_source
from qldb_stream.testing import JournalShape, make_export, make_journal, records, write_archive
from tests.cli.conftest import Run, archive, run

__all__ = ["archive", "run"]  # fixtures

JOURNAL = make_journal(5, blocks=60, shape=JournalShape(redactions=0.3))
BLOCKS = list(JOURNAL)


def write(folder: Path, numbers: Iterable[int]) -> Path:
    """Put some blocks into a file of a folder of its own."""
    (path,) = write_archive((r for n in numbers for r in records(BLOCKS[n])), folder)
    return path


def cover(begin: Begin, *paths: Path) -> CoverageReport:
    """Tell what paths hold, judged from a block on."""
    return cover_source(open_source(paths), [path.name for path in paths], begin=begin)


def cover_one(begin: Begin, *paths: Path) -> StrandCoverage:
    """Tell what paths hold of the one strand in them, judged from a block on."""
    (strand,) = cover(begin, *paths).strands
    return strand


def test_a_stream_that_was_made_late(tmp_path: Path) -> None:
    """Blocks before the one that the owner names are not missing; later ones are."""
    whole = cover(Begin(20), write(tmp_path / "a", range(20, 60)))
    holed = cover(Begin(20), write(tmp_path / "b", [*range(22, 40), *range(41, 60)]))

    assert (True, 20, 59, ()) == (
        whole.ok,
        whole.strands[0].expected_first,
        whole.strands[0].expected_last,
        whole.strands[0].missing,
    )
    assert (False, ((20, 21), (40, 40)), 3) == (
        holed.ok,
        holed.strands[0].missing,
        holed.missing_blocks,
    )
    assert (
        "40 blocks held whole, none known to be missing from block 20 on, as was asked"
        == describe_coverage(whole)
    )
    assert "37 blocks held whole; 3 missing from block 20 on, as was asked" == describe_coverage(
        holed
    )


def test_blocks_before_it_count_and_are_told(tmp_path: Path) -> None:
    """What is here of the blocks before is counted, named, and no hole between is missing."""
    strand = cover_one(Begin(30), write(tmp_path / "a", [3, 4, 9, *range(30, 50)]))

    assert (((3, 4), (9, 9)), 3) == (strand.before, strand.before_blocks)
    assert (23, (), 0) == (strand.blocks, strand.missing, strand.missing_blocks)
    assert (3, 49) == (strand.first, strand.last)


def test_a_strand_by_its_name(tmp_path: Path) -> None:
    """A number for one strand holds for that one alone, before the one for all."""
    path = write(tmp_path / "a", range(20, 60))

    assert 20 == cover_one(Begin(5, {JOURNAL.strand_id: 20}), path).expected_first
    assert 5 == cover_one(Begin(5), path).expected_first
    other = cover(Begin(0, {"elsewhere": 7}), path)
    assert [(JOURNAL.strand_id, ((0, 19),)), ("elsewhere", ((7, 7),))] == [
        (s.strand_id, s.missing) for s in other.strands
    ]


def test_an_archive_that_ends_before(tmp_path: Path) -> None:
    """Of an archive that ends before the block that its owner begins with, that one is missing."""
    strand = cover_one(Begin(70), write(tmp_path / "a", range(60)))

    assert (((70, 70),), 1, 70, ((0, 59),)) == (
        strand.missing,
        strand.missing_blocks,
        strand.expected_last,
        strand.before,
    )


def test_parts_before_it_are_no_problem(tmp_path: Path) -> None:
    """A block of which a part is here is a problem where it is the owner's, and only there."""
    number = next(n for n in range(10, 60) if len(records(BLOCKS[n])) > 1)
    first, *_ = records(BLOCKS[number])
    (part,) = write_archive([first], tmp_path / "part")
    rest = write(tmp_path / "a", range(number + 1, 60))
    late, early = cover(Begin(number + 1), part, rest), cover(Begin(number), part, rest)

    assert (True, ()) == (late.ok, late.strands[0].in_part)
    assert [ProblemCode.INCOMPLETE] == [problem.code for problem in early.problems]
    assert ((number, number),) == early.strands[0].in_part == early.strands[0].missing


def test_redactions_of_blocks_before(tmp_path: Path) -> None:
    """A redaction of a revision in a block before is not here, though that block is not missing."""
    path = write(tmp_path / "a", range(40, 60))

    assert (
        cover_one(Begin(40), path).redactions.not_held
        == cover_one(Begin(), path).redactions.not_held
        > 0
    )


def test_exports_whose_objects_all_come_before(tmp_path: Path) -> None:
    """An object that is gone is missed only where one of its blocks is the owner's."""
    made = make_export(BLOCKS, "ion-binary", object_blocks=10)
    made.write(tmp_path / "in", without=made.keys[:2])
    from_20, from_19 = cover(Begin(20), tmp_path / "in"), cover(Begin(19), tmp_path / "in")

    assert (True, ()) == (from_20.ok, from_20.problems)
    assert (False, (made.keys[1],)) == (from_19.ok, from_19.manifests[0].missing_objects)
    assert 1 == len(from_19.problems)


@pytest.mark.parametrize(
    ("given", "code", "missing"),
    [
        (["20"], 0, []),
        ([f"{JOURNAL.strand_id}:19"], 1, [[19, 19]]),
        (["3", f"{JOURNAL.strand_id}:20"], 0, []),
    ],
)
def test_the_command(
    run: Run, tmp_path: Path, given: list[str], code: int, missing: list[list[int]]
) -> None:
    """`--from-block` takes a number for all strands, or for one; the object says which it was."""
    path = write(tmp_path / "a", range(20, 60))
    answer = run("coverage", path, "--json", *(w for v in given for w in ("--from-block", v)))
    (strand,) = answer.json()["strands"]

    assert (code, missing) == (answer.code, strand["missing"])
    assert max(int(value.rpartition(":")[2]) for value in given) == strand["expected_first"]


def test_the_command_for_people(run: Run, tmp_path: Path) -> None:
    """Terminal and page say from which block on they judge, and what is here before it."""
    path = write(tmp_path / "a", [7, *range(20, 60)])
    answer = run("coverage", path, "--from-block", "20", "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert "judged from block 20 on" in answer.out
    assert "held before it, 1 block: 7" in answer.out
    assert "from block 20 on, as was asked" in answer.out.splitlines()[-1]
    assert "blocks 7 to 59" in page
    assert "40 blocks of 40" in page
    assert "judged from block" in page


@pytest.mark.parametrize("given", [["-1"], ["a:b"], ["1", "2"], ["s:1", "s:2"], ["9" * 30]])
def test_what_is_no_first_block(run: Run, archive: Path, given: list[str]) -> None:
    """What is no number, and two numbers for one strand, are wrong usage."""
    answer = run("coverage", archive, *(f"--from-block={value}" for value in given))

    assert 2 == answer.code
    assert "--from-block" in answer.err


def test_a_huge_first_block_is_a_page(run: Run, archive: Path, tmp_path: Path) -> None:
    """The page of an archive that is judged from a huge number on is made, and says it lacks it."""
    page = tmp_path / "page.html"
    answer = run("coverage", archive, "--from-block", "9" * 18, "--html", page)

    assert 1 == answer.code
    assert "999,999,999,999,999,999" in page.read_text(encoding="utf-8")

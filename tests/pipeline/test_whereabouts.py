"""Problems say in which files to look."""

from __future__ import annotations

import gzip
from pathlib import Path

import attrs
import pytest

from qldb_stream.pipeline import verify_source
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.sources import open_source
from qldb_stream.testing import flip_bit, make_journal, records
from qldb_stream.testing.exports import make_export

BLOCKS = list(make_journal(11, blocks=20))
EDITED = next(block for block in BLOCKS[5:] if block.revisions)
NUMBER = EDITED.address.sequence_no


def write_parts(folder: Path) -> list[str]:
    """Write an export in which a revision was changed, and all records in two files."""
    export = make_export([EDITED], "ion-binary")
    (key,) = export.keys
    found = export.objects[key]
    at = found.index(EDITED.revisions[-1].hash) + 40
    (folder / "a.ion").write_bytes(flip_bit(found, 8 * at))
    every = [data for block in BLOCKS for data in records(block)]
    cut = len([data for block in BLOCKS[:NUMBER] for data in records(block)]) + 1
    (folder / "b").write_bytes(b"".join(every[:cut]))
    (folder / "c.gz").write_bytes(gzip.compress(b"".join(every[cut:])))
    return [str(folder / name) for name in ("a.ion", "b", "c.gz")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_problem_of_a_block_names_all_files_that_hold_something_of_it(
    jobs: int, tmp_path: Path
) -> None:
    """The damaged copy's file, and those among which the sound one is spread."""
    names = write_parts(tmp_path)
    report = verify_source(open_source(tmp_path), jobs=jobs)
    assert report.problems
    for problem in report.problems:
        assert NUMBER == problem.sequence_no
        assert tuple(names) == problem.held_by
        assert {names[0], names[1]} >= {copy.file for copy in problem.copies}
        without = attrs.evolve(problem, copies=())
        assert without.whereabouts.endswith(f"{names[0]}, {names[1]}, {names[2]}")


def test_what_is_missing_and_what_no_file_brought_name_none(tmp_path: Path) -> None:
    """A hole is in no file, and blocks that come from memory have none."""
    holed = [data for block in BLOCKS if block is not EDITED for data in records(block)]
    (tmp_path / "a").write_bytes(b"".join(holed))
    (gap,) = verify_source(open_source(tmp_path)).problems
    assert (ProblemCode.GAP, (), "") == (gap.code, gap.held_by, gap.whereabouts)
    (gap,) = verify_source([block for block in BLOCKS if block is not EDITED]).problems
    assert () == gap.held_by


def test_many_files_are_counted_in_a_sentence() -> None:
    """Four are named to people, and none of it counts when problems are compared."""
    problem = Problem(ProblemCode.CHAIN, "it breaks", held_by=tuple("abcdef"))
    assert "; the block is in a, b, c, d and 2 more" == problem.whereabouts
    assert Problem(ProblemCode.CHAIN, "it breaks") == problem


def test_a_reading_that_was_never_shared_names_no_file(tmp_path: Path) -> None:
    """Asked before anything is read, a source knows nothing; read twice, it knows the last."""
    names = write_parts(tmp_path)
    source = open_source(tmp_path)
    with source.searchable() as holders:
        assert () == holders(EDITED.address.strand_id, NUMBER)
        for _ in range(2):
            list(source.shared_items(1, lambda _address, _found: None))
        assert tuple(names) == holders(EDITED.address.strand_id, NUMBER)
        assert () == holders(EDITED.address.strand_id, 1000)

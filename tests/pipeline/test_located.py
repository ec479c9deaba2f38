"""Problems about copies say where these stand: which file, which byte, and which of them fits."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.events import Block, RevisionKind
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.pipeline import Checks, Pipeline, verify_source
from qldb_stream.report import Copy, Problem, ProblemCode, VerifyReport
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source
from qldb_stream.testing import (
    edit_field,
    make_export,
    make_journal,
    records,
    write_archive,
)
from tests.cli.conftest import Run, run

__all__ = ["run"]  # a fixture

BLOCKS = list(make_journal(5, blocks=30))
LAST = len(BLOCKS) - 1


def has_insert(block: Block) -> bool:
    """Whether a block has a document that was put in, in the first record after its summary."""
    return bool(block.revisions) and block.revisions[0].kind is RevisionKind.INSERT


NUMBER = next(n for n, block in enumerate(BLOCKS) if n > 5 and has_insert(block))
DOCUMENT = BLOCKS[NUMBER].revisions[0].document_id


def write(folder: Path, blocks: Sequence[Block] = BLOCKS) -> Path:
    """Put blocks into one file, one record after the other."""
    (path,) = write_archive((r for block in blocks for r in records(block)), folder)
    return path


def damaged(folder: Path, number: int = NUMBER, field: str = "payload.revision.data") -> Path:
    """Put one block into a file, a field of its first document, or its summary, changed."""
    made = [*records(BLOCKS[number])]
    at = 0 if field.startswith("payload.trans") else 1
    made[at] = edit_field(made[at], field, {"forged": 1})
    (path,) = write_archive(made, folder)
    return path


def verify(*paths: Path, jobs: int = 1) -> VerifyReport:
    """Verify some paths."""
    return verify_source(open_source(paths), checks=Checks(diagnose=True), jobs=jobs)


def about_copies(report: VerifyReport) -> Sequence[Problem]:
    """The problems that name copies."""
    return [problem for problem in report.problems if problem.copies]


def at(copy: Copy) -> bytes:
    """The bytes where a copy stands, gzip undone."""
    data = Path(copy.file).read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return data[copy.offset : copy.offset + 4]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_damaged_copy_beside_a_sound_one(tmp_path: Path, jobs: int) -> None:
    """Both are named, each with its file and byte, and which of them fits; for any jobs."""
    sound, bad = write(tmp_path / "a"), damaged(tmp_path / "b")
    (problem,) = about_copies(verify(sound, bad, jobs=jobs))

    assert (ProblemCode.REVISION_HASH, DOCUMENT) == (problem.code, problem.document_id)
    assert [(str(sound), True), (str(bad), False)] == [
        (copy.file, copy.fits) for copy in problem.copies
    ]
    assert all(b"\xe0\x01\x00\xea" == at(copy) for copy in problem.copies)
    assert (
        f"copies: {sound} at byte {problem.copies[0].offset} (fits its hash)" in problem.whereabouts
    )
    assert problem.whereabouts.endswith(f"{bad} at byte {problem.copies[1].offset} (does not fit)")


def test_a_field_that_was_removed(tmp_path: Path) -> None:
    """A field that one copy lacks is named by the other, where both stand."""
    document = dict(BLOCKS[NUMBER].revisions[0].data)
    name = next(iter(document))
    del document[name]
    made = [*records(BLOCKS[NUMBER])]
    made[1] = edit_field(made[1], "payload.revision.data", document)
    (bad,) = write_archive(made, tmp_path / "b")
    (problem,) = about_copies(verify(write(tmp_path / "a"), bad))

    assert problem.diagnosis is not None
    assert [(f"data.{name}", "MISSING")] == [
        (change.path, change.loss) for change in problem.diagnosis.changes
    ]


@pytest.mark.parametrize("number", [n for n in (LAST, LAST - 1) if BLOCKS[n].revisions] or [LAST])
def test_the_last_blocks(tmp_path: Path, number: int) -> None:
    """Copies of the last blocks are named too, though the files are closed by then."""
    number = max(n for n, block in enumerate(BLOCKS[: number + 1]) if has_insert(block))
    sound = write(tmp_path / "a", BLOCKS[: number + 1])
    (problem,) = about_copies(verify(sound, damaged(tmp_path / "b", number)))

    assert 2 == len(problem.copies)


def test_in_gzip(tmp_path: Path) -> None:
    """Bytes are counted with gzip undone."""
    sound, bad = write(tmp_path / "a"), damaged(tmp_path / "b")
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(sound.read_bytes()))
    (plain,) = about_copies(verify(sound, bad))
    (found,) = about_copies(verify(packed, bad))

    assert [(copy.offset, copy.fits) for copy in plain.copies] == [
        (copy.offset, copy.fits) for copy in found.copies
    ]
    assert str(packed) == found.copies[0].file


def test_of_a_summary(tmp_path: Path) -> None:
    """Copies of a block's summary are named where one of them does not fit."""
    sound = write(tmp_path / "a")
    bad = damaged(tmp_path / "b", field="payload.transactionInfo")
    found = [p for p in about_copies(verify(sound, bad)) if p.code is ProblemCode.BLOCK_HASH]

    assert [[True, False]] == [[copy.fits for copy in problem.copies] for problem in found]


def test_of_exports(tmp_path: Path) -> None:
    """In an export a copy is told by where its block begins."""
    sound = write(tmp_path / "a")
    make_export([changed(BLOCKS[NUMBER])], "ion-binary").write(tmp_path / "b")
    (problem,) = about_copies(verify(sound, tmp_path / "b"))

    assert [True, False] == [copy.fits for copy in problem.copies]
    assert problem.copies[1].file.startswith(str(tmp_path / "b"))


def test_two_damaged_copies(tmp_path: Path) -> None:
    """Of a conflict all copies are named, and none of them fits."""
    rest = write(tmp_path / "a", [b for n, b in enumerate(BLOCKS) if n != NUMBER])
    first = damaged(tmp_path / "b")
    make_export([changed(BLOCKS[NUMBER])], "ion-text").write(tmp_path / "c")
    found = [
        problem
        for problem in about_copies(verify(rest, first, tmp_path / "c"))
        if problem.code is ProblemCode.CONFLICT
    ]

    assert [[False, False]] == [[copy.fits for copy in problem.copies] for problem in found]


def changed(block: Block) -> Block:
    """A block whose first document is another."""
    data: IonSlice = to_slice({"another": 1})
    first, *others = block.revisions
    return attrs.evolve(block, revisions=(attrs.evolve(first, data_ion=data), *others))


def test_nothing_is_told_of_one_copy(tmp_path: Path) -> None:
    """A damaged revision that there is once has no copies to name."""
    made = [r for n, block in enumerate(BLOCKS) if n != NUMBER for r in records(block)]
    write_archive(made, tmp_path / "a")
    report = verify(tmp_path / "a", damaged(tmp_path / "b"))

    assert ProblemCode.REVISION_HASH in {problem.code for problem in report.problems}
    assert [] == about_copies(report)


def test_events_that_come_from_no_file() -> None:
    """What is fed as events is verified as ever, without places."""
    made = [event for block in BLOCKS for event in (block.summary,)]

    assert [] == about_copies(verify_source(made))


def test_the_source_recalls_no_other_block(tmp_path: Path) -> None:
    """A source tells of the block that it gave last and the one before, and of nothing else."""
    source = open_source([write(tmp_path / "a")])
    assert [] == source.recall(BLOCKS[3].address)
    for found in source.shared_items(1, lambda _address, _events: None):
        assert isinstance(found, tuple)
        address, _ = found
        if address == BLOCKS[4].address:
            assert source.recall(BLOCKS[4].address)
            assert source.recall(BLOCKS[3].address)
            assert [] == source.recall(BLOCKS[2].address)
    assert source.recall(BLOCKS[-1].address)


def test_people_and_programs(run: Run, tmp_path: Path) -> None:
    """Terminal, object and page name both copies."""
    sound, bad = write(tmp_path / "a"), damaged(tmp_path / "b")
    page = tmp_path / "page.html"
    people = run("verify", sound, bad, "--html", page)
    (problem,) = [p for p in run("verify", sound, bad, "--json").json()["problems"] if p["copies"]]

    assert {str(sound), str(bad)} == {copy["file"] for copy in problem["copies"]}
    assert "at byte" in people.out
    assert "(does not fit)" in page.read_text(encoding="utf-8")


def test_a_replay_finds_the_same(tmp_path: Path) -> None:
    """A replay reports the same problems of copies, without their places."""
    sound, bad = write(tmp_path / "a"), damaged(tmp_path / "b")
    replayed = Pipeline(MemorySink()).run(open_source([sound, bad]))

    assert verify_source(open_source([sound, bad])) == replayed.verification
    assert [] == about_copies(replayed.verification)

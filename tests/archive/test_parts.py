"""A ledger's archive in five overlapping parts is the ledger; each fault in it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline, verify_source
from qldb_stream.report import Level, ProblemCode, VerifyReport
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source
from qldb_stream.testing import Export, exported_block, make_export, make_journal
from tests.archive.parts import BLOCKS, bare, make_ledger, write_parts

REASON = "the document comes from a JSON export, which lost Ion's types"


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    """The ledger that all archives here are of; nothing writes to it."""
    with make_ledger() as made:
        yield made


@pytest.fixture
def parts(ledger: Ledger, tmp_path: Path) -> dict[str, Export]:
    """Its archive in five parts, in the temporary folder."""
    return write_parts(ledger, tmp_path)


def verify(folder: Path) -> VerifyReport:
    """Verify everything in a folder."""
    return verify_source(open_source(folder))


def problems(folder: Path) -> list[tuple[ProblemCode, int | None, str | None, str]]:
    """Give what is wrong in a folder: code, block, field and message."""
    found = verify(folder).problems
    return [(one.code, one.sequence_no, one.field, one.message) for one in found]


# --- a sound archive -----------------------------------------------------------------------


def test_the_archive_is_the_ledger(
    ledger: Ledger, parts: dict[str, Export], tmp_path: Path
) -> None:
    """The same blocks come out, with every document as it was; the JSON part adds nothing."""
    assert 4 == len(parts)
    sink = MemorySink()
    report = Pipeline(sink, start=0).run(open_source(tmp_path))
    assert () == report.verification.problems
    assert [bare(block) for block in ledger.blocks()] == [bare(block) for block in sink.blocks]
    assert REASON not in report.verification.not_checkable
    (strand,) = report.verification.strands
    assert (0, BLOCKS - 1, (), ledger.digest().digest) == (
        strand.first,
        strand.last,
        strand.missing,
        strand.digest,
    )


@pytest.mark.parametrize("output_format", ["ion-text", "ion-binary", "json"])
def test_what_the_ledger_exports_is_read(
    ledger: Ledger, tmp_path: Path, output_format: str
) -> None:
    """Its own exports are sources, manifests included; of JSON the documents are not proven."""
    ledger.export(tmp_path, output_format=output_format, prefix="cars/")
    report = verify(tmp_path)
    assert (BLOCKS, ()) == (report.blocks, report.problems)
    (strand,) = report.strands
    assert ledger.digest().digest == strand.digest
    assert (output_format == "json") == (REASON in report.not_checkable)
    assert 2 == len(open_source(tmp_path).manifests())


def test_json_alone_says_what_it_cannot_check(ledger: Ledger, tmp_path: Path) -> None:
    """Level partial, with the number of documents; those that JSON lost nothing of are proven."""
    make_export(ledger.blocks(), "json").write(tmp_path)
    report = verify(tmp_path)
    assert (Level.PARTIAL, ()) == (report.level, report.problems)
    # The one document with a date, symbols, a float and a blob.
    assert 1 == report.not_checkable[REASON]


# --- faults --------------------------------------------------------------------------------


def test_an_object_deleted(parts: dict[str, Export], tmp_path: Path) -> None:
    """The manifest names it, and says that other parts have its blocks; or which are lost."""
    key = parts["text"].keys[0]
    (tmp_path / key).unlink()
    (found,) = problems(tmp_path)
    assert ProblemCode.EXPORT_INCOMPLETE is found[0]
    assert found[3].endswith(f"promises {key}: it is not here; other files have its blocks")
    last = parts["b"].keys[2]
    (tmp_path / last).unlink()
    found = problems(tmp_path)[0]
    assert found[3].endswith(
        f"promises {last}: it is not here; 2 of its 8 blocks are missing: 38-39"
    )


@pytest.mark.parametrize("part", ["a", "b", "text", "json"])
def test_an_object_truncated(parts: dict[str, Export], tmp_path: Path, part: str) -> None:
    """The place of the cut is told, and which blocks of its name it lacks."""
    path = tmp_path / parts[part].keys[1]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 - 100])  # within a block
    found = problems(tmp_path)
    codes = [code for code, *_ in found]
    assert {ProblemCode.UNDECODABLE} == set(codes[:-1])
    assert ProblemCode.EXPORT_INCOMPLETE is codes[-1]
    assert all(str(path) in message for *_, message in found)
    assert "holds fewer blocks than its name says" in found[-1][3]


def test_a_block_removed(parts: dict[str, Export], tmp_path: Path) -> None:
    """It is missed by number, in the object whose name promises it."""
    path = tmp_path / parts["text"].keys[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    (found,) = problems(tmp_path)
    assert found[3].endswith("than its name says: 1 of its 8 blocks are missing: 13")


def only(folder: Path, ledger: Ledger, edit: Callable[[list[Block]], list[Block]]) -> None:
    """Write one export of blocks that were edited, under the names of the genuine ones."""
    blocks = list(ledger.blocks())
    made = make_export(blocks, "ion-binary", object_blocks=BLOCKS, tables="own")
    edited = b"".join([exported_block(block).to_bytes() for block in edit(blocks)])
    path = folder / made.keys[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(edited)


def test_blocks_in_another_order(ledger: Ledger, tmp_path: Path) -> None:
    """Addresses tell the order, not places: nothing is wrong with it."""
    only(tmp_path, ledger, lambda blocks: blocks[::-1])
    assert [] == problems(tmp_path)


def test_two_blocks_swapped(ledger: Ledger, tmp_path: Path) -> None:
    """Two that took each other's address break the chain, and their revisions say so."""

    def swapped(blocks: list[Block]) -> list[Block]:
        one, other = blocks[9], blocks[10]
        blocks[9:11] = [moved(other, one), moved(one, other)]
        return blocks

    only(tmp_path, ledger, swapped)
    found = problems(tmp_path)
    chain = [number for code, number, *_ in found if code is ProblemCode.CHAIN]
    assert [9, 10, 11] == chain
    mismatches = {
        (number, field) for code, number, field, _ in found if code is ProblemCode.MISMATCH
    }
    assert {(9, "blockAddress.sequenceNo"), (10, "blockAddress.sequenceNo")} <= mismatches


def moved(block: Block, to: Block) -> Block:
    """Give a block the address of another one; its revisions keep theirs."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, address=to.address))


def test_two_blocks_swapped_among_sound_copies(
    parts: dict[str, Export], ledger: Ledger, tmp_path: Path
) -> None:
    """Beside genuine copies it is a conflict of two sound blocks at each address."""
    assert parts
    blocks = list(ledger.blocks())
    pair = [moved(blocks[10], blocks[9]), moved(blocks[9], blocks[10])]
    data = b"".join([exported_block(block).to_bytes() for block in pair])
    (tmp_path / "swapped").write_bytes(data)
    found = problems(tmp_path)
    conflicts = {number for code, number, *_ in found if code is ProblemCode.CONFLICT}
    assert {9, 10} == conflicts


def edit_first_line(path: Path, old: bytes, new: bytes) -> None:
    """Edit the first block of an object in text."""
    first, *lines = path.read_bytes().splitlines(keepends=True)
    assert old in first
    path.write_bytes(b"".join([first.replace(old, new), *lines]))


@pytest.mark.parametrize(
    ("part", "block", "old"), [("text", 10, b"miles:"), ("json", 22, b'"miles": ')]
)
def test_a_field_changed_among_sound_copies(
    parts: dict[str, Export], tmp_path: Path, part: str, block: int, old: bytes
) -> None:
    """The copy that was edited is named; the genuine one is taken."""
    edit_first_line(tmp_path / parts[part].keys[0], old, old + b"9")
    (found,) = problems(tmp_path)
    assert (ProblemCode.REVISION_HASH, block) == found[:2]
    assert "another one was taken" in found[3]


def test_a_field_changed(ledger: Ledger, tmp_path: Path) -> None:
    """Without another copy the revision's hash fails, with block and document."""
    made = make_export(ledger.blocks(), "ion-text", object_blocks=20)
    made.write(tmp_path)
    edit_first_line(tmp_path / made.keys[1], b"miles:", b"miles:9")
    (problem,) = verify(tmp_path).problems
    assert (ProblemCode.REVISION_HASH, 20) == (problem.code, problem.sequence_no)
    assert problem.document_id is not None


def test_a_revision_replaced_by_another_version(ledger: Ledger, tmp_path: Path) -> None:
    """It is genuine, but not what the block hashes."""

    def replaced(blocks: list[Block]) -> list[Block]:
        (genuine,) = blocks[20].revisions
        other = next(
            block.revisions[0]
            for block in blocks[:20]
            if block.revisions and block.revisions[0].document_id == genuine.document_id
        )
        blocks[20] = attrs.evolve(blocks[20], revisions=(other,))
        return blocks

    only(tmp_path, ledger, replaced)
    found = problems(tmp_path)
    codes = {(code, number) for code, number, *_ in found}
    assert (ProblemCode.REVISIONS_ROOT, 20) in codes
    assert any(field == "blockAddress.sequenceNo" for *_, field, _ in found)


def test_a_manifest_that_promises_more_than_there_is(
    parts: dict[str, Export], ledger: Ledger, tmp_path: Path
) -> None:
    """The object that never was is named, with its blocks."""
    path = tmp_path / parts["text"].manifest_key
    more = f"text/2024/05/06/12/{ledger.strand_id}.40-45.ion"
    path.write_bytes(path.read_bytes().replace(b"keys:[", f'keys:["{more}",'.encode()))
    (found,) = problems(tmp_path)
    assert str(path) in found[3]
    assert found[3].endswith(
        f"promises {more}: it is not here; 6 of its 6 blocks are missing: 40-45"
    )


def test_the_same_block_with_two_contents(
    parts: dict[str, Export], ledger: Ledger, tmp_path: Path
) -> None:
    """Two blocks of one address that are both sound in themselves are a conflict."""
    assert parts
    other = list(make_journal(4, blocks=14, strand_id=ledger.strand_id))[13]
    (tmp_path / "other").write_bytes(exported_block(other).to_bytes())
    found = problems(tmp_path)
    assert (ProblemCode.CONFLICT, 13) in {(code, number) for code, number, *_ in found}


def test_an_export_of_another_ledger(
    ledger: Ledger, parts: dict[str, Export], tmp_path: Path
) -> None:
    """Another strand is another strand: both are whole, and are told apart."""
    assert parts
    make_export(make_journal(4, blocks=10), prefix="other/").write(tmp_path)
    report = verify(tmp_path)
    assert () == report.problems
    assert {ledger.strand_id, make_journal(4, blocks=1).strand_id} == {
        strand.strand_id for strand in report.strands
    }

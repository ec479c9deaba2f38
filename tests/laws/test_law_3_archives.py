"""
Law 3 for archives: one flipped bit anywhere in hashed content of an object is found.

A flip is found when verification names a problem, or something that it could not check and
could before. One that is not found must have changed nothing: what is read is what was read,
but for what no hash covers and nothing repeats (facts 2.5). CI looks at one bit of each byte or
so, the soak at each bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.events import Block, BlockSummary, RevisionDetails
from qldb_stream.ion import HashTree
from qldb_stream.parsers.export_walk import iter_export_blocks
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.pipeline import Checks, verify_source
from qldb_stream.report import Level, Outcome, ProblemCode, VerifyReport
from qldb_stream.sources import open_source
from qldb_stream.testing import (
    JournalShape,
    firehose_object,
    flip_bit,
    make_export,
    make_journal,
    records,
)
from qldb_stream.testing.exports import ExportFormat
from qldb_stream.typing import Item
from qldb_stream.verification import Efforts, verify_block

SHAPE = JournalShape(
    tables=1, least_revisions=1, most_revisions=1, redactions=0.0, system=0.0, empty=0.0
)
JOURNAL = make_journal(3, blocks=4, shape=SHAPE)
BLOCKS = list(JOURNAL)  # two of DDL, and two with a document each
FORMATS: Sequence[ExportFormat] = ("ion-binary", "ion-text")  # JSON, which lost types, is below
STEPS = {"ion-binary": 13, "ion-text": 37}  # bits; odd, so that each bit has its turn


def exported(output_format: ExportFormat) -> bytes:
    """Give the one object of the archive."""
    made = make_export(BLOCKS, output_format)
    return made.objects[made.keys[0]]


def read(data: bytes) -> list[Item | Block]:
    """Read an object: its blocks, and what cannot be read."""
    return list(iter_export_blocks(BytesReadable(data, "object")))


def bare(items: Sequence[Item | Block]) -> list[object]:
    """Give what was read without what no hash covers and nothing repeats."""
    return [_bare(item) for item in items]


def _bare(item: Item | Block) -> object:
    if isinstance(item, Block):
        return _bare(item.summary), item.revisions
    if isinstance(item, BlockSummary):
        repeated = item.transaction_id if item.revision_summaries else ""
        moment = BLOCKS[0].summary.block_timestamp
        return attrs.evolve(item, stream_arn=None, block_timestamp=moment, transaction_id=repeated)
    return item.revision if isinstance(item, RevisionDetails) else item


def is_found(report: VerifyReport, sound: VerifyReport) -> bool:
    """Say whether verification tells of a change."""
    return not report.ok or report.not_checkable != sound.not_checkable


def missed(data: bytes, bits: range) -> Iterator[int]:
    """Iterate over the bits of an object whose flip changes something, and is not found."""
    items = read(data)
    sound = verify_source(items)
    assert sound.ok
    for bit in bits:
        changed = read(flip_bit(data, bit))
        if not is_found(verify_source(changed), sound) and bare(changed) != bare(items):
            yield bit


@pytest.mark.parametrize("output_format", FORMATS)
def test_flipped_bits_of_an_export_are_found(output_format: ExportFormat) -> None:
    """Here and there, all over its object."""
    data = exported(output_format)
    assert [] == list(missed(data, range(5, 8 * len(data), STEPS[output_format])))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("output_format", FORMATS)
def test_each_flipped_bit_of_an_export_is_found(output_format: ExportFormat) -> None:
    """Each one in its object, one at a time."""
    data = exported(output_format)
    assert [] == list(missed(data, range(8 * len(data))))


def test_each_flipped_bit_of_a_document_is_told_with_its_block_and_document() -> None:
    """In binary Ion, where the bytes can still be read; else with the place in the object."""
    data = exported("ion-binary")
    block = read(data)[-1]
    assert isinstance(block, Block)
    document = block.revisions[0].data_ion
    assert document is not None
    body = document.buf[document.start : document.end]
    start = data.index(body)
    for bit in range(8 * start, 8 * (start + len(body)), 3):
        report = verify_source(read(flip_bit(data, bit)))
        assert any(
            problem.code is ProblemCode.UNDECODABLE
            or (problem.sequence_no, problem.document_id)
            == (block.address.sequence_no, block.revisions[0].document_id)
            for problem in report.problems
        ), bit


def test_the_field_is_named_where_the_bytes_allow() -> None:
    """A flip in a value that is still one is told with the field that it is in."""
    data = exported("ion-binary")
    block = BLOCKS[-1]
    document = block.revisions[0].data_ion
    assert document is not None
    tree = HashTree(document, limit=1000)
    scalars = [node for node in tree.nodes if not node.children and node.path]
    for node in scalars:
        body = node.value.buf[node.value.start : node.value.end]
        if data.count(body) != 1:
            continue
        changed = read(flip_bit(data, 8 * (data.index(body) + len(body)) - 8))
        damaged = changed[-1]
        assert isinstance(damaged, Block)
        found = verify_block(damaged, efforts=Efforts())
        [told] = [check.field for check in found.checks if check.outcome is Outcome.FAILED]
        assert f"data.{node.path}" == told


# --- archives on a disk ---------------------------------------------------------------------


def write(folder: Path, form: ExportFormat | None) -> Path:
    """Write the archive as an export, or as Firehose does; without a manifest."""
    path = folder / "object"
    path.write_bytes(
        firehose_object([record for block in BLOCKS for record in records(block)])
        if form is None
        else exported(form)
    )
    return path


@pytest.mark.parametrize("form", [None, *FORMATS])
def test_flips_in_archives_of_each_form_are_found(
    tmp_path: Path, form: ExportFormat | None
) -> None:
    """By the whole way: recognised, indexed, read, put together, verified."""
    path = write(tmp_path, form)
    data = path.read_bytes()
    items: list[Item] = list(open_source(path).items())
    sound = verify_source(open_source(path))
    for bit in range(17, 8 * len(data), 8 * len(data) // 40):
        path.write_bytes(flip_bit(data, bit))
        report = verify_source(open_source(path))
        if not is_found(report, sound):
            assert bare(list(open_source(path).items())) == bare(items), bit


# --- JSON -----------------------------------------------------------------------------------

REBUILDING = Checks(diagnose=True)


def test_a_json_export_says_what_it_could_not_check(tmp_path: Path) -> None:
    """Partial, with the number; with types put back, all of it is verified, and is said to be."""
    path = write(tmp_path, "json")
    report = verify_source(open_source(path))
    assert (True, Level.PARTIAL, 0) == (report.ok, report.level, report.rebuilt)
    [(reason, times)] = report.not_checkable.items()
    assert "JSON" in reason
    rebuilt = verify_source(open_source(path), checks=REBUILDING)
    assert (True, Level.FULL, times) == (rebuilt.ok, rebuilt.level, rebuilt.rebuilt)
    assert "REBUILT" in [claim.code for claim in rebuilt.proves]


def missed_in_json(bits: range) -> Iterator[int]:
    """Iterate over the bits of the JSON object whose flip changes something, and is not found."""
    data = exported("json")
    items = read(data)
    sound = verify_source(items, checks=REBUILDING)
    assert (True, Level.FULL) == (sound.ok, sound.level)
    for bit in bits:
        changed = read(flip_bit(data, bit))
        if bare(changed) != bare(items):
            found = verify_source(changed, checks=REBUILDING)
            if not is_found(found, sound):
                yield bit


def test_flipped_bits_of_a_json_export_are_found() -> None:
    """A document that fitted as rebuilt does not any more, and all else is as checkable as ever."""
    bits = 8 * len(exported("json"))
    assert [] == list(missed_in_json(range(5, bits, 271)))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_each_flipped_bit_of_a_json_export_is_found() -> None:
    """Each one in its object, one at a time."""
    assert [] == list(missed_in_json(range(8 * len(exported("json")))))

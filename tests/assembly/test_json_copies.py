"""Copies from JSON exports beside copies that kept Ion's types."""

from __future__ import annotations

from itertools import permutations

import attrs
import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import NEED_MORE, Block, Revision, RevisionDetails
from qldb_stream.formulas import without_data
from qldb_stream.ion import iter_text, to_json, to_slice
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.json_export import parse_json_block
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.testing import exported_block, make_journal

BLOCK = next(
    block
    for block in make_journal(8, blocks=40)
    if len(block.revisions) == 1 and block.revisions[0].data_ion is not None
)
VALUE = exported_block(BLOCK)
ION = parse_block(VALUE)
JSON = parse_json_block(to_json(VALUE).encode())


def assembled(*copies: Block) -> tuple[Revision, list[Problem]]:
    """Assemble a block from whole copies; give its revision, and what is wrong."""
    assembler = BlockAssembler(hold=True)
    for copy in copies:
        feed(assembler, copy)
    assembler.finish(ION.address)
    block = assembler.next_block()
    assert block is not NEED_MORE
    assert isinstance(block, Block)
    return block.revisions[0], list(assembler.take_problems())


def feed(assembler: BlockAssembler, copy: Block) -> None:
    """Feed a whole block as its events."""
    assembler.feed(copy.summary)
    for one in copy.revisions:
        assembler.feed(RevisionDetails(None, one))


def with_revision(block: Block, revision: Revision) -> Block:
    """Give a block another revision."""
    return attrs.evolve(block, revisions=(revision,))


def test_the_copy_that_kept_its_types_wins() -> None:
    """They say the same, so there is nothing to report, in whatever order they come."""
    assert JSON.revisions[0].from_json
    assert JSON.revisions[0].data_ion != ION.revisions[0].data_ion
    for copies in permutations((ION, JSON, JSON)):
        assert (ION.revisions[0], []) == assembled(*copies)
    found, problems = assembled(JSON)
    assert (True, []) == (found.from_json, problems)


def other_json(text: str) -> Block:
    """Give the JSON copy another document."""
    [data] = iter_text(text)
    return with_revision(JSON, attrs.evolve(JSON.revisions[0], data_ion=data))


def test_a_json_copy_that_says_something_else_is_reported() -> None:
    """The proven copy is taken, and the other one named."""
    found, (problem,) = assembled(other_json("{a:1}"), ION)
    assert ION.revisions[0] == found
    assert (ProblemCode.REVISION_HASH, "data") == (problem.code, problem.field)
    assert "a copy from a JSON export says something else" in problem.message


def test_two_json_copies_that_differ_are_a_conflict() -> None:
    """No one can tell which is genuine."""
    _, (problem,) = assembled(other_json("{a:1}"), JSON)
    assert (ProblemCode.CONFLICT, "data_ion") == (problem.code, problem.field)


def test_a_damaged_ion_copy_beside_json() -> None:
    """The one that kept its types is shown, and that they differ."""
    [data] = iter_text("{a:1}")
    damaged = with_revision(ION, attrs.evolve(ION.revisions[0], data_ion=data))
    found, (problem,) = assembled(JSON, damaged)
    assert not found.from_json
    assert ProblemCode.REVISION_HASH is problem.code


def test_a_redacted_copy_wins_over_json() -> None:
    """A later export has the hash of the document in its place."""
    redacted = with_revision(ION, without_data(ION.revisions[0]))
    for copies in permutations((redacted, JSON)):
        assert (redacted.revisions[0], []) == assembled(*copies)


@pytest.mark.parametrize("table", [None, "other"])
def test_tables_have_to_agree_where_both_are_known(table: str | None) -> None:
    """A copy may lack its table, but not have another one."""
    own = JSON.revisions[0].table
    assert own is not None
    other = None if table is None else attrs.evolve(own, table_name=table)
    _, problems = assembled(with_revision(JSON, attrs.evolve(JSON.revisions[0], table=other)), ION)
    assert (table is not None) == bool(problems)


def test_another_address_is_a_mismatch() -> None:
    """A copy that claims another block is told by that."""
    moved = attrs.evolve(ION.address, sequence_no=999)
    copy = with_revision(JSON, attrs.evolve(JSON.revisions[0], address=moved))
    _, (problem,) = assembled(ION, copy)
    assert (ProblemCode.MISMATCH, "blockAddress") == (problem.code, problem.field)


def test_a_late_json_copy_is_no_problem() -> None:
    """Nothing is kept to compare it with, and no hash of its own can tell."""
    assembler = BlockAssembler()
    feed(assembler, ION)
    assert assembler.next_block() is not NEED_MORE
    feed(assembler, JSON)
    assert () == assembler.take_problems()


@pytest.mark.parametrize(
    ("ion", "json", "same"),
    [
        ("{a:1.50}", "{a:1.5}", True),
        ("{a:1e2}", "{a:100}", True),
        ("{a:2020-01-01T}", '{a:"2020-01-01"}', True),
        ("{a:b}", '{a:"b"}', True),
        ("{a:(1 2)}", "{a:[1,2]}", True),
        ("{a:x::1}", "{a:1}", True),
        ("{a:null.int}", "{a:null}", True),
        ("{a:{{aGVsbG8=}}}", '{a:"aGVsbG8="}', True),
        ("{a:1,b:2}", "{b:2,a:1}", True),
        ("{a:1,a:2}", "{a:1,a:2}", True),
        ("{a:1,a:2}", "{a:1}", False),
        ("{a:1.5}", "{a:1.51}", False),
        ("{a:b}", '{a:"c"}', False),
        ("{a:1}", '{a:"1"}', False),
        ("{a:0}", "{a:false}", False),
        ("{a:1}", "{a:true}", False),
    ],
)
def test_documents_are_compared_as_json(ion: str, json: str, same: bool) -> None:  # noqa: FBT001 - a row's
    """What JSON has no word for does not count, all else does."""
    [data] = iter_text(ion)
    [shown] = iter_text(json)
    whole = attrs.evolve(ION.revisions[0], data_ion=data)
    copy = attrs.evolve(JSON.revisions[0], data_ion=shown)
    _, problems = assembled(with_revision(ION, whole), with_revision(JSON, copy))
    assert same == (not problems)


def test_a_document_that_cannot_be_read_equals_none() -> None:
    """Broken bytes are no reason to raise."""
    broken = to_slice({"a": "\u00e9"})
    buf = broken.buf.replace("\u00e9".encode(), b"\xff\xff")
    data = type(broken)(buf, broken.start, broken.end, broken.symbols)
    copy = attrs.evolve(ION.revisions[0], data_ion=data)
    _, problems = assembled(with_revision(ION, copy), JSON)
    assert problems

"""Of two sound copies of a block, the one that follows the block before is taken."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import Block
from qldb_stream.pipeline import verify_source
from qldb_stream.report import ProblemCode
from qldb_stream.sources import open_source
from qldb_stream.testing import make_export, make_journal
from tests.assembly.events import drain, events_of

GENUINE = list(make_journal(7, blocks=16))
OTHER = list(make_journal(8, blocks=16, strand_id=GENUINE[0].address.strand_id))
NUMBER = 13


@pytest.mark.parametrize(
    ("mine", "first"),
    list(itertools.product([GENUINE, OTHER], [GENUINE[NUMBER], OTHER[NUMBER]])),
)
@pytest.mark.parametrize("goes_another_way", [False, True])
def test_the_copy_that_is_linked_is_taken(
    mine: list[Block], first: Block, *, goes_another_way: bool
) -> None:
    """Whichever came first, and whoever said what the block before was; both are a conflict."""
    before = mine[NUMBER - 1]
    assembler = BlockAssembler(hold=True)
    if goes_another_way:
        assembler.finish(before.address, before.block_hash)
    else:
        for event in events_of(before):
            assembler.feed(event)
        assembler.finish(before.address)
        assert [before] == drain(assembler)
    (second,) = [b for b in (GENUINE[NUMBER], OTHER[NUMBER]) if b is not first]
    for event in (*events_of(first), *events_of(second)):
        assembler.feed(event)
    assembler.finish(first.address)
    assert [mine[NUMBER]] == drain(assembler)
    assert {ProblemCode.CONFLICT} == {problem.code for problem in assembler.take_problems()}
    assert () == assembler.close()


@pytest.mark.parametrize("before", [NUMBER - 2, NUMBER - 1])
def test_without_a_link_the_choice_is_the_same_whatever_came_first(before: int) -> None:
    """A block that is not the one just before says nothing, nor does one that neither names."""
    taken = []
    for pair in itertools.permutations([GENUINE[NUMBER], OTHER[NUMBER]]):
        assembler = BlockAssembler(hold=True)
        assembler.finish(GENUINE[before].address, bytes(32))
        for block in pair:
            for event in events_of(block):
                assembler.feed(event)
        assembler.finish(pair[0].address)
        taken += drain(assembler)
    assert taken[0] == taken[1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_block_put_in_beside_the_genuine_one_breaks_no_chain(jobs: int, tmp_path: Path) -> None:
    """It is told, and what comes of chain and digest is that of the genuine journal."""
    make_export(GENUINE, "ion-text", object_blocks=5).write(tmp_path / "a")
    sound = verify_source(open_source(tmp_path))
    assert sound.ok
    make_export([OTHER[NUMBER]], "ion-binary").write(tmp_path / "b")
    report = verify_source(open_source(tmp_path), jobs=jobs)
    assert {ProblemCode.CONFLICT} == {problem.code for problem in report.problems}
    assert sound.strands == report.strands

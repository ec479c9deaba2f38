"""Assembly: each event costs the same, however many are alike."""

from __future__ import annotations

from itertools import permutations

import attrs
import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.assembly._different import MAX_COPIES
from qldb_stream.errors import IncompleteBlockError
from qldb_stream.events import (
    NEED_MORE,
    Block,
    BlockAddress,
    Event,
    Revision,
    RevisionDetails,
    RevisionSummary,
)
from qldb_stream.report import ProblemCode
from tests.assembly.events import (
    BLOCK,
    FIRST,
    OTHER,
    assemble,
    codes,
    details,
    drain,
    events_of,
    with_summary,
)


def claims_of(revision: Revision, count: int) -> list[RevisionDetails]:
    """Give copies of a revision that claim one block each, none of them the right one."""
    strand = revision.address.strand_id
    addresses = [BlockAddress(strand, 10**6 + number) for number in range(count)]
    return [details(attrs.evolve(revision, address=address)) for address in addresses]


def lacking(assembler: BlockAssembler) -> dict[int, tuple[str, ...]]:
    """Close an assembler, and say by number what the blocks lack that are left over."""
    errors = assembler.close()
    assert all(isinstance(error, IncompleteBlockError) for error in errors)
    return {
        error.sequence_no: error.missing
        for error in errors
        if isinstance(error, IncompleteBlockError)
    }


@pytest.mark.parametrize("summary_first", [False, True])
def test_a_crowd_of_copies_is_one_conflict(*, summary_first: bool) -> None:
    """Only so many are kept and judged, and the block says that there were more."""
    assembler = BlockAssembler(hold=True, limit=2 * MAX_COPIES)
    events = [*claims_of(FIRST, 4000), *events_of(BLOCK)[1:]]
    events.insert(0 if summary_first else len(events), BLOCK.summary)
    for event in events:
        assembler.feed(event)
    assert () == assembler.close()
    (block,) = drain(assembler)
    assert BLOCK.summary == block.summary
    problems = [p for p in assembler.take_problems() if f"{MAX_COPIES} times" in p.message]
    assert [ProblemCode.CONFLICT] == codes(problems)
    assert FIRST.document_id == problems[0].document_id
    assert BLOCK.address.sequence_no == problems[0].sequence_no


def test_a_crowd_of_summaries_is_one_conflict() -> None:
    """Only so many are judged; copies of those that were dropped say nothing new."""
    others = [with_summary(transaction_id=f"{number:022}") for number in range(4000)]
    _, problems = assemble([*others, *others, *events_of(BLOCK)[1:]], hold=True)
    assert [ProblemCode.CONFLICT] * (MAX_COPIES + 1) == codes(problems)
    assert 1 == sum(f"{MAX_COPIES} times" in problem.message for problem in problems)


def test_a_crowd_is_told_when_its_summary_is_replaced() -> None:
    """A better summary takes over the copies, and what is known of those dropped."""
    bad = with_summary(block_hash=bytes(32))
    events = [bad, *claims_of(FIRST, MAX_COPIES + 1), BLOCK.summary, *events_of(BLOCK)[2:]]
    ((block,), problems) = assemble(events, hold=True)
    assert BLOCK.summary == block.summary
    assert 1 == sum(f"{MAX_COPIES} times" in problem.message for problem in problems)


@pytest.mark.parametrize("same_document", [False, True])
def test_a_crowd_of_leaves_with_one_hash(*, same_document: bool) -> None:
    """A block that lists a hash again and again lacks revisions; two blocks may list it."""
    names = ["x" if same_document else f"x{number}" for number in range(4000)]
    leaves = tuple([RevisionSummary(FIRST.hash, name) for name in names])
    assembler = BlockAssembler(hold=True)
    assembler.feed(with_summary(revision_summaries=leaves))
    assembler.feed(attrs.evolve(OTHER.summary, revision_summaries=leaves[:1]))
    for claim in (*claims_of(FIRST, 4000), details(FIRST)):
        assembler.feed(claim)
    assert {BLOCK.address.sequence_no, OTHER.address.sequence_no} == lacking(assembler).keys()
    assert NEED_MORE is assembler.next_block()


@pytest.mark.parametrize("order", range(6))
def test_a_revision_belongs_to_the_block_that_it_claims(order: int) -> None:
    """A summary with another address, and the same leaves, takes nothing from the sound one."""
    other = attrs.evolve(BLOCK.summary, address=attrs.evolve(BLOCK.address, sequence_no=0))
    three: list[Event] = [BLOCK.summary, other, details(FIRST)]
    parts = list(permutations(three))[order]
    assembler = BlockAssembler(hold=True)
    for event in (*parts, *events_of(BLOCK)):
        assembler.feed(event)
    assert {0} == lacking(assembler).keys()
    assert BLOCK == assembler.next_block()


@pytest.mark.parametrize("order", range(6))
def test_a_revision_without_a_claim_goes_to_the_lowest_block_that_lacks_it(order: int) -> None:
    """Which of two blocks gets a copy that claims neither is the same in any order."""
    other = attrs.evolve(BLOCK.summary, address=attrs.evolve(BLOCK.address, sequence_no=0))
    three: list[Event] = [BLOCK.summary, other, *claims_of(FIRST, 1)]
    parts = list(permutations(three))[order]
    assembler = BlockAssembler(hold=True)
    rest = [found for found in events_of(BLOCK) if found not in (BLOCK.summary, details(FIRST))]
    for event in (*parts, *rest):
        assembler.feed(event)
    found = lacking(assembler)
    assert f"document {FIRST.document_id}" not in found[0]
    assert (f"document {FIRST.document_id}",) == found[BLOCK.address.sequence_no]


def test_a_block_that_was_whole_waits_when_another_takes_its_revision() -> None:
    """Before it is asked for, a block may lose a revision to the block that it claims."""
    bare = with_summary(
        revision_summaries=(RevisionSummary(FIRST.hash, FIRST.document_id),),
        address=attrs.evolve(BLOCK.address, sequence_no=0),
    )
    assembler = BlockAssembler()
    first: list[Event] = [details(FIRST), bare, BLOCK.summary]
    for event in first:
        assembler.feed(event)
    assert NEED_MORE is assembler.next_block()
    for event in events_of(BLOCK):
        assembler.feed(event)
    assert BLOCK == assembler.next_block()


def test_the_last_of_twins_gets_what_claims_none() -> None:
    """A copy that fits no block, where none lacks it, competes in the last and is told."""
    other = attrs.evolve(BLOCK.summary, address=OTHER.address)
    moved = [details(attrs.evolve(found, address=OTHER.address)) for found in BLOCK.revisions]
    parts = [*events_of(BLOCK), other, *moved, *claims_of(FIRST, 1)]
    blocks, problems = assemble(parts, hold=True)
    assert [BLOCK.address, OTHER.address] == [block.address for block in blocks]
    assert [(ProblemCode.MISMATCH, OTHER.address.sequence_no)] == [
        (problem.code, problem.sequence_no) for problem in problems
    ]


def test_a_crowd_of_claims_joins_its_documents() -> None:
    """A block all of whose leaves are damaged finds each revision by its document."""
    assert FIRST.metadata is not None
    metadata = [attrs.evolve(FIRST.metadata, id=f"x{number}") for number in range(3000)]
    found = [
        attrs.evolve(FIRST, metadata=one, hash=number.to_bytes(32, "big"))
        for number, one in enumerate(metadata)
    ]
    leaves = tuple([RevisionSummary(b"\xff" * 32, one.id) for one in metadata])
    summary = with_summary(revision_summaries=leaves)
    (block,), problems = assemble([summary, *map(details, found[::-1])], hold=True)
    assert tuple(found) == block.revisions
    assert [] == problems


def test_many_blocks_are_given_out_in_the_order_in_which_they_came() -> None:
    """What is first in line is found without passing what went before."""
    bare = with_summary(revision_summaries=())
    strand = BLOCK.address.strand_id
    addresses = [BlockAddress(strand, number) for number in range(3000)]
    summaries = [attrs.evolve(bare, address=address) for address in addresses]
    assert [Block(one) for one in summaries] == assemble(summaries, hold=True)[0]

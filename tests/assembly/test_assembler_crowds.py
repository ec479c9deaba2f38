"""Assembly: each event costs the same, however many are alike."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.assembly._different import MAX_COPIES
from qldb_stream.events import (
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
    """Leaves are filled one after the other; two blocks may list the hash."""
    names = ["x" if same_document else f"x{number}" for number in range(4000)]
    leaves = tuple([RevisionSummary(FIRST.hash, name) for name in names])
    summary = with_summary(revision_summaries=leaves)
    twin = attrs.evolve(OTHER.summary, revision_summaries=leaves[:1])
    claims = claims_of(FIRST, 4000)
    blocks, problems = assemble([summary, twin, *claims, details(FIRST)], hold=True)
    assert [BLOCK.address, OTHER.address] == [block.address for block in blocks]
    assert [found.revision for found in claims[:4000]] == list(blocks[0].revisions)
    assert (FIRST,) == blocks[1].revisions
    assert [] == problems


def test_a_copy_too_many_of_twins_goes_to_the_first() -> None:
    """When every leaf of a hash has its revision, what comes more competes."""
    leaves = tuple([RevisionSummary(FIRST.hash, name) for name in "xy"])
    events: list[Event] = [with_summary(revision_summaries=leaves), *claims_of(FIRST, 3)]
    (block,), problems = assemble(events, hold=True)
    assert [10**6, 10**6 + 1] == [found.address.sequence_no for found in block.revisions]
    assert [ProblemCode.CONFLICT] == codes(problems)
    assert "address" == problems[0].field


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

"""Assembly: law 1 on journals, and what a block is made of."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import (
    NEED_MORE,
    Block,
    ControlRecord,
    Need,
    Revision,
    RevisionKind,
    RevisionSummary,
)
from qldb_stream.ordering import Sequencer
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import ProblemCode
from qldb_stream.testing import Journal
from qldb_stream.testing.strategies import deliveries, journals
from tests.assembly.events import (
    ARN,
    BLOCK,
    BLOCKS,
    FIRST,
    assemble,
    codes,
    details,
    drain,
    elsewhere,
    events_of,
    orders,
)

# --- law 1 ---


@settings(max_examples=60)
@given(st.data(), journals(), st.booleans())
def test_any_delivery_gives_the_same_blocks(
    data: st.DataObject,
    journal: Journal,
    hold: bool,  # noqa: FBT001 - drawn
) -> None:
    """Law 1: batching, order and duplication of the records change no block."""
    assembler, sequencer = BlockAssembler(hold=hold), Sequencer(0)
    given: list[Block] = []

    def pass_on() -> None:
        for block in drain(assembler):
            sequencer.feed(block)
        while not isinstance(block_in_order := sequencer.next_block(), Need):
            given.append(block_in_order)

    for delivered in data.draw(deliveries(list(journal.iter_records()))):
        for record in deaggregate(delivered):
            assembler.feed(parse_record(record))
        pass_on()
    assert () == assembler.close()
    pass_on()
    assert list(journal) == given
    assert () == assembler.take_problems()
    assert () == sequencer.close()


@settings(max_examples=30)
@given(journals(), st.randoms())
def test_any_order_without_asking_gives_the_same_blocks(journal: Journal, chance: Any) -> None:
    """Blocks that are asked for only at the end are the same."""
    events = [parse_record(record) for record in journal.iter_records()]
    events += events[: len(events) // 2]
    chance.shuffle(events)
    assembler = BlockAssembler()
    for event in events:
        assembler.feed(event)
    assert () == assembler.close()
    blocks = sorted(drain(assembler), key=lambda block: block.address)
    assert list(journal) == blocks
    assert NEED_MORE is assembler.next_block()


# --- what a block is made of ---


def test_a_control_record_belongs_to_no_block() -> None:
    """It passes, and closes nothing."""
    assert ([], []) == assemble([ControlRecord(ARN, "CREATED")])


def test_a_block_without_revisions_is_whole_at_once() -> None:
    """A summary without leaves needs nothing more."""
    summary = attrs.evolve(BLOCK.summary, revision_summaries=())
    assembler = BlockAssembler()
    assembler.feed(summary)
    assert Block(summary) == assembler.next_block()


def test_a_hash_alone_becomes_a_system_revision() -> None:
    """A leaf without document is filled by its hash, unless its revision comes."""
    leaf, *rest = BLOCK.summary.revision_summaries
    summary = attrs.evolve(BLOCK.summary, revision_summaries=(RevisionSummary(leaf.hash), *rest))
    others = [details(found) for found in BLOCK.revisions[1:]]
    ((block,), problems) = assemble([summary, *others], hold=True)
    assert Revision(BLOCK.address, leaf.hash) == block.revisions[0]
    assert [] == problems
    ((block,), problems) = assemble([summary, *others, details(FIRST)], hold=True)
    assert FIRST == block.revisions[0]
    ((block,), problems) = assemble([summary, *others, details(FIRST)])
    assert RevisionKind.SYSTEM is block.revisions[0].kind
    assert [ProblemCode.INCOMPLETE] == codes(problems)
    assert FIRST.document_id == problems[0].document_id


def test_two_leaves_may_have_one_hash() -> None:
    """No sound journal has that; each slot takes what names its document."""
    one, two = BLOCK.revisions[:2]
    twin = attrs.evolve(two, hash=one.hash)
    leaves = tuple(RevisionSummary(one.hash, found.document_id) for found in (one, two))
    summary = attrs.evolve(BLOCK.summary, revision_summaries=leaves)
    for events in orders(details(one), details(twin)):
        ((block,), _) = assemble([summary, *events])
        assert (one, twin) == block.revisions


# --- damage that loses nothing ---


@pytest.mark.parametrize("turn", [0, 1])
def test_a_damaged_address_joins_by_hash(turn: int) -> None:
    """The revision is in its block, with the claim that it makes."""
    claims = elsewhere(FIRST)
    events = orders(BLOCK.summary, details(claims), *events_of(BLOCK)[2:])[turn]
    ((block,), problems) = assemble(events)
    assert (claims, *BLOCK.revisions[1:]) == block.revisions
    assert [] == problems


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("in_summary", [False, True])
def test_a_damaged_hash_joins_by_address_and_document(turn: int, *, in_summary: bool) -> None:
    """It is a revision whose check will fail, and not a missing one."""
    damaged, summary = FIRST, BLOCK.summary
    if in_summary:
        leaf, *rest = summary.revision_summaries
        leaves = (attrs.evolve(leaf, hash=bytes(32)), *rest)
        summary = attrs.evolve(summary, revision_summaries=leaves)
    else:
        damaged = attrs.evolve(FIRST, hash=bytes(32))
    events = orders(summary, details(damaged), *events_of(BLOCK)[2:])[turn]
    assembler = BlockAssembler()
    for event in events:
        assembler.feed(event)
        assert NEED_MORE is assembler.next_block()
    assembler.finish(BLOCK.address)
    (block,) = drain(assembler)
    assert (damaged, *BLOCK.revisions[1:]) == block.revisions
    assert () == assembler.take_problems()
    assert () == assembler.close()


def test_a_claim_on_another_block_goes_where_its_hash_is() -> None:
    """A revision of the same document that claims the wrong block waits for its own."""
    later = next(
        (block, found)
        for block in BLOCKS
        for found in block.revisions
        if found.metadata and found.metadata.version
    )
    block, revision = later
    earlier = next(
        b for b in BLOCKS if revision.document_id in {r.document_id for r in b.revisions}
    )
    wrong = attrs.evolve(revision, address=earlier.address)
    genuine = [e for e in events_of(earlier, block) if e != details(revision)]
    for events in orders(details(wrong), *genuine):
        blocks, problems = assemble(events)
        assert [earlier.address, block.address] == [found.address for found in blocks]
        assert earlier == blocks[0]
        assert wrong in blocks[1].revisions
        assert [] == problems

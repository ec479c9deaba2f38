"""Assembly: what is missing, and how much may wait."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import BacklogError, IncompleteBlockError, UsageError
from qldb_stream.events import (
    BlockAddress,
)
from qldb_stream.report import ProblemCode
from qldb_stream.testing import make_journal
from tests.assembly.events import (
    BLOCK,
    FIRST,
    OTHER,
    codes,
    details,
    drain,
    events_of,
    with_data,
    with_summary,
)

# --- what is missing ---


def test_close_names_both_sides() -> None:
    """Blocks that lack revisions, and revisions that lack a summary, by address."""
    assembler = BlockAssembler()
    for event in (*events_of(BLOCK)[:-1], details(OTHER.revisions[0])):
        assembler.feed(event)
    last = BLOCK.revisions[-1].document_id
    other = OTHER.revisions[0].document_id
    strand = BLOCK.address.strand_id
    expected = (
        IncompleteBlockError(strand, BLOCK.address.sequence_no, (f"document {last}",)),
        IncompleteBlockError(
            strand, OTHER.address.sequence_no, ("the block's summary",), (f"document {other}",)
        ),
    )
    assert expected == assembler.close()
    assert [] == drain(assembler)
    assert () == assembler.take_problems()


def test_finish_gives_up_what_is_incomplete() -> None:
    """A missing part becomes a problem once nothing more can come, and memory is free."""
    assembler = BlockAssembler(limit=len(events_of(BLOCK, OTHER)))
    for event in events_of(BLOCK)[:-1]:
        assembler.feed(event)
    assembler.finish(BLOCK.address)
    (problem,) = assembler.take_problems()
    assert ProblemCode.INCOMPLETE is problem.code
    assert BLOCK.revisions[-1].document_id == problem.document_id
    assert BLOCK.address.sequence_no == problem.sequence_no
    for event in events_of(OTHER):
        assembler.feed(event)
    assembler.finish(OTHER.address)
    assert [OTHER] == drain(assembler)
    assert () == assembler.close()


def test_finish_leaves_later_blocks_alone() -> None:
    """Only blocks up to the address are settled, strand by strand."""
    assembler = BlockAssembler()
    for event in events_of(OTHER)[:-1]:
        assembler.feed(event)
    assembler.finish(BLOCK.address)
    assembler.finish(BlockAddress("", 10**9))
    assert () == assembler.take_problems()
    assembler.feed(events_of(OTHER)[-1])
    assert [OTHER] == drain(assembler)
    assembler.finish(BlockAddress("~", 0))
    assert () == assembler.close()


@pytest.mark.parametrize("late", [False, True])
def test_a_revision_that_its_block_does_not_list_is_named(*, late: bool) -> None:
    """The block is whole, and the revision that fits no leaf is left over."""
    assert FIRST.metadata is not None
    stranger = attrs.evolve(FIRST, hash=bytes(32), metadata=attrs.evolve(FIRST.metadata, id="S"))
    events = [*events_of(BLOCK), details(stranger)]
    assembler = BlockAssembler(hold=not late)
    for event in events:
        assembler.feed(event)
        if late:
            drain(assembler)
    assembler.finish(BLOCK.address)
    assert ([] if late else [BLOCK]) == drain(assembler)
    (problem,) = assembler.take_problems()
    assert (ProblemCode.INCOMPLETE, "S") == (problem.code, problem.document_id)
    assert "revisions that its summary does not list: document S" in problem.message


def test_an_incomplete_block_names_what_was_left_over_beside_it() -> None:
    """Several documents: none is singled out in the problem's own field."""
    assert FIRST.metadata is not None
    stranger = attrs.evolve(FIRST, hash=bytes(32), metadata=attrs.evolve(FIRST.metadata, id="S"))
    assembler = BlockAssembler()
    for event in (BLOCK.summary, details(stranger)):
        assembler.feed(event)
    assembler.finish(BLOCK.address)
    (problem,) = assembler.take_problems()
    assert problem.document_id is None
    assert "document S" in problem.message


def test_a_revision_of_an_earlier_block_among_those_of_another_is_told_there() -> None:
    """The block that it claims is over: nothing of that one is missing, and it is left out."""
    assembler = BlockAssembler(hold=True)
    for event in events_of(BLOCK):
        assembler.feed(event)
    assembler.finish(BLOCK.address)
    assert [BLOCK] == drain(assembler)
    assembler.finish(OTHER.address)
    for event in (*events_of(OTHER), details(FIRST)):
        assembler.feed(event)
    assembler.finish(OTHER.address)
    assert [OTHER] == drain(assembler)
    (problem,) = assembler.take_problems()
    assert (ProblemCode.MISMATCH, "blockAddress") == (problem.code, problem.field)
    assert OTHER.address.sequence_no == problem.sequence_no
    assert FIRST.document_id == problem.document_id
    assert f"/{BLOCK.address.sequence_no} stands in a copy of this block" in problem.message


# --- limits ---


def test_too_many_waiting_events_are_refused_by_name() -> None:
    """The error says what the oldest of them waits for; what is wanted is still taken."""
    assembler = BlockAssembler(limit=2)
    assembler.feed(BLOCK.summary)
    assembler.feed(details(OTHER.revisions[0]))
    with pytest.raises(BacklogError) as caught:
        assembler.feed(OTHER.summary)
    number = BLOCK.address.sequence_no
    document = BLOCK.revisions[0].document_id
    place = f"{BLOCK.address.strand_id}/{number}"
    assert BacklogError(2, "events", f"document {document} of block {place}") == caught.value
    for event in events_of(BLOCK)[1:]:
        assembler.feed(event)
    assert [BLOCK] == drain(assembler)
    assembler.feed(OTHER.summary)
    with pytest.raises(BacklogError):
        assembler.feed(details(with_data(OTHER.revisions[0], {})))


def test_revisions_without_summaries_are_bounded() -> None:
    """The error names the summary that is missing."""
    assembler = BlockAssembler(limit=1)
    assembler.feed(details(FIRST))
    assembler.feed(details(FIRST))
    with pytest.raises(BacklogError, match=f"the summary of block .*/{FIRST.address.sequence_no};"):
        assembler.feed(details(OTHER.revisions[0]))


def test_whole_blocks_wait_for_being_asked_for() -> None:
    """Who never asks is told so."""
    assembler = BlockAssembler(limit=1)
    assembler.feed(with_summary(revision_summaries=()))
    with pytest.raises(BacklogError, match="asked for"):
        assembler.feed(OTHER.summary)


def test_nothing_is_fed_after_close() -> None:
    """A closed assembler refuses what comes."""
    assembler = BlockAssembler()
    assert () == assembler.close()
    with pytest.raises(UsageError, match="after close"):
        assembler.feed(BLOCK.summary)


def test_a_long_live_run_keeps_nothing() -> None:
    """Without finish, what waited is forgotten as it is given out."""
    assembler = BlockAssembler(limit=100)
    seen = 0
    for block in make_journal(9, blocks=1500):
        for event in events_of(block):
            assembler.feed(event)
        seen += len(drain(assembler))
    assert 1500 == seen
    assert () == assembler.close()


def test_finish_after_a_long_live_run_settles_what_waits() -> None:
    """What is still open is found among all that was."""
    assembler = BlockAssembler()
    early = details(attrs.evolve(FIRST, address=BlockAddress("A", 1)))
    assembler.feed(early)
    for block in make_journal(9, blocks=1200):
        for event in events_of(block):
            assembler.feed(event)
        drain(assembler)
    assembler.finish(BlockAddress("A", 1))
    assert [ProblemCode.INCOMPLETE] == codes(assembler.take_problems())

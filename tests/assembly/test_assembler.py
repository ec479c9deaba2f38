"""Assembly: law 1 on journals, and what becomes of copies, damage and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.assembly import BlockAssembler
from qldb_stream.assembly._different import MAX_COPIES
from qldb_stream.errors import BacklogError, IncompleteBlockError, UsageError
from qldb_stream.events import (
    NEED_MORE,
    Block,
    BlockAddress,
    BlockSummary,
    ControlRecord,
    Event,
    Need,
    Revision,
    RevisionDetails,
    RevisionKind,
    RevisionSummary,
    TableInfo,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.ordering import Sequencer
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.testing import Journal, JournalShape, make_journal
from qldb_stream.testing.strategies import deliveries, journals

ARN: Final = "arn:aws:qldb:eu-west-1:123456789012:stream/s/x"
SHAPE: Final = JournalShape(least_revisions=2, empty=0.0, deletes=0.0, redactions=0.0, system=0.0)
BLOCKS: Final = [block for block in make_journal(7, blocks=20, shape=SHAPE) if block.revisions]
BLOCK: Final = next(block for block in BLOCKS if len(block.revisions) >= 2)
OTHER: Final = BLOCKS[BLOCKS.index(BLOCK) + 1]
FIRST: Final = BLOCK.revisions[0]


def events_of(*blocks: Block) -> list[Event]:
    """Take blocks apart into what a stream says of them."""
    events: list[Event] = []
    for block in blocks:
        events.append(block.summary)
        events += [RevisionDetails(ARN, found) for found in block.revisions if found.metadata]
    return events


def drain(assembler: BlockAssembler) -> list[Block]:
    """Ask until there is no more."""
    found: list[Block] = []
    while not isinstance(block := assembler.next_block(), Need):
        found.append(block)
    return found


def assemble(events: Iterable[Event], **options: Any) -> tuple[list[Block], list[Problem]]:
    """Assemble everything, in order of address, with all that is wrong as problems."""
    assembler = BlockAssembler(**options)
    blocks: list[Block] = []
    for event in events:
        assembler.feed(event)
        blocks += drain(assembler)
    assert () == assembler.close()
    blocks += drain(assembler)
    return sorted(blocks, key=lambda block: block.address), list(assembler.take_problems())


def details(revision: Revision) -> RevisionDetails:
    """Put a revision into a record."""
    return RevisionDetails(ARN, revision)


def with_data(revision: Revision, value: Any) -> Revision:
    """Give a revision another document under the hash that it has."""
    return attrs.evolve(revision, data_ion=to_slice(value))


def redacted(revision: Revision) -> Revision:
    """Redact a revision as QLDB does."""
    assert revision.data_ion is not None
    return attrs.evolve(revision, data_ion=None, data_hash=revision.data_ion.hash())


def elsewhere(revision: Revision) -> Revision:
    """Damage the address that a revision claims."""
    address = attrs.evolve(revision.address, sequence_no=revision.address.sequence_no ^ 1024)
    return attrs.evolve(revision, address=address)


def codes(problems: Iterable[Problem]) -> list[ProblemCode]:
    """List the codes of problems."""
    return [problem.code for problem in problems]


def orders(*events: Event) -> list[list[Event]]:
    """Give events in their order and in the opposite one."""
    return [list(events), list(events)[::-1]]


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


# --- copies ---


def copies_of_first(*copies: Revision) -> list[tuple[list[Block], list[Problem]]]:
    """Assemble the block with several copies of its first revision, in both orders."""
    rest = events_of(BLOCK)[2:]
    return [
        assemble(events, hold=True)
        for some in orders(*[details(copy) for copy in copies])
        for events in ([BLOCK.summary, *rest, *some], [*some, *rest, BLOCK.summary])
    ]


def test_copies_differ_by_their_stream_only() -> None:
    """The name of the stream that carried a copy means nothing."""
    again = [attrs.evolve(event, stream_arn="other") for event in events_of(BLOCK)]
    assert ([BLOCK], []) == assemble([*events_of(BLOCK), *again])
    assert ([BLOCK], []) == assemble([*events_of(BLOCK), *again], hold=True)


def test_a_copy_whose_hash_recomputes_wins() -> None:
    """The worse copy is left out and reported, whichever came first."""
    for blocks, problems in copies_of_first(with_data(FIRST, {"forged": True}), FIRST):
        assert [BLOCK] == blocks
        assert [ProblemCode.REVISION_HASH] == codes(problems)
        assert (BLOCK.address.sequence_no, FIRST.document_id) == (
            problems[0].sequence_no,
            problems[0].document_id,
        )


def test_a_copy_that_does_not_decode_loses() -> None:
    """Bytes that cannot be hashed are no rival."""
    assert FIRST.data_ion is not None
    broken = IonSlice(b"\xd3\x84\xef\xff", 0, 4, FIRST.data_ion.symbols)
    copy = attrs.evolve(FIRST, data_ion=broken, metadata=_moved(FIRST))
    for blocks, problems in copies_of_first(copy, FIRST):
        assert [BLOCK] == blocks
        assert [ProblemCode.REVISION_HASH] == codes(problems)


def _moved(revision: Revision) -> Any:
    """Give a revision's metadata from other bytes, as another record would."""
    assert revision.metadata is not None
    return attrs.evolve(revision.metadata, ion=to_slice(revision.metadata.ion.decode()))


def test_a_copy_that_claims_its_block_wins() -> None:
    """Of two sound copies the one that names its own block is taken."""
    claims = attrs.evolve(elsewhere(FIRST), metadata=_moved(FIRST))
    for blocks, problems in copies_of_first(claims, FIRST):
        assert [BLOCK] == blocks
        assert [ProblemCode.MISMATCH] == codes(problems)
        assert "blockAddress" == problems[0].field


def test_a_redacted_copy_wins_without_a_problem() -> None:
    """Full and redacted are one revision, before delivery the redacted one stays."""
    for blocks, problems in copies_of_first(redacted(FIRST), FIRST):
        assert (redacted(FIRST), *BLOCK.revisions[1:]) == blocks[0].revisions
        assert [] == problems


def test_a_redaction_that_does_not_fit_is_the_worse_copy() -> None:
    """A data hash that is not H(data) is a copy whose own hash does not recompute."""
    forged = attrs.evolve(redacted(FIRST), data_hash=bytes(32))
    for blocks, problems in copies_of_first(forged, FIRST):
        assert [BLOCK] == blocks
        assert [ProblemCode.REVISION_HASH] == codes(problems)


def test_a_copy_without_table_is_equal() -> None:
    """What one copy says of the table holds for both; two tables are a conflict."""
    metadata = _moved(FIRST)
    bare = attrs.evolve(FIRST, table=None, metadata=metadata)
    for blocks, problems in copies_of_first(bare, FIRST):
        assert [BLOCK] == blocks
        assert [] == problems
    other = attrs.evolve(FIRST, table=TableInfo("Other", "x" * 22), metadata=metadata)
    outcomes = copies_of_first(other, FIRST)
    assert {"table"} == {problem.field for _, problems in outcomes for problem in problems}
    assert [ProblemCode.CONFLICT] == codes(outcomes[0][1])
    assert 1 == len({repr(blocks) for blocks, _ in outcomes})


def test_two_bad_copies_are_a_conflict() -> None:
    """Neither recomputes: the outcome does not depend on their order."""
    outcomes = copies_of_first(with_data(FIRST, {"a": 1}), with_data(FIRST, {"a": 2}))
    assert {(ProblemCode.CONFLICT,)} == {tuple(codes(problems)) for _, problems in outcomes}
    assert 1 == len({repr(blocks[0].revisions[0].data) for blocks, _ in outcomes})


def sound(revision: Revision, value: Any) -> Revision:
    """Give a revision another document and the hash that fits it."""
    data = to_slice(value)
    assert revision.metadata is not None
    digest = dot(revision.metadata.ion.hash(), data.hash())
    return attrs.evolve(revision, data_ion=data, hash=digest)


@pytest.mark.parametrize("hold", [False, True])
def test_another_revision_of_the_same_place_is_a_conflict(*, hold: bool) -> None:
    """What is whole in itself and not what the block lists cannot both be genuine."""
    forged = sound(FIRST, {"forged": True})
    for events in (
        [*events_of(BLOCK), details(forged)],
        [details(forged), *events_of(BLOCK)],
        [BLOCK.summary, details(forged), *events_of(BLOCK)[1:]],
    ):
        blocks, problems = assemble(events, hold=hold)
        assert [BLOCK] == blocks
        assert [ProblemCode.CONFLICT] == codes(problems)
        assert FIRST.document_id == problems[0].document_id


@pytest.mark.parametrize("hold", [False, True])
def test_a_damaged_copy_of_the_same_place_is_reported(*, hold: bool) -> None:
    """A copy whose stored hash is damaged is left out for the one that the block lists."""
    damaged = attrs.evolve(FIRST, hash=bytes(32))
    for events in ([*events_of(BLOCK), details(damaged)], [details(damaged), *events_of(BLOCK)]):
        blocks, problems = assemble(events, hold=hold)
        assert [BLOCK] == blocks
        assert [ProblemCode.REVISION_HASH] == codes(problems)


# --- copies of summaries ---


def with_summary(**changes: Any) -> BlockSummary:
    """Alter the block's summary."""
    return attrs.evolve(BLOCK.summary, **changes)


def outcomes_with(summary: BlockSummary) -> list[tuple[list[Block], list[Problem]]]:
    """Assemble the block with another summary of it, in both orders."""
    rest = events_of(BLOCK)[1:]
    return [
        assemble(events, hold=True)
        for first, second in ((summary, BLOCK.summary), (BLOCK.summary, summary))
        for events in ([first, second, *rest], [*rest, first, second], [first, *rest, second])
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"block_hash": bytes(32)},
        {"entries_hash": bytes(32)},
        {"previous_block_hash": b""},
        {"entries_hash_list": BLOCK.summary.entries_hash_list[:-1]},
        {"revision_summaries": BLOCK.summary.revision_summaries[:1]},
        {"revision_summaries": (RevisionSummary(bytes(32), "x"),)},
    ],
)
def test_a_summary_whose_hashes_recompute_wins(changes: dict[str, Any]) -> None:
    """The worse copy is left out and reported, whichever came first."""
    for blocks, problems in outcomes_with(with_summary(**changes)):
        assert [BLOCK] == blocks
        assert [ProblemCode.BLOCK_HASH] == codes(problems)


def test_a_summary_with_damaged_statements_loses() -> None:
    """What a transaction ran is hashed, damaged bytes included."""
    info = BLOCK.summary.transaction_info
    assert info is not None
    changed = attrs.evolve(info, ion=to_slice({"statements": []}))
    broken = attrs.evolve(info, ion=IonSlice(b"\xd3\x84\xef\xff", 0, 4, info.ion.symbols))
    for spoiled in (changed, broken):
        for blocks, problems in outcomes_with(with_summary(transaction_info=spoiled)):
            assert [BLOCK] == blocks
            assert [ProblemCode.BLOCK_HASH] == codes(problems)


def test_summaries_that_are_equally_good_are_a_conflict() -> None:
    """What no hash covers cannot be decided; order does not decide it either."""
    outcomes = outcomes_with(with_summary(transaction_id="0" * 22))
    assert {(ProblemCode.CONFLICT,)} == {tuple(codes(problems)) for _, problems in outcomes}
    assert {"transaction_id"} == {problems[0].field for _, problems in outcomes}
    assert 1 == len({blocks[0].summary.transaction_id for blocks, _ in outcomes})


def test_a_third_summary_is_known_again() -> None:
    """A copy of one that was left out is no new problem."""
    bad = with_summary(block_hash=bytes(32))
    for summaries in ([bad, BLOCK.summary, bad, BLOCK.summary], [BLOCK.summary, bad, bad]):
        blocks, problems = assemble([*summaries, *events_of(BLOCK)[1:]], hold=True)
        assert [BLOCK] == blocks
        assert [ProblemCode.BLOCK_HASH] == codes(problems)


def test_redaction_info_is_compared() -> None:
    """A summary that lost its redaction is another summary."""
    shape = JournalShape(redactions=1.0)
    block = next(b for b in make_journal(3, blocks=40, shape=shape) if b.summary.redaction_info)
    lost = attrs.evolve(block.summary, redaction_info=None)
    for events in orders(lost, block.summary):
        _, problems = assemble([*events, *events_of(block)[1:]], hold=True)
        assert [ProblemCode.CONFLICT] == codes(problems)
        assert "redaction_info" == problems[0].field


# --- copies that come after their block ---


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (FIRST, None),
        (attrs.evolve(FIRST, metadata=_moved(FIRST)), None),
        (redacted(attrs.evolve(FIRST, metadata=_moved(FIRST))), None),
        (with_data(attrs.evolve(FIRST, metadata=_moved(FIRST)), {}), ProblemCode.REVISION_HASH),
        (elsewhere(attrs.evolve(FIRST, metadata=_moved(FIRST))), ProblemCode.MISMATCH),
        (attrs.evolve(FIRST, hash=bytes(32)), ProblemCode.REVISION_HASH),
        (sound(FIRST, {"forged": True}), ProblemCode.CONFLICT),
    ],
)
def test_a_late_revision_is_judged(copy: Revision, expected: ProblemCode | None) -> None:
    """A duplicate falls out, anything else is reported; the block is not given twice."""
    blocks, problems = assemble([*events_of(BLOCK), details(copy)])
    assert [BLOCK] == blocks
    assert ([] if expected is None else [expected]) == codes(problems)


def test_a_late_delete_is_a_duplicate() -> None:
    """Which rule hashes deletes is not known here, so a delete's copy is believed."""
    deleted = attrs.evolve(FIRST, data_ion=None, metadata=_moved(FIRST))
    events = [BLOCK.summary, details(deleted), *events_of(BLOCK)[2:]]
    again = attrs.evolve(deleted, metadata=_moved(FIRST))
    _, problems = assemble([*events, details(again)])
    assert [] == problems


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (with_summary(stream_arn="other"), None),
        (with_summary(block_hash=bytes(32)), ProblemCode.BLOCK_HASH),
        (with_summary(transaction_id="0" * 22), ProblemCode.CONFLICT),
        (with_summary(transaction_info=None), ProblemCode.CONFLICT),
    ],
)
def test_a_late_summary_is_judged(summary: BlockSummary, expected: ProblemCode | None) -> None:
    """A duplicate falls out, anything else is reported; the block is not given twice."""
    blocks, problems = assemble([*events_of(BLOCK), summary])
    assert [BLOCK] == blocks
    assert ([] if expected is None else [expected]) == codes(problems)


def test_a_late_summary_of_other_bytes_is_a_duplicate() -> None:
    """The same statements in other bytes hash alike."""
    info = BLOCK.summary.transaction_info
    assert info is not None
    moved = attrs.evolve(info, ion=to_slice(info.ion.decode()))
    _, problems = assemble([*events_of(BLOCK), with_summary(transaction_info=moved)])
    assert [] == problems
    forged = attrs.evolve(info, ion=to_slice({}))
    _, problems = assemble([*events_of(BLOCK), with_summary(transaction_info=forged)])
    assert [ProblemCode.BLOCK_HASH] == codes(problems)


def test_what_was_given_out_is_forgotten_in_time() -> None:
    """Memory is bounded: a copy of a block given out long ago waits like a new one."""
    assembler = BlockAssembler(limit=8)
    given: list[Block] = []
    for block in BLOCKS:
        for event in events_of(block):
            assembler.feed(event)
            given += drain(assembler)
    assert BLOCKS == given
    assembler.feed(details(BLOCKS[0].revisions[0]))
    (error,) = assembler.close()
    assert isinstance(error, IncompleteBlockError)
    assert ("the block's summary",) == error.missing


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


# --- crowds: each event costs the same, however many are alike ---


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

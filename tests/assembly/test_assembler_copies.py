"""Assembly: copies of one revision or summary, and which of them counts."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import attrs
import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import IncompleteBlockError
from qldb_stream.events import (
    Block,
    BlockSummary,
    RedactionInfo,
    Revision,
    RevisionSummary,
    TableInfo,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.testing import JournalShape, make_journal
from tests.assembly.events import (
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
    redacted,
    with_data,
    with_summary,
)

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


def test_the_best_summary_wins_wherever_it_comes() -> None:
    """Damaged copies are judged beside the sound one, and not each by those before it."""
    bad = [with_summary(entries_hash=bytes([n]) * 32) for n in (1, 2)]
    for summaries in permutations([*bad, BLOCK.summary]):
        blocks, problems = assemble([*summaries, *events_of(BLOCK)[1:]], hold=True)
        assert [BLOCK] == blocks
        assert [ProblemCode.BLOCK_HASH] * 2 == codes(problems)


def test_summaries_of_an_incomplete_block_are_judged_too() -> None:
    """What is wrong with them is told when the block is given up."""
    bad = with_summary(block_hash=bytes(32))
    assembler = BlockAssembler(hold=True)
    for event in (bad, BLOCK.summary):
        assembler.feed(event)
    assert () == assembler.take_problems()
    assembler.finish(BLOCK.address)
    assert [ProblemCode.BLOCK_HASH, ProblemCode.INCOMPLETE] == codes(assembler.take_problems())


def test_summaries_that_differ_by_their_redaction_have_an_order() -> None:
    """Which of two that are equally good is taken does not depend on which came first."""
    infos = [RedactionInfo(to_slice({"revisions": [n]})) for n in range(3)]
    bad = [with_summary(redaction_info=info, block_hash=bytes(32)) for info in infos]
    found = set()
    for summaries in permutations(bad):
        (block,), _ = assemble([*summaries, *events_of(BLOCK)[1:]], hold=True)
        assert block.summary.redaction_info is not None
        found.add(repr(block.summary.redaction_info.ion.decode()))
    assert 1 == len(found)


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
        (attrs.evolve(FIRST, table=None, metadata=_moved(FIRST)), None),
        (attrs.evolve(FIRST, table=TableInfo("Forged", "F" * 22)), ProblemCode.CONFLICT),
        (redacted(attrs.evolve(FIRST, table=TableInfo("F", "F" * 22))), ProblemCode.CONFLICT),
        (attrs.evolve(FIRST, unknown_fields=("color",)), ProblemCode.CONFLICT),
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

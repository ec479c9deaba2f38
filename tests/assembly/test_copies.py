"""Copies: which one is the genuine one, and why."""

from __future__ import annotations

from typing import Final

import attrs
import pytest

from qldb_stream.assembly._copies import (
    choose_revision,
    judge_summaries,
    same_revision,
)
from qldb_stream.assembly._different import MAX_COPIES, DifferentCopies
from qldb_stream.assembly._given import GivenBlocks
from qldb_stream.assembly._loose import LooseRevisions
from qldb_stream.events import (
    Block,
    BlockAddress,
    Revision,
    RevisionKind,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.formulas import revision_recomputes, summary_recomputes
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.report import DeleteRule, Evidence, ProblemCode
from qldb_stream.testing import JournalShape, make_journal

SHAPE: Final = JournalShape(least_revisions=2, redactions=0.3, system=0.2, deletes=0.3)
BLOCKS: Final = [block for block in make_journal(7, blocks=40, shape=SHAPE) if block.revisions]
REVISIONS: Final = [found for block in BLOCKS for found in block.revisions]
FULL: Final = next(found for found in REVISIONS if found.data_ion is not None)


def broken(part: IonSlice) -> IonSlice:
    """Make a slice that does not decode."""
    return IonSlice(b"\xd3\x84\xef\xff", 0, 4, part.symbols)


def test_every_sound_summary_recomputes() -> None:
    """Inserts, deletes, redactions, statements: every hash fits its own parts."""
    assert {True} == {summary_recomputes(block.summary) for block in BLOCKS}


@pytest.mark.parametrize("rule", DeleteRule)
def test_every_sound_revision_recomputes(rule: DeleteRule) -> None:
    """Deletes by whichever rule; a hash alone is no proof of anything."""
    shape = attrs.evolve(SHAPE, delete_rule=rule)
    for block in make_journal(7, blocks=30, shape=shape):
        for revision in block.revisions:
            assert (revision.kind is not RevisionKind.SYSTEM) == revision_recomputes(revision)


def test_what_does_not_decode_does_not_recompute() -> None:
    """Damaged bytes make no exception, and equal only themselves."""
    assert FULL.data_ion is not None
    damaged = attrs.evolve(FULL, data_ion=broken(FULL.data_ion))
    assert not revision_recomputes(damaged)
    assert same_revision(damaged, damaged)
    assert not same_revision(damaged, FULL)


def test_copies_that_do_not_decode_are_a_conflict() -> None:
    """Two copies of damaged bytes differ in what cannot be read."""
    assert FULL.data_ion is not None
    assert FULL.metadata is not None
    copies = [
        attrs.evolve(FULL, data_ion=broken(FULL.data_ion)),
        attrs.evolve(FULL, data_ion=IonSlice(b"\xd3\x84\xef\xfe", 0, 4, FULL.data_ion.symbols)),
        attrs.evolve(FULL, data_ion=to_slice({"a": 1})),
    ]
    best, problems = choose_revision(copies, FULL.address)
    again, _ = choose_revision(copies[::-1], FULL.address)
    assert best.data_ion is again.data_ion
    assert {ProblemCode.CONFLICT} == {problem.code for problem in problems}
    assert {"the bytes of data_ion"} == {problem.field for problem in problems}


def test_a_worse_copy_is_told_field_by_field() -> None:
    """Where it differs from the copy that was taken, without what either holds."""
    data = dict(FULL.data)
    name = next(name for name, value in data.items() if isinstance(value, str))
    changed = to_slice({**data, name: "changed", "more": 1})
    assert FULL.metadata is not None
    metadata = to_slice({**FULL.metadata.ion.decode(), "version": 99})
    copy = attrs.evolve(
        FULL,
        data_ion=changed,
        metadata=attrs.evolve(FULL.metadata, ion=metadata),
        table=TableInfo("Other", "B" * 22),
    )
    best, [problem] = choose_revision([copy, FULL], FULL.address)
    assert (best, ProblemCode.REVISION_HASH) == (FULL, problem.code)
    assert problem.diagnosis is not None
    assert Evidence.COPY is problem.diagnosis.evidence
    paths = {change.path for change in problem.diagnosis.changes}
    assert {"metadata.version", f"data.{name}", "data.more", "tableInfo"} == paths
    assert {None} == {change.value for change in problem.diagnosis.changes}
    assert "changed" not in problem.shown


def test_a_worse_summary_is_told_field_by_field() -> None:
    """As far into its transaction as the statement that differs."""
    best = next(block.summary for block in BLOCKS if block.summary.transaction_info)
    assert best.transaction_info is not None
    written = best.transaction_info.ion.decode()
    written["statements"][0]["statement"] += " -- changed"
    info = TransactionInfo(to_slice(written))
    other = attrs.evolve(best, transaction_info=info, transaction_id="X" * 22)
    [problem] = judge_summaries(best, [other])
    assert problem.diagnosis is not None
    assert ["transactionInfo.statements[0].statement", "transactionId"] == [
        change.path for change in problem.diagnosis.changes
    ]
    assert "transactionInfo" == problem.field


def test_a_damaged_copy_and_a_false_redaction_are_a_conflict() -> None:
    """Whether they are one revision cannot be told when the data cannot be hashed."""
    assert FULL.data_ion is not None
    copies = [
        attrs.evolve(FULL, data_ion=broken(FULL.data_ion)),
        attrs.evolve(FULL, data_ion=None, data_hash=bytes(32)),
    ]
    _, problems = choose_revision(copies, FULL.address)
    assert [ProblemCode.CONFLICT] == [problem.code for problem in problems]


def test_unknown_fields_can_be_the_only_difference() -> None:
    """They belong to what a copy says."""
    copies = [FULL, attrs.evolve(FULL, unknown_fields=("new",))]
    _, problems = choose_revision(copies, FULL.address)
    assert ["unknown fields"] == [problem.field for problem in problems]


def test_loose_revisions_are_found_by_hash_and_by_claim() -> None:
    """Several copies of one hash may claim one block, or two."""
    loose = LooseRevisions()
    elsewhere = BlockAddress("other", 3)
    copies = [
        FULL,
        attrs.evolve(FULL, table=None),
        attrs.evolve(FULL, address=elsewhere),
    ]
    for copy in copies:
        assert not loose.has(copy)
        loose.add(copy)
        assert loose.has(copy)
    assert FULL.address == loose.oldest()
    assert copies[:2] == loose.take_claims(FULL.address, frozenset([FULL.document_id or ""]))
    assert [] == loose.take_claims(FULL.address)
    assert elsewhere == loose.oldest()
    assert copies[2:] == loose.take(FULL.hash).revisions
    assert [] == loose.take(FULL.hash).revisions
    assert loose.oldest() is None


def test_only_so_many_copies_are_kept() -> None:
    """One more is dropped and that is noted; what is kept is known again."""
    copies = DifferentCopies()
    number = FULL.address.sequence_no
    some = [
        attrs.evolve(FULL, address=attrs.evolve(FULL.address, sequence_no=number + i))
        for i in range(MAX_COPIES + 1)
    ]
    for copy in some[:-1]:
        assert not copies.has(copy)
        assert copies.add(copy)
        assert copies.has(attrs.evolve(copy))
    assert not copies.is_crowded
    assert not copies.has(some[-1])
    assert not copies.add(some[-1])
    assert copies.is_crowded
    assert some[:-1] == copies.revisions
    copies.remove(some[0])
    assert [False, True] == [copies.has(copy) for copy in some[:2]]


def test_a_hash_of_two_blocks_leads_to_the_later_one() -> None:
    """No sound journal has that; forgetting the earlier one leaves the later alone."""
    summary = BLOCKS[0].summary
    system = (Revision(summary.address, bytes(32)),)
    later = attrs.evolve(summary, address=BlockAddress("~", 0))
    given = GivenBlocks(100)
    given.add(Block(summary, system))
    given.add(Block(later, system))
    given.forget(summary.address)
    found = given.with_hash(bytes(32))
    assert found is not None
    assert (later.address, None) == (found.address, given.at(summary.address))
    given.forget(later.address)
    assert given.with_hash(bytes(32)) is None

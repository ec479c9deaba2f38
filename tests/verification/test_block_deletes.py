"""One block: deletes and redactions."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import (
    Block,
    RevisionKind,
    TransactionInfo,
)
from qldb_stream.ion import to_slice
from qldb_stream.report import DeleteRule, Outcome, ProblemCode
from qldb_stream.testing import make_journal
from qldb_stream.verification import verify_block
from tests.verification.blocks import (
    DELETE,
    INSERT,
    JOURNAL,
    SHAPE,
    UPDATE,
    WRONG,
    failures,
    id_of,
    kinds,
    outcomes,
    split,
    with_metadata,
    with_revision,
    with_statements,
    with_summary,
)


@pytest.mark.parametrize("rule", DeleteRule)
@pytest.mark.parametrize("before", [None, *DeleteRule])
def test_a_delete_is_verified_by_any_candidate_rule(
    rule: DeleteRule, before: DeleteRule | None
) -> None:
    """The rule that held is told (facts 1.4), whichever held before."""
    shape = attrs.evolve(SHAPE, delete_rule=rule)
    block = next(
        b for b in make_journal(21, blocks=400, shape=shape) if kinds(b) == [RevisionKind.DELETE]
    )
    found = verify_block(block, delete_rule=before)
    assert rule is found.delete_rule
    assert found.ok
    assert [f"the delete's hash is {rule.value}"] == [
        c.detail for c in found.checks if c.name is ProblemCode.REVISION_HASH
    ]


def test_a_delete_that_fits_no_rule_is_not_checkable_at_first() -> None:
    """No genuine delete has been seen, so the strand must show its rule before one fails."""
    damaged = with_metadata(DELETE, version=77)
    assert set() == failures(damaged)
    found = verify_block(damaged)
    assert None is found.delete_rule
    assert ("REVISION_HASH", Outcome.NOT_CHECKABLE) in outcomes(damaged)


def test_a_delete_that_fits_no_rule_fails_once_a_rule_has_fitted() -> None:
    """A rule that has fitted in the strand holds for all of its deletes."""
    damaged = with_metadata(DELETE, version=77)
    expected = {("REVISION_HASH", id_of(DELETE), None)}
    assert expected == failures(damaged, DeleteRule.METADATA_ONLY)


@pytest.mark.parametrize(
    "damaged",
    [
        with_revision(INSERT, data_ion=None),
        with_revision(UPDATE, data_ion=None),
        with_revision(with_metadata(DELETE, version=77), unknown_fields=("color",)),
    ],
    ids=["version 0", "no DELETE among the statements", "unknown fields"],
)
def test_what_only_looks_like_a_delete_fails(damaged: Block) -> None:
    """A revision that lost its data is no delete."""
    assert {("REVISION_HASH", id_of(damaged), None)} == failures(damaged)


def test_an_update_of_a_field_called_deleted_is_no_delete() -> None:
    """A statement deletes by its keywords, not by a name that has the word in it."""
    texts = "UPDATE T AS t SET t.isDeleted = ? WHERE t.a = 1", "FROM T AS t REMOVE t"
    update, remove = (with_revision(with_statements(UPDATE, t), data_ion=None) for t in texts)
    assert {("REVISION_HASH", id_of(UPDATE), None)} == failures(update)
    assert set() == failures(remove)


def test_a_strange_delete_without_known_statements_is_not_checkable() -> None:
    """Statement indexes that lead nowhere speak neither for nor against a delete."""
    info = DELETE.summary.transaction_info
    assert info is not None
    written = info.ion.decode()
    for document in written["documents"].values():
        document["statements"] = [99, -1]
    damaged = with_summary(
        with_metadata(DELETE, version=77), transaction_info=TransactionInfo(to_slice(written))
    )
    assert {("TRANSACTION_INFO", None, "transactionInfo")} == failures(damaged)


def redacted() -> Block:
    """Find a block whose only revision is redacted."""
    return next(b for b in JOURNAL.with_erased() if kinds(b) == [RevisionKind.REDACTED])


def test_a_redacted_revision_is_verified_by_its_data_hash() -> None:
    """Content is gone, and still the hash can be recomputed (facts 2.5)."""
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(redacted()).checks}


@pytest.mark.parametrize("data_hash", [WRONG, b"short"], ids=["other", "short"])
def test_a_wrong_data_hash_fails(data_hash: bytes) -> None:
    """An altered dataHash is a failed check of its document."""
    failed = failures(with_revision(redacted(), data_hash=data_hash))
    assert [("REVISION_HASH", id_of(redacted()))] == [(code, doc) for code, doc, _ in failed]


def test_altered_metadata_of_a_redacted_revision_is_told() -> None:
    """The statement's digest and dataHash prove that the data was what was inserted."""
    assert {("REVISION_HASH", id_of(redacted()), "metadata")} == failures(
        with_metadata(redacted(), version=5)
    )


def test_data_and_data_hash_must_agree() -> None:
    """A revision with both is verified, unless they contradict each other."""
    data = INSERT.revisions[0].data_ion
    assert data is not None
    assert set() == failures(with_revision(INSERT, data_hash=data.hash()))
    expected = {("REVISION_HASH", id_of(INSERT), "dataHash")}
    assert expected == failures(with_revision(INSERT, data_hash=WRONG))


@pytest.mark.parametrize("block", [INSERT, UPDATE], ids=["insert", "update"])
def test_the_halves_of_a_revision_are_no_delete_and_a_system_revision(block: Block) -> None:
    """A revision split into two leaves leaves every root as it was; the statements tell."""
    forged = split(block)
    assert {("REVISION_HASH", id_of(block), None)} == failures(forged)
    assert forged.block_hash == block.block_hash
    assert None is verify_block(forged).delete_rule

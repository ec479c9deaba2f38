"""One block: what would vanish without a hash noticing."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import (
    Block,
    Revision,
    RevisionSummary,
    TransactionInfo,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import to_slice
from qldb_stream.report import Outcome, ProblemCode
from qldb_stream.verification import verify_block
from tests.verification.blocks import (
    DDL,
    INSERT,
    REDACTION,
    SEVERAL,
    SYSTEM,
    failures,
    id_of,
    outcomes,
    with_data,
    with_revision,
    with_statements,
    with_summary,
)


def test_documents_without_transaction_info_fail() -> None:
    """A block that changed documents has a transactionInfo."""
    expected = {("TRANSACTION_INFO", None, "transactionInfo")}
    assert expected == failures(with_summary(INSERT, transaction_info=None))


def test_without_transaction_info_nobody_is_blamed() -> None:
    """An altered document fails, and no statement tells which part it was."""
    damaged = with_summary(with_data(INSERT, {"other": 1}), transaction_info=None)
    assert ("REVISION_HASH", id_of(INSERT), None) in failures(damaged)


def test_changed_documents_without_revisions_fail() -> None:
    """A block whose transactionInfo names documents has revisions, and each is named."""
    gone = Block(attrs.evolve(INSERT.summary, revision_summaries=()))
    expected = {
        ("REVISIONS_ROOT", None, "revisionSummaries"),
        ("MISMATCH", id_of(INSERT), "revisionSummaries"),
    }
    assert expected == failures(gone)


def with_hash_only(block: Block, leaf_hash: bytes, *replaced: int) -> Block:
    """Put one leaf and revision that are only a hash where some documents were."""
    at = replaced[0]
    leaves, revisions = list(block.summary.revision_summaries), list(block.revisions)
    for index in reversed(replaced):
        del leaves[index], revisions[index]
    leaves.insert(at, RevisionSummary(leaf_hash))
    revisions.insert(at, Revision(block.address, leaf_hash))
    changed = with_summary(block, revision_summaries=tuple(leaves))
    return attrs.evolve(changed, revisions=tuple(revisions))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_document_cannot_pass_as_a_system_revision(at: int) -> None:
    """A leaf's document id is not hashed, but transactionInfo still names the document."""
    stripped = with_hash_only(SEVERAL, SEVERAL.revisions[at].hash, at)
    assert {("MISMATCH", id_of(SEVERAL, at), "revisionSummaries")} == failures(stripped)


def test_two_documents_cannot_pass_as_one_system_revision() -> None:
    """Two leaves joined into one keep the root, and both documents are named."""
    joined = dot(SEVERAL.revisions[0].hash, SEVERAL.revisions[1].hash)
    expected = {("MISMATCH", id_of(SEVERAL, at), "revisionSummaries") for at in (0, 1)}
    assert expected == failures(with_hash_only(SEVERAL, joined, 0, 1))


def without_revisions(block: Block) -> Block:
    """Give a block that lists nothing of what its transaction changed."""
    return attrs.evolve(with_summary(block, revision_summaries=()), revisions=())


@pytest.mark.parametrize(
    "texts",
    [
        ("INSERT INTO T ?", "DELETE FROM T"),
        ("-- new\ninsert INTO T ?", "UPDATE T SET a = 1", "FROM T AS t REMOVE t"),
    ],
)
def test_a_document_created_and_deleted_at_once_is_not_checkable(texts: tuple[str, ...]) -> None:
    """Whether such documents are named without a revision is open (facts 2.3)."""
    passed = without_revisions(with_statements(INSERT, *texts))
    assert set() == failures(passed)
    [check] = [c for c in verify_block(passed).checks if c.outcome is Outcome.NOT_CHECKABLE]
    assert (ProblemCode.MISMATCH, id_of(INSERT)) == (check.name, check.document_id)


@pytest.mark.parametrize(
    ("texts", "statements"),
    [
        (("INSERT INTO T ?", "UPDATE T AS t SET t.isDeleted = ?"), None),
        (("INSERT INTO T ?", "DELETE FROM T"), [0]),
        (("INSERT INTO T ?", "DELETE FROM T"), [1]),
        (("INSERT INTO T ?", "DELETE FROM T"), [0, 2]),
        (("INSERT INTO T ?", "DELETE FROM T"), []),
        (("UPDATE T SET a = 1", "DELETE FROM T"), None),
    ],
    ids=["update", "insert only", "delete only", "unknown", "none", "not created"],
)
def test_no_other_document_does_without_a_revision(
    texts: tuple[str, ...], statements: list[int] | None
) -> None:
    """Only an insert first and a delete last leave nothing."""
    gone = without_revisions(with_statements(INSERT, *texts, statements=statements))
    assert ("MISMATCH", id_of(INSERT), "revisionSummaries") in failures(gone)


def test_statements_that_cannot_be_read_excuse_no_document() -> None:
    """A document without a revision fails when nothing tells what was done to it."""
    info = INSERT.summary.transaction_info
    assert info is not None
    broken = TransactionInfo(to_slice(info.ion.decode() | {"statements": [1]}))
    gone = without_revisions(with_summary(INSERT, transaction_info=broken))
    assert ("MISMATCH", id_of(INSERT), "revisionSummaries") in failures(gone)


def test_revisions_without_summaries_are_their_own_leaves() -> None:
    """Blocks of an export may come without revisionSummaries, and still have a root."""
    damaged = with_summary(INSERT, revision_summaries=())
    assert ("REVISIONS_ROOT", Outcome.VERIFIED) in outcomes(damaged)
    assert {("MISMATCH", None, "revisionSummaries")} == failures(damaged)


def test_a_revision_that_is_more_than_a_hash_needs_metadata() -> None:
    """Only bare hashes are the system's."""
    damaged = with_revision(INSERT, metadata=None)
    assert ("REVISION_HASH", None, "metadata") in failures(damaged)


def test_a_redaction_without_redaction_info_is_pointed_out() -> None:
    """The statement is in the journal, what it asked for is not."""
    damaged = with_summary(REDACTION, redaction_info=None)
    assert ("REDACTION_INFO", Outcome.NOT_CHECKABLE) in outcomes(damaged)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("redactionInfn", "redactionInfo"),
        ("revisionSummaries.documentIe", "documentId"),
        ("revisionSummaries.hash", "revisionSummaries.hash"),
        ("sequenceNo", "sequenceNo"),
        ("$0", "$0"),
        ("transactionInf", "transactionInfo"),
        ("payload.tableInfo\x8brest", "tableInfo"),
        ("", "transactionInfo"),
        ("revisionSummaries.$0", "revisionSummaries.$0"),
        ("0VwGeHD7Q9LL4HSC55gDSp", "0VwGeHD7Q9LL4HSC55gDSp"),
    ],
)
def test_names_that_damage_makes_are_failures(name: str, field: str) -> None:
    """A known name but for a bit, or where it does not belong, is no new field."""
    assert {("MISMATCH", None, field)} == failures(with_summary(DDL, unknown_fields=(name,)))


def test_a_system_revision_may_have_new_fields() -> None:
    """They change nothing: it is not checkable, as all of its kind."""
    assert set() == failures(with_revision(SYSTEM, unknown_fields=("color",)))


@pytest.mark.parametrize("name", ["color", "record.shard", "redactionImfp", "blockAddress.x"])
def test_new_fields_break_nothing_and_are_named(name: str) -> None:
    """Fields that the facts do not know are not checkable: no hash covers them."""
    changed = [
        with_summary(DDL, unknown_fields=(name,)),
        with_revision(INSERT, unknown_fields=(name,)),
    ]
    for block in changed:
        assert set() == failures(block)
        found = [c for c in verify_block(block).checks if c.outcome is Outcome.NOT_CHECKABLE]
        assert [(ProblemCode.MISMATCH, name)] == [(check.name, check.field) for check in found]


def test_new_fields_of_metadata_are_covered_by_its_hash() -> None:
    """They are part of what is recomputed, so there is nothing to be told."""
    block = with_revision(INSERT, unknown_fields=("metadata.color",))
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(block).checks}


def test_a_lost_table_is_told_from_one_that_was_never_there() -> None:
    """Without tableInfo it cannot be compared; beside an unknown field it was damaged."""
    without = with_revision(INSERT, table=None)
    assert set() == failures(without)
    assert ("MISMATCH", Outcome.NOT_CHECKABLE) in outcomes(without)
    damaged = with_revision(INSERT, table=None, unknown_fields=("payload.color",))
    assert {("MISMATCH", id_of(INSERT), "tableInfo")} == failures(damaged)


def test_an_exported_revision_has_no_table_of_its_own() -> None:
    """Blocks of an export take the table from transactionInfo (facts 2.1)."""
    exported = with_summary(with_revision(INSERT, table=None), stream_arn=None)
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(exported).checks}

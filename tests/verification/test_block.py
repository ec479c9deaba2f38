"""One block: every check, its outcome, and what it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    RedactionInfo,
    Revision,
    RevisionDetails,
    RevisionKind,
    RevisionSummary,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import IonSlice, SymbolTable, loads, to_slice
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Check, DeleteRule, Outcome, ProblemCode
from qldb_stream.testing import Journal, JournalShape, make_journal
from qldb_stream.testing.strategies import journals
from qldb_stream.verification import verify_block

SHAPE = JournalShape(redactions=0.4, system=0.2, empty=0.2, deletes=0.3)
JOURNAL = make_journal(21, blocks=400, shape=SHAPE)
BLOCKS = list(JOURNAL)
WRONG = bytes(range(32))


def first(holds: Callable[[Block], Any]) -> Block:
    """Find the first block of the journal of which something holds."""
    return next(block for block in BLOCKS if holds(block))


def kinds(block: Block) -> list[RevisionKind]:
    """List the kinds of a block's revisions."""
    return [revision.kind for revision in block.revisions]


def written(block: Block) -> bytes:
    """Give the bytes of a block's transactionInfo."""
    info = block.summary.transaction_info
    return b"" if info is None else info.ion.to_bytes()


# A block with one document inserted by a statement of its own, and nothing else.
INSERT = first(lambda b: kinds(b) == [RevisionKind.INSERT])
UPDATE = first(lambda b: kinds(b) == [RevisionKind.UPDATE] and b"d.remark = ?" in written(b))
DELETE = first(lambda b: kinds(b) == [RevisionKind.DELETE])
SYSTEM = first(lambda b: kinds(b) == [RevisionKind.SYSTEM])
SEVERAL = first(lambda b: len(b.revisions) > 2 and RevisionKind.SYSTEM not in kinds(b))
REDACTION = first(lambda b: b.summary.redaction_info)
DDL = BLOCKS[0]
BARE = first(lambda b: b.summary.transaction_info is None and not b.revisions)


def with_summary(block: Block, **changes: Any) -> Block:
    """Give a block with other values in its summary."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, **changes))


def with_revision(block: Block, at: int = 0, **changes: Any) -> Block:
    """Give a block with other values in one revision."""
    revisions = list(block.revisions)
    revisions[at] = attrs.evolve(revisions[at], **changes)
    return attrs.evolve(block, revisions=tuple(revisions))


def with_data(block: Block, data: Any) -> Block:
    """Give a block whose first revision has another document."""
    return with_revision(block, data_ion=to_slice(data))


def with_metadata(block: Block, **changes: Any) -> Block:
    """Give a block whose first revision has other metadata, values and bytes."""
    metadata = block.revisions[0].metadata
    assert metadata is not None
    names = {"id": "id", "version": "version", "tx_id": "txId"}
    written = metadata.ion.decode() | {names[name]: value for name, value in changes.items()}
    ion = to_slice(written)
    return with_revision(block, metadata=attrs.evolve(metadata, ion=ion, **changes))


def failures(
    block: Block, rule: DeleteRule | None = None
) -> set[tuple[str, str | None, str | None]]:
    """Give code, document and field of each failed check."""
    found = verify_block(block, delete_rule=rule)
    assert (not found.problems) is found.ok
    return {(p.code.value, p.document_id, p.field) for p in found.problems}


def outcomes(block: Block, rule: DeleteRule | None = None) -> set[tuple[str, Outcome]]:
    """Give code and outcome of all checks."""
    return {(c.name.value, c.outcome) for c in verify_block(block, delete_rule=rule).checks}


def id_of(block: Block, at: int = 0) -> str | None:
    """Give the document id of a revision."""
    return block.revisions[at].document_id


def garbage() -> IonSlice:
    """Give a slice of bytes that are no Ion: a struct longer than its bytes."""
    return IonSlice(b"\xde\xff\x8a", 0, 3, SymbolTable(()))


# --- sound blocks ---------------------------------------------------------------------------


def test_the_genuine_block_of_a_stream_verifies(vectors: Path) -> None:
    """Block 14 holds in every check."""
    summary, details = map(
        parse_record, deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())
    )
    assert isinstance(summary, BlockSummary)
    assert isinstance(details, RevisionDetails)
    found = verify_block(Block(summary, (details.revision,)))
    assert {Outcome.VERIFIED} == {check.outcome for check in found.checks}
    expected = [
        "REVISION_HASH",
        "MISMATCH",
        "MISMATCH",
        "REVISIONS_ROOT",
        "TRANSACTION_INFO",
        "ENTRIES_HASH",
        "BLOCK_HASH",
    ]
    assert expected == [check.name.value for check in found.checks]
    assert BlockAddress("0VwGeHD7Q9LL4HSC55gDSp", 14) == found.address


def test_the_genuine_block_in_text_verifies_and_its_edited_revision_does_not(vectors: Path) -> None:
    """Block 3 holds; the revision with one word changed is named, data included."""
    folder = vectors / "block-3"
    summary = parse_record((folder / "block_summary.ion").read_bytes())
    genuine = parse_record((folder / "revision_details.ion").read_bytes())
    edited = parse_record((folder / "revision_details.edited.ion").read_bytes())
    assert isinstance(summary, BlockSummary)
    assert isinstance(genuine, RevisionDetails)
    assert isinstance(edited, RevisionDetails)
    assert verify_block(Block(summary, (genuine.revision,))).ok
    found = verify_block(Block(summary, (edited.revision,)))
    assert [ProblemCode.REVISION_HASH] == [p.code for p in found.problems]
    assert [edited.revision.document_id] == [p.document_id for p in found.problems]


def test_the_genuine_exported_block_verifies(vectors: Path) -> None:
    """Block 100 holds in every check, its table taken from transactionInfo."""
    [block] = parse_export((vectors / "block-100/block.ion").read_bytes())
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(block).checks}
    assert 100 == block.address.sequence_no


@settings(max_examples=25)
@given(journals(most_blocks=12, any_documents=True))
def test_sound_blocks_have_no_problem(journal: Journal) -> None:
    """Nothing that the generator makes fails, whatever its shape, deletes included."""
    for block in journal:
        found = verify_block(block)
        assert () == found.problems
        assert found.ok


def test_a_plain_block_is_verified_in_full() -> None:
    """A block with an insert leaves nothing unchecked."""
    assert {Outcome.VERIFIED} == {check.outcome for check in verify_block(INSERT).checks}


def test_a_block_without_revisions_has_no_root_to_check() -> None:
    """DDL blocks have a transactionInfo and no leaves."""
    names = [check.name for check in verify_block(DDL).checks]
    assert [ProblemCode.TRANSACTION_INFO, ProblemCode.ENTRIES_HASH, ProblemCode.BLOCK_HASH] == names


def test_what_cannot_be_recomputed_is_said_with_its_reason() -> None:
    """System revisions and absent transactionInfo are not checkable, each in one sentence."""
    found = [
        c
        for b in (SYSTEM, BARE)
        for c in verify_block(b).checks
        if c.outcome is Outcome.NOT_CHECKABLE
    ]
    expected = {
        "a hash-only system revision: what it hashes is not in the journal",
        "the block has no transactionInfo",
    }
    assert expected == {check.detail for check in found}


def test_a_redaction_block_verifies() -> None:
    """The hash of redactionInfo is a member of entriesHashList."""
    assert ("REDACTION_INFO", Outcome.VERIFIED) in outcomes(REDACTION)


# --- hashes that do not fit -----------------------------------------------------------------


def test_an_altered_document_is_named_with_the_field() -> None:
    """The digest of INSERT INTO t ? proves that the data is what changed."""
    damaged = with_data(INSERT, {"other": 1})
    assert {("REVISION_HASH", id_of(INSERT), "data")} == failures(damaged)


def test_altered_metadata_is_told_from_altered_data() -> None:
    """The statement's digest proves the data, so the metadata is to blame."""
    damaged = with_metadata(INSERT, version=7)
    assert {("REVISION_HASH", id_of(INSERT), "metadata")} == failures(damaged)


def test_a_damaged_copy_of_the_hash_is_told_from_damaged_content() -> None:
    """The leaf in the summary proves that only the revision's own hash is wrong."""
    damaged = with_revision(INSERT, hash=WRONG)
    expected = {("REVISION_HASH", id_of(INSERT), "hash"), ("MISMATCH", id_of(INSERT), "hash")}
    assert expected == failures(damaged)


def test_nobody_is_blamed_without_proof() -> None:
    """An UPDATE with several parameters cannot tell data from metadata."""
    assert {("REVISION_HASH", id_of(UPDATE), None)} == failures(with_data(UPDATE, {"other": 1}))


def test_a_lone_list_parameter_proves_the_data_too(vectors: Path) -> None:
    """Drivers passed one document as a list: block 14 did (facts 2.3)."""
    summary, details = map(
        parse_record, deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())
    )
    assert isinstance(summary, BlockSummary)
    assert isinstance(details, RevisionDetails)
    damaged = with_metadata(Block(summary, (details.revision,)), version=3)
    assert {("REVISION_HASH", id_of(damaged), "metadata")} == failures(damaged)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_altered_leaf_breaks_the_root_and_names_the_document(at: int) -> None:
    """Each leaf counts."""
    leaves = list(SEVERAL.summary.revision_summaries)
    leaves[at] = attrs.evolve(leaves[at], hash=WRONG)
    damaged = with_summary(SEVERAL, revision_summaries=tuple(leaves))
    expected = {("REVISIONS_ROOT", None, None), ("MISMATCH", id_of(SEVERAL, at), "hash")}
    assert expected == failures(damaged)


def test_the_order_of_leaves_counts() -> None:
    """Swapped leaves of a block with three or more break the root."""
    leaves = SEVERAL.summary.revision_summaries
    swapped = (leaves[2], leaves[1], leaves[0], *leaves[3:])
    assert ("REVISIONS_ROOT", None, None) in failures(
        with_summary(SEVERAL, revision_summaries=swapped)
    )


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"entries_hash": WRONG}, {"ENTRIES_HASH", "BLOCK_HASH"}, None),
        ({"block_hash": WRONG}, {"BLOCK_HASH"}, None),
        ({"previous_block_hash": WRONG}, {"BLOCK_HASH"}, None),
        ({"previous_block_hash": b"short"}, {"BLOCK_HASH"}, None),
        ({"entries_hash": b""}, {"ENTRIES_HASH", "BLOCK_HASH"}, None),
        (
            {"transaction_info": TransactionInfo(to_slice({}))},
            {"TRANSACTION_INFO"},
            "transactionInfo",
        ),
        ({"transaction_info": TransactionInfo(garbage())}, {"TRANSACTION_INFO"}, "transactionInfo"),
        ({"redaction_info": RedactionInfo(to_slice({}))}, {"REDACTION_INFO"}, "redactionInfo"),
        ({"redaction_info": RedactionInfo(garbage())}, {"REDACTION_INFO"}, "redactionInfo"),
    ],
)
def test_each_part_of_a_summary_has_its_check(
    changes: dict[str, Any], code: set[str], field: str | None
) -> None:
    """An altered part fails by its own name, and nothing else does."""
    assert {(c, None, field) for c in code} == failures(with_summary(DDL, **changes))


def test_a_block_that_hashes_nothing_fails() -> None:
    """Empty hashes are neutral to dot, and prove nothing all the same."""
    summary = attrs.evolve(
        BARE.summary,
        entries_hash=b"",
        entries_hash_list=(),
        block_hash=BARE.summary.previous_block_hash,
    )
    assert {("ENTRIES_HASH", None, None), ("BLOCK_HASH", None, None)} == failures(Block(summary))


def test_entries_that_are_no_digests_fail() -> None:
    """A short entry is a failed check and no exception."""
    entries = (b"short", *DDL.summary.entries_hash_list)
    assert ("ENTRIES_HASH", None, None) in failures(with_summary(DDL, entries_hash_list=entries))


def test_leaves_that_are_no_digests_fail() -> None:
    """A short leaf is a failed check and no exception."""
    damaged = with_summary(SYSTEM, revision_summaries=(RevisionSummary(b"short"),))
    assert {("REVISIONS_ROOT", None, None), ("MISMATCH", None, "hash")} == failures(damaged)


@pytest.mark.parametrize("field", ["data", "metadata"])
def test_parts_that_cannot_be_read_are_failed_checks(field: str) -> None:
    """Bytes that break while they are hashed are named, not raised."""
    metadata = INSERT.revisions[0].metadata
    assert metadata is not None
    changes: dict[str, dict[str, Any]] = {
        "data": {"data_ion": garbage()},
        "metadata": {"metadata": attrs.evolve(metadata, ion=garbage())},
    }
    damaged = with_revision(INSERT, **changes[field])
    assert {("REVISION_HASH", id_of(INSERT), field)} == failures(damaged)


# --- what would vanish without a hash noticing ----------------------------------------------


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


def with_statements(block: Block, *texts: str, statements: list[int] | None = None) -> Block:
    """Give a block of one document with other statements, and a hash that fits them."""
    assert block.summary.transaction_info is not None
    written = block.summary.transaction_info.ion.decode()
    like = written["statements"][0]
    written["statements"] = [like | {"statement": text} for text in texts]
    for document in written["documents"].values():
        document["statements"] = list(range(len(texts))) if statements is None else statements
    info = TransactionInfo(to_slice(written))
    entries = (*block.summary.entries_hash_list, info.ion.hash())
    root = merkle_root(entries)
    return with_summary(
        block,
        transaction_info=info,
        entries_hash_list=entries,
        entries_hash=root,
        block_hash=dot(root, block.summary.previous_block_hash),
    )


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


@pytest.mark.parametrize("name", ["color", "record.shard", "redactionImfp"])
def test_new_fields_break_nothing(name: str) -> None:
    """Fields that the facts do not know are kept out of the way."""
    assert set() == failures(with_summary(DDL, unknown_fields=(name,)))
    assert set() == failures(with_revision(INSERT, unknown_fields=(name,)))


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


# --- what is repeated -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": BlockAddress("other", INSERT.address.sequence_no)}, "blockAddress.strandId"),
        ({"address": BlockAddress(JOURNAL.strand_id, 10**6)}, "blockAddress.sequenceNo"),
        ({"table": TableInfo("Other", INSERT.revisions[0].table.table_id)}, "tableInfo.tableName"),  # type: ignore[union-attr]  # it has one
        ({"table": TableInfo(INSERT.revisions[0].table.table_name, "x")}, "tableInfo.tableId"),  # type: ignore[union-attr]  # it has one
    ],
)
def test_a_revision_agrees_with_its_block(changes: dict[str, Any], field: str) -> None:
    """What no hash covers is compared where it is repeated, and named."""
    assert {("MISMATCH", id_of(INSERT), field)} == failures(with_revision(INSERT, **changes))


def test_the_transaction_id_is_the_revisions_tx_id() -> None:
    """An altered transactionId is found beside intact metadata."""
    expected = {("MISMATCH", id_of(INSERT), "transactionId")}
    assert expected == failures(with_summary(INSERT, transaction_id="x" * 22))


def test_the_summarys_document_id_is_the_revisions() -> None:
    """An altered document id in the summary is found."""
    leaf = attrs.evolve(INSERT.summary.revision_summaries[0], document_id="x" * 22)
    expected = {("MISMATCH", id_of(INSERT), "documentId")}
    assert expected == failures(with_summary(INSERT, revision_summaries=(leaf,)))


def test_transaction_info_names_each_document() -> None:
    """A revision of a document that transactionInfo does not name is found."""
    failed = failures(with_metadata(INSERT, id="x" * 22))
    assert ("MISMATCH", "x" * 22, "transactionInfo.documents") in failed


def test_documents_that_cannot_be_read_are_not_compared() -> None:
    """The unreadable transactionInfo fails by its own check, and once."""
    info = TransactionInfo(to_slice({"documents": {"x": 1}, "statements": 2}))
    damaged = with_data(with_summary(INSERT, transaction_info=info), {"other": 1})
    expected = {
        ("TRANSACTION_INFO", None, "transactionInfo"),
        ("REVISION_HASH", id_of(INSERT), None),
    }
    assert expected == failures(damaged)


def test_an_unreadable_statement_asks_for_nothing() -> None:
    """Text about redaction in a transactionInfo that cannot be read raises nothing."""
    info = TransactionInfo(to_slice({"statements": [{"statement": "exec redact_revision"}]}))
    damaged = with_summary(DDL, transaction_info=info)
    assert {("TRANSACTION_INFO", None, "transactionInfo")} == failures(damaged)


# --- deletes and redactions -----------------------------------------------------------------


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


# --- robustness -----------------------------------------------------------------------------


@given(st.data())
def test_no_block_makes_verification_raise(data: st.DataObject) -> None:
    """Whatever stands in a block's values, the answer is a list of checks."""
    block = data.draw(st.sampled_from([INSERT, UPDATE, DELETE, SYSTEM, SEVERAL, REDACTION, BARE]))
    hashes = st.binary(max_size=40) | st.just(WRONG)
    given_slices = [
        garbage(),
        to_slice({}),
        to_slice(None),
        to_slice({"documents": [1], "statements": {}, "revisions": 1}),
    ]
    # By number, because Hypothesis hashes what it chooses from, and garbage has no hash.
    slices = st.integers(0, 3).map(lambda number: given_slices[number])
    changes = st.fixed_dictionaries(
        {},
        optional={
            "block_hash": hashes,
            "entries_hash": hashes,
            "previous_block_hash": hashes,
            "entries_hash_list": st.lists(hashes, max_size=4).map(tuple),
            "transaction_info": st.none() | slices.map(TransactionInfo),
            "redaction_info": st.none() | slices.map(RedactionInfo),
            "revision_summaries": st.lists(st.builds(RevisionSummary, hashes), max_size=4).map(
                tuple
            ),
            "unknown_fields": st.lists(st.text(max_size=20), max_size=2).map(tuple),
        },
    )
    damaged = with_summary(block, **data.draw(changes))
    if block.revisions:
        revisions = st.fixed_dictionaries(
            {},
            optional={
                "hash": hashes,
                "data_ion": st.none() | slices,
                "data_hash": st.none() | hashes,
                "table": st.none(),
                "metadata": st.none(),
            },
        )
        damaged = with_revision(damaged, 0, **data.draw(revisions))
    found = verify_block(damaged)
    assert found.checks
    assert all(isinstance(check, Check) for check in found.checks)


def test_details_count_reasons() -> None:
    """Not checkable is said in one fixed sentence for each reason, without ids."""
    details = {
        check.detail
        for block in BLOCKS
        for check in verify_block(block).checks
        if check.outcome is Outcome.NOT_CHECKABLE
    }
    assert 2 == len(details)
    assert loads(to_slice(sorted(details)).to_bytes())

"""One block: no part of it can stand in for another, whatever their hashes are members of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from qldb_stream.events import Block, RedactionInfo, TransactionInfo
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import IonSlice, timestamp_ms, to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.report import Outcome
from qldb_stream.verification import verify_block
from tests.verification.blocks import (
    DDL,
    DELETE,
    INSERT,
    REDACTION,
    failures,
    garbage,
    outcomes,
    with_summary,
)

STATEMENT: Final = {
    "statement": "INSERT INTO T ?",
    "startTime": timestamp_ms(1_590_969_600_123),
    "statementDigest": bytes(32),
}
MILLISECOND: Final = timedelta(milliseconds=1)


def slice_of(block: Block, name: str) -> IonSlice:
    """Give the bytes of a block's transaction_info or redaction_info."""
    ion = getattr(block.summary, name).ion
    assert isinstance(ion, IonSlice)
    return ion


def resealed(block: Block, **infos: Any) -> Block:
    """Give a block with other infos whose hashes all fit, as whoever rebuilds a chain could."""
    changed = with_summary(block, **infos)
    summary = changed.summary
    entries = [merkle_root([leaf.hash for leaf in summary.revision_summaries])]
    entries += [
        info.ion.hash() for info in (summary.transaction_info, summary.redaction_info) if info
    ]
    entries = [entry for entry in entries if entry]
    root = merkle_root(entries)
    return with_summary(
        changed,
        entries_hash_list=tuple(entries),
        entries_hash=root,
        block_hash=dot(root, summary.previous_block_hash),
    )


def test_a_redaction_cannot_pass_as_what_the_transaction_ran() -> None:
    """A redaction that is moved into transactionInfo's place is found there."""
    moved = TransactionInfo(slice_of(REDACTION, "redaction_info"))
    hidden = with_summary(REDACTION, transaction_info=moved, redaction_info=None)
    assert {("TRANSACTION_INFO", None, "transactionInfo")} == failures(hidden)


def test_two_infos_cannot_change_places() -> None:
    """Each is a member of entriesHashList, and none of them reads as the other."""
    swapped = with_summary(
        REDACTION,
        transaction_info=TransactionInfo(slice_of(REDACTION, "redaction_info")),
        redaction_info=RedactionInfo(slice_of(REDACTION, "transaction_info")),
    )
    expected = {
        ("TRANSACTION_INFO", None, "transactionInfo"),
        ("REDACTION_INFO", None, "redactionInfo"),
    }
    assert expected == failures(swapped)


@pytest.mark.parametrize("block", [INSERT, DDL], ids=["insert", "DDL"])
def test_one_member_does_not_vouch_for_two_parts(block: Block) -> None:
    """A copy of transactionInfo makes no redactionInfo."""
    copy = RedactionInfo(slice_of(block, "transaction_info"))
    forged = with_summary(block, redaction_info=copy)
    assert {("REDACTION_INFO", None, "redactionInfo")} == failures(forged)


def test_one_member_does_not_vouch_for_a_redaction_twice() -> None:
    """A copy of redactionInfo makes no transactionInfo, though it reads as one that is empty."""
    copy = TransactionInfo(slice_of(REDACTION, "redaction_info"))
    forged = with_summary(REDACTION, transaction_info=copy)
    assert ("TRANSACTION_INFO", None, "transactionInfo") in failures(forged)


def test_metadata_whose_hash_is_the_root_is_no_transaction_info() -> None:
    """A lone delete's hash may be H(metadata), and so the root (facts 1.4)."""
    metadata = DELETE.revisions[0].metadata
    assert metadata is not None
    assert metadata.ion.hash() in DELETE.summary.entries_hash_list
    moved = TransactionInfo(metadata.ion)
    stripped = with_summary(DELETE, transaction_info=moved, revision_summaries=())
    bare = attrs.evolve(stripped, revisions=())
    assert {("TRANSACTION_INFO", None, "transactionInfo")} == failures(bare)
    kept = with_summary(DELETE, transaction_info=moved)
    assert ("TRANSACTION_INFO", None, "transactionInfo") in failures(kept)


def test_what_our_own_ledger_hashes_besides_is_no_part() -> None:
    """Its header, its list of tables and of no revisions are told from what they replace."""
    with Ledger.open(":memory:", name="own", journal_reads="on") as ledger:
        ledger.driver().execute_lambda(
            lambda txn: txn.execute_statement(
                "SELECT VALUE t.name FROM information_schema.user_tables AS t"
            )
        )
        (block,) = ledger.blocks()
    summary = block.summary
    milliseconds = (summary.block_timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND
    address = {
        "strandId": summary.address.strand_id,
        "sequenceNo": summary.address.sequence_no,
    }
    header = to_slice(
        {
            "blockAddress": address,
            "transactionId": summary.transaction_id,
            "blockTimestamp": timestamp_ms(milliseconds),
        }
    )
    assert verify_block(block).ok
    assert summary.entries_hash_list[0] == header.hash()
    forged = with_summary(block, transaction_info=TransactionInfo(header))
    assert {("TRANSACTION_INFO", None, "transactionInfo")} == failures(forged)
    tables = TransactionInfo(to_slice({"tables": []}))
    assert ("TRANSACTION_INFO", Outcome.NOT_CHECKABLE) in outcomes(
        with_summary(block, transaction_info=tables)
    )
    none = RedactionInfo(to_slice({"revisions": []}))
    assert ("REDACTION_INFO", None, "redactionInfo") in failures(
        with_summary(block, redaction_info=none)
    )


def test_a_redaction_needs_the_statement_that_asked_for_it() -> None:
    """Only transactions of users redact, and these have a transactionInfo (facts 1.3, 2.6)."""
    stripped = with_summary(REDACTION, transaction_info=None)
    assert {("TRANSACTION_INFO", None, "transactionInfo")} == failures(stripped)


@pytest.mark.parametrize(
    "written",
    [
        {"statements": 5},
        {"statements": [{"statement": 7}]},
        {"documents": 5},
        {"documents": {"x": {"tableName": 5}}, "statements": []},
        {"documents": {"x": {"tableName": "T", "tableId": "t", "statements": 1}}},
        {"documents": {"x": {"tableName": 5}}, "statements": [STATEMENT]},
    ],
)
def test_a_transaction_info_that_cannot_be_read_fails_whatever_its_hash(
    written: dict[str, Any],
) -> None:
    """Nothing that it says could be compared with anything."""
    block = resealed(INSERT, transaction_info=TransactionInfo(to_slice(written)))
    assert ("TRANSACTION_INFO", None, "transactionInfo") in failures(block)


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        ({}, Outcome.NOT_CHECKABLE),
        ({"statements": None}, Outcome.VERIFIED),
        ({"statements": []}, Outcome.VERIFIED),
        ({"color": 1}, Outcome.NOT_CHECKABLE),
        ({"id": "x"}, Outcome.FAILED),
    ],
)
def test_a_transaction_that_ran_nothing_is_no_failure(
    written: dict[str, Any], outcome: Outcome
) -> None:
    """Whether the service wrote such a thing is open; what is another part is not one."""
    block = resealed(DDL, transaction_info=TransactionInfo(to_slice(written)))
    assert ("TRANSACTION_INFO", outcome) in outcomes(block)


def redaction(**changes: Any) -> RedactionInfo:
    """Give the redaction's info with other values in its one revision."""
    written = slice_of(REDACTION, "redaction_info").decode()
    (revision,) = written["revisions"]
    return RedactionInfo(to_slice({"revisions": [revision | changes]}))


OWN = REDACTION.address


@pytest.mark.parametrize(
    ("info", "field"),
    [
        (redaction(version="x"), "redactionInfo"),
        (redaction(blockAddress={"strandId": OWN.strand_id}), "redactionInfo"),
        (RedactionInfo(to_slice({"revisions": []})), "redactionInfo"),
        (RedactionInfo(to_slice({})), "redactionInfo"),
        (redaction(blockAddress={"strandId": "x", "sequenceNo": 0}), "blockAddress.strandId"),
        (
            redaction(
                blockAddress={"strandId": OWN.strand_id, "sequenceNo": OWN.sequence_no},
            ),
            "blockAddress.sequenceNo",
        ),
        (
            redaction(blockAddress={"strandId": OWN.strand_id, "sequenceNo": -1}),
            "blockAddress.sequenceNo",
        ),
    ],
)
def test_a_redaction_names_revisions_of_its_own_past(info: RedactionInfo, field: str) -> None:
    """It must read, and name blocks of its strand that are before its own."""
    found = failures(resealed(REDACTION, redaction_info=info))
    assert {("REDACTION_INFO", None, field)} == found


def test_a_sealed_redaction_is_sound() -> None:
    """What the tests above reseal verifies when nothing is changed."""
    assert set() == failures(resealed(REDACTION))
    assert ("REDACTION_INFO", Outcome.VERIFIED) in outcomes(resealed(REDACTION))


def test_a_renamed_strand_is_found_by_its_redactions() -> None:
    """The one copy of the strand's id that is hashed is in redactionInfo."""
    address = attrs.evolve(REDACTION.address, strand_id="0" * 22)
    renamed = with_summary(REDACTION, address=address)
    assert {("REDACTION_INFO", None, "blockAddress.strandId")} == failures(renamed)


def test_an_unreadable_redaction_fails() -> None:
    """Bytes that cannot be hashed are a failed check and no exception."""
    damaged = with_summary(REDACTION, redaction_info=RedactionInfo(garbage()))
    assert {("REDACTION_INFO", None, "redactionInfo")} == failures(damaged)

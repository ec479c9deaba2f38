"""One block: what is repeated agrees."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from qldb_stream.events import (
    BlockAddress,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.ion import to_slice
from tests.verification.blocks import (
    DDL,
    INSERT,
    JOURNAL,
    failures,
    id_of,
    with_data,
    with_metadata,
    with_revision,
    with_summary,
)


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

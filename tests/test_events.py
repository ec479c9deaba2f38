"""The event types: kinds, late decoding, and the errors of parts that decode late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from qldb_stream.errors import EnvelopeError
from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    DocumentInfo,
    Metadata,
    RedactedRevision,
    RedactionInfo,
    Revision,
    RevisionKind,
    Statement,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.ion import iter_text, timestamp_ms, to_slice

ADDRESS = BlockAddress("Ad3B7NABCxT12W36o0d8v3", 41)
NOW_MS = 1_714_979_289_123
NOW = datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
DOCUMENT_ID = "1xYzAbCdEfGhIjKlMnOpQ3"
STATEMENT = {
    "statement": "SELECT 1",
    "startTime": timestamp_ms(NOW_MS),
    "statementDigest": b"d" * 32,
}
DOCUMENT = {"tableName": "Items", "tableId": "4bCdEfGhIjKlMnOpQrStU2", "statements": [0, 1, 1]}
REDACTED = {
    "blockAddress": {"strandId": ADDRESS.strand_id, "sequenceNo": 7},
    "tableId": "4bCdEfGhIjKlMnOpQrStU2",
    "documentId": DOCUMENT_ID,
    "version": 2,
}


def make_metadata(version: int) -> Metadata:
    """Make the metadata of one document's revision."""
    ion = to_slice({"id": DOCUMENT_ID, "version": version})
    return Metadata(DOCUMENT_ID, version, NOW, "7mNoPqRsTuVwXyZaBcDeF4", ion)


@pytest.mark.parametrize(
    ("expected", "version", "parts"),
    [
        (RevisionKind.INSERT, 0, {"data_ion": to_slice({})}),
        (RevisionKind.UPDATE, 1, {"data_ion": to_slice({})}),
        (RevisionKind.DELETE, 2, {}),
        (RevisionKind.REDACTED, 0, {"data_hash": b"h" * 32}),
        (RevisionKind.REDACTED, 2, {"data_hash": b"h" * 32}),
    ],
)
def test_kind_follows_from_what_is_there(
    expected: RevisionKind, version: int, parts: dict[str, Any]
) -> None:
    """Data tells inserts and updates, dataHash a redaction from a delete (facts 1.4)."""
    revision = Revision(ADDRESS, b"r" * 32, make_metadata(version), **parts)
    assert expected is revision.kind
    assert revision.document_id == DOCUMENT_ID


def test_a_bare_hash_is_a_system_revision() -> None:
    """A revision without metadata belongs to the system, and has neither id nor data."""
    revision = Revision(ADDRESS, b"r" * 32)
    assert RevisionKind.SYSTEM is revision.kind
    assert revision.document_id is None
    assert revision.data is None


def test_data_decodes_once() -> None:
    """The document is decoded on first use, and then kept."""
    revision = Revision(ADDRESS, b"r" * 32, make_metadata(0), to_slice({"sku": "A-1"}))
    assert {"sku": "A-1"} == revision.data
    assert revision.data is revision.data


def test_no_repr_shows_a_document() -> None:
    """What a log prints of a revision holds no document contents."""
    secret = "very-secret-text"
    revision = Revision(ADDRESS, b"r" * 32, make_metadata(0), to_slice({"sku": secret}))
    assert secret not in repr(revision)
    assert secret not in repr(TransactionInfo(to_slice({"statements": [{"statement": secret}]})))


def test_transaction_info_reads_statements_and_documents() -> None:
    """Statements keep their order, and a repeated statement index stays repeated (facts 2.3)."""
    info = TransactionInfo(
        to_slice({"statements": [STATEMENT], "documents": {DOCUMENT_ID: DOCUMENT}})
    )
    assert (Statement("SELECT 1", NOW, b"d" * 32),) == info.statements
    table = TableInfo("Items", "4bCdEfGhIjKlMnOpQrStU2")
    assert {DOCUMENT_ID: DocumentInfo(table, (0, 1, 1))} == info.documents


@pytest.mark.parametrize("empty", [{}, {"statements": None, "documents": None}])
def test_transaction_info_may_lack_its_parts(empty: dict[str, Any]) -> None:
    """Absent and null parts both mean none (facts 2.1)."""
    info = TransactionInfo(to_slice(empty))
    assert () == info.statements
    assert {} == info.documents


def test_redaction_info_reads_revisions() -> None:
    """A redaction names address, table, document and version (facts 2.6)."""
    info = RedactionInfo(to_slice({"revisions": [REDACTED]}))
    expected = RedactedRevision(
        BlockAddress(ADDRESS.strand_id, 7), "4bCdEfGhIjKlMnOpQrStU2", DOCUMENT_ID, 2
    )
    assert (expected,) == info.revisions


def test_annotations_of_late_parts_are_looked_through() -> None:
    """Whatever the service never wrote is read all the same where Ion's readers allow it."""
    (value,) = iter_text(
        b"""{statements: [a::{statement: b::"SELECT 1", startTime: c::2024-05-06T07:08:09.123Z,
            statementDigest: {{ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ=}}}],
          documents: {d: e::{tableName: f::"Items", tableId: "i", statements: [g::0, 1]}}}"""
    )
    info = TransactionInfo(value)
    assert (Statement("SELECT 1", NOW, b"d" * 32),) == info.statements
    assert {"d": DocumentInfo(TableInfo("Items", "i"), (0, 1))} == info.documents


@pytest.mark.parametrize(
    ("path", "info"),
    [
        ("transactionInfo", TransactionInfo(to_slice([]))),
        ("transactionInfo.statements", TransactionInfo(to_slice({"statements": {}}))),
        ("transactionInfo.statements[0]", TransactionInfo(to_slice({"statements": [1]}))),
        (
            "transactionInfo.statements[0].statement",
            TransactionInfo(to_slice({"statements": [{}]})),
        ),
        (
            "transactionInfo.statements[0]",
            TransactionInfo(to_slice({"statements": [STATEMENT | {"statement": 1}]})),
        ),
    ],
)
def test_a_misshapen_statement_is_located(path: str, info: TransactionInfo) -> None:
    """A part of another type or without its fields is named by its path."""
    with pytest.raises(EnvelopeError) as caught:
        _ = info.statements
    assert path == caught.value.path


@pytest.mark.parametrize(
    ("path", "documents"),
    [
        ("transactionInfo.documents", []),
        ("transactionInfo.documents.D", {"D": 1}),
        ("transactionInfo.documents.D.tableName", {"D": {}}),
        ("transactionInfo.documents.D", {"D": DOCUMENT | {"statements": ["0"]}}),
        ("transactionInfo.documents.D", {"D": DOCUMENT | {"statements": 0}}),
    ],
)
def test_a_misshapen_document_is_located(path: str, documents: Any) -> None:
    """A document entry of another shape is named by its path."""
    with pytest.raises(EnvelopeError) as caught:
        _ = TransactionInfo(to_slice({"documents": documents})).documents
    assert path == caught.value.path


@pytest.mark.parametrize(
    ("path", "ion"),
    [
        ("redactionInfo", 1),
        ("redactionInfo.revisions", {}),
        ("redactionInfo.revisions", {"revisions": 1}),
        ("redactionInfo.revisions[0].blockAddress", {"revisions": [{}]}),
        ("redactionInfo.revisions[0]", {"revisions": [REDACTED | {"version": "2"}]}),
        (
            "redactionInfo.revisions[0].version",
            {"revisions": [{k: v for k, v in REDACTED.items() if k != "version"}]},
        ),
    ],
)
def test_a_misshapen_redaction_is_located(path: str, ion: Any) -> None:
    """A redaction of another shape is named by its path."""
    with pytest.raises(EnvelopeError) as caught:
        _ = RedactionInfo(to_slice(ion)).revisions
    assert path == caught.value.path


def test_a_block_answers_for_its_summary() -> None:
    """A block's address and hash are its summary's, and events are values."""
    summary = BlockSummary(None, ADDRESS, "tx", NOW, b"b" * 32, b"e" * 32, b"", ())
    block = Block(summary)
    assert (ADDRESS, b"b" * 32) == (block.address, block.block_hash)
    assert block == Block(attrs.evolve(summary))
    assert BlockAddress("A", 2) < BlockAddress("A", 10) < BlockAddress("B", 0)

"""The record envelope: what is mandatory, what is optional, what is kept aside."""

from __future__ import annotations

from typing import Final

import pytest

from qldb_stream.errors import EnvelopeError
from qldb_stream.events import (
    RevisionKind,
)
from qldb_stream.ion import iter_text, loads
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import (
    drop_field,
    edit_field,
)
from tests.parsers.records import (
    CONTROL,
    DETAILS,
    REDACTING,
    SUMMARY,
    details_of,
    refused,
    summary_of,
    with_element,
    with_leaf,
)

# --- mandatory parts ---


MANDATORY: Final = {
    CONTROL: ["qldbStreamArn", "recordType", "payload", "payload.controlRecordType"],
    SUMMARY: [
        "payload.blockAddress",
        "payload.blockAddress.strandId",
        "payload.blockAddress.sequenceNo",
        "payload.transactionId",
        "payload.blockTimestamp",
        "payload.blockHash",
        "payload.entriesHash",
        "payload.previousBlockHash",
        "payload.entriesHashList",
    ],
    DETAILS: [
        "payload.revision",
        "payload.tableInfo.tableName",
        "payload.tableInfo.tableId",
        "payload.revision.blockAddress",
        "payload.revision.blockAddress.strandId",
        "payload.revision.blockAddress.sequenceNo",
        "payload.revision.hash",
        "payload.revision.metadata",
        "payload.revision.metadata.id",
        "payload.revision.metadata.version",
        "payload.revision.metadata.txTime",
        "payload.revision.metadata.txId",
    ],
}
PATHS: Final = [(record, path) for record, paths in MANDATORY.items() for path in paths]


@pytest.mark.parametrize(("record", "path"), PATHS, ids=[path for _, path in PATHS])
def test_a_mandatory_part_is_missed(record: bytes, path: str) -> None:
    """Without a mandatory part the error names its path."""
    error = refused(drop_field(record, path))
    assert (path, "nothing") == (error.path, error.found)


@pytest.mark.parametrize(("record", "path"), PATHS, ids=[path for _, path in PATHS])
def test_a_mandatory_part_has_its_type(record: bytes, path: str) -> None:
    """A part of another type, null, or annotated is refused by its path."""
    symbol = loads(b"\xe0\x01\x00\xea\x71\x04")
    annotated = loads(b"\xe0\x01\x00\xea\xe4\x81\x84\x21\x07")
    for value, found in ((1.5, "float"), (None, "null.null"), (symbol, "symbol")):
        error = refused(edit_field(record, path, value))
        assert (path, found) == (error.path, error.found)
    assert "an annotated value" == refused(edit_field(record, path, annotated)).found


@pytest.mark.parametrize("count", [-1, -(2**40), 2**63, 2**200])
def test_numbers_have_a_range(count: int) -> None:
    """Sequence numbers and versions are those of a Java long, none negative."""
    for path in ("payload.revision.blockAddress.sequenceNo", "payload.revision.metadata.version"):
        error = refused(edit_field(DETAILS, path, count))
        assert (path, "int from 0 to 2**63-1") == (error.path, error.expected)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 200])
def test_digests_have_32_bytes(size: int) -> None:
    """A hash of another length is refused; only previousBlockHash may be empty."""
    for name in ("blockHash", "entriesHash", "previousBlockHash"):
        record = edit_field(SUMMARY, f"payload.{name}", bytes(size))
        if name == "previousBlockHash" and size == 0:
            assert b"" == summary_of(record).previous_block_hash
        else:
            assert (f"payload.{name}", f"one of {size}") == (
                refused(record).path,
                refused(record).found,
            )
    assert (
        "payload.revision.hash"
        == refused(edit_field(DETAILS, "payload.revision.hash", bytes(size))).path
    )
    listed = refused(with_element(SUMMARY, "entriesHashList", 2, bytes(size)))
    assert "payload.entriesHashList[2]" == listed.path
    leaf = refused(with_leaf(SUMMARY, hash=bytes(size)))
    assert "payload.revisionSummaries[0].hash" == leaf.path


def test_lists_hold_what_they_should() -> None:
    """An element of another type is refused by its index."""
    assert (
        "payload.entriesHashList[1]"
        == refused(with_element(SUMMARY, "entriesHashList", 1, "text")).path
    )
    assert (
        "payload.revisionSummaries[0]"
        == refused(with_element(SUMMARY, "revisionSummaries", 0, 7)).path
    )
    many = [bytes([n % 256]) * 32 for n in range(3000)]
    record = edit_field(SUMMARY, "payload.entriesHashList", many)
    assert tuple(many) == summary_of(record).entries_hash_list


def test_an_unknown_record_type_is_refused() -> None:
    """Only the three record types are known; what was found is not quoted."""
    types = "CONTROL, BLOCK_SUMMARY or REVISION_DETAILS"
    error = refused(edit_field(CONTROL, "recordType", "OTHER"))
    assert EnvelopeError("recordType", types, "another text of 5") == error


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ("[1]", "record", "list"),
        ("null.struct", "record", "null.struct"),
        ("a::{}", "record", "an annotated value"),
        ('{qldbStreamArn:"a",qldbStreamArn:"b"}', "record.qldbStreamArn", "two"),
        (
            '{qldbStreamArn:"a",recordType:"CONTROL",payload:{x:{},controlRecordType:"A",x:{}}}',
            "payload.x",
            "two",
        ),
    ],
)
def test_structs_are_structs_with_distinct_names(text: str, path: str, found: str) -> None:
    """Something else in a struct's place, or a name given twice, is refused."""
    data = text.encode() if text.startswith("{") else dumps_text(text)
    error = refused(data)
    assert (path, found) == (error.path, error.found)


def dumps_text(text: str) -> bytes:
    """Write Ion text as binary Ion."""
    return next(iter_text(text)).to_bytes()


# --- optional parts ---


@pytest.mark.parametrize("name", ["transactionInfo", "redactionInfo", "revisionSummaries"])
@pytest.mark.parametrize("is_null", [False, True])
def test_optional_parts_of_a_summary(name: str, *, is_null: bool) -> None:
    """They may be absent or null, and are struct or list otherwise."""
    path = f"payload.{name}"
    record = edit_field(REDACTING, path, None)
    summary = summary_of(record if is_null else drop_field(record, path))
    found = {
        "transactionInfo": summary.transaction_info,
        "redactionInfo": summary.redaction_info,
        "revisionSummaries": summary.revision_summaries or None,
    }
    assert [name] == [key for key, value in found.items() if value is None] or (
        found["revisionSummaries"] is None and found[name] is None
    )
    assert path == refused(edit_field(REDACTING, path, 5)).path
    assert () == summary.unknown_fields


@pytest.mark.parametrize("is_null", [False, True])
def test_optional_parts_of_a_revision(*, is_null: bool) -> None:
    """Table, data and data hash may be absent or null."""

    def without(record: bytes, path: str) -> bytes:
        return edit_field(record, path, None) if is_null else drop_field(record, path)

    assert details_of(without(DETAILS, "payload.tableInfo")).revision.table is None
    deleted = details_of(without(DETAILS, "payload.revision.data")).revision
    assert RevisionKind.DELETE is deleted.kind
    gone = without(DETAILS, "payload.revision.data")
    redacted = edit_field(gone, "payload.revision.dataHash", bytes(32))
    assert RevisionKind.REDACTED is details_of(redacted).revision.kind
    again = edit_field(DETAILS, "payload.revision.dataHash", None)
    assert RevisionKind.INSERT is details_of(again).revision.kind
    assert () == details_of(again).revision.unknown_fields


def test_optional_parts_have_their_types() -> None:
    """What is there must be what it should be."""
    for path, value in (
        ("payload.tableInfo", "Items"),
        ("payload.revision.data", [1]),
        ("payload.revision.dataHash", bytes(31)),
        ("payload.revision.dataHash", "no blob"),
    ):
        assert path == refused(edit_field(DETAILS, path, value)).path
    assert (
        "payload.revisionSummaries[0].documentId" == refused(with_leaf(SUMMARY, documentId=1)).path
    )


def test_a_document_may_be_annotated() -> None:
    """A document's annotations belong to it and are hashed with it."""
    data = loads(dumps_text("note::{a:1}"))
    revision = details_of(edit_field(DETAILS, "payload.revision.data", data)).revision
    assert revision.data_ion is not None
    assert ("note",) == revision.data_ion.annotations


def test_a_leaf_without_document_is_the_systems() -> None:
    """A revision summary may have a hash alone."""
    record = with_leaf(SUMMARY, documentId=...)
    assert summary_of(record).revision_summaries[0].document_id is None


# --- unknown parts ---


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("extra", "record.extra"),
        ("payload.extra", "payload.extra"),
        ("payload.tableInfo.extra", "tableInfo.extra"),
        ("payload.revision.extra", "extra"),
        ("payload.revision.blockAddress.extra", "blockAddress.extra"),
        ("payload.revision.metadata.extra", "metadata.extra"),
    ],
)
def test_unknown_fields_of_a_revision_are_named(path: str, name: str) -> None:
    """What the facts do not know breaks nothing and is named."""
    plain = details_of(DETAILS).revision
    revision = details_of(edit_field(DETAILS, path, {"deep": [1]})).revision
    assert (name,) == revision.unknown_fields
    assert (plain.hash, plain.data, plain.table) == (revision.hash, revision.data, revision.table)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("extra", "record.extra"),
        ("payload.extra", "extra"),
        ("payload.blockAddress.extra", "blockAddress.extra"),
        ("payload.revisions", "revisions"),
    ],
)
def test_unknown_fields_of_a_summary_are_named(path: str, name: str) -> None:
    """What the facts do not know breaks nothing and is named."""
    summary = summary_of(edit_field(SUMMARY, path, 1))
    assert (name,) == summary.unknown_fields
    assert summary_of(SUMMARY).revision_summaries == summary.revision_summaries
    assert ("revisionSummaries.extra",) == summary_of(with_leaf(SUMMARY, extra=1)).unknown_fields


def test_fields_of_unknown_text_are_named_as_ion_names_them() -> None:
    """A name that the symbol table does not tell is $0, and is not dropped in silence."""
    place = DETAILS.index(b"\x89tableInfo")
    damaged = DETAILS[:place] + b"\x99" + DETAILS[place + 1 :]
    revision = details_of(damaged).revision
    assert (None, ("payload.$0",)) == (revision.table, revision.unknown_fields)


def test_unknown_metadata_of_a_delete_is_named() -> None:
    """A revision with nothing but its mandatory parts says what is new in them, too."""
    deleted = drop_field(DETAILS, "payload.revision.data")
    record = edit_field(deleted, "payload.revision.metadata.extra", 1)
    assert ("metadata.extra",) == details_of(record).revision.unknown_fields


def test_unknown_fields_of_a_control_record_break_nothing() -> None:
    """It belongs to no block, and nothing of it is hashed."""
    control = edit_field(edit_field(CONTROL, "extra", 1), "payload.extra", 2)
    assert parse_record(CONTROL) == parse_record(control)

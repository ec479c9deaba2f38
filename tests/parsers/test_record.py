"""The record envelope: what is mandatory, what is optional, what is kept aside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import DecodeError, EnvelopeError, IonDecodeError
from qldb_stream.events import (
    BlockAddress,
    BlockSummary,
    ControlRecord,
    Event,
    RevisionDetails,
    RevisionKind,
    RevisionSummary,
    TableInfo,
)
from qldb_stream.ion import dumps, iter_text, load_slice, loads
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import (
    JournalShape,
    drop_field,
    edit_field,
    flip_bit,
    iter_flips,
    locate_field,
    make_journal,
)
from qldb_stream.testing.strategies import journals

BUSY: Final = JournalShape(redactions=0.5, system=0.5, deletes=0.3, empty=0.3)
RECORDS: Final = list(make_journal(11, blocks=40, shape=BUSY).iter_records())


def first(text: bytes) -> bytes:
    """Find the first of the journal's records that mentions something."""
    return next(record for record in RECORDS if text in record)


CONTROL: Final = first(b"CONTROL")
SUMMARY: Final = first(b"revisionSummaries")
DETAILS: Final = next(r for r in RECORDS if b"\x84data" in r and b"REVISION_DETAILS" in r)
REDACTING: Final = first(b"redactionInfo")


def refused(data: bytes) -> EnvelopeError:
    """Let a record be refused for its shape."""
    with pytest.raises(EnvelopeError) as caught:
        parse_record(data)
    return caught.value


def outcome(data: bytes) -> Event | type[DecodeError]:
    """Give what a record is read as, or how it is refused."""
    try:
        return parse_record(data)
    except DecodeError as exc:
        return type(exc)


def summary_of(data: bytes) -> BlockSummary:
    """Read a block summary."""
    event = parse_record(data)
    assert isinstance(event, BlockSummary)
    return event


def details_of(data: bytes) -> RevisionDetails:
    """Read revision details."""
    event = parse_record(data)
    assert isinstance(event, RevisionDetails)
    return event


def with_element(record: bytes, name: str, index: int, value: Any) -> bytes:
    """Replace an element of a list in a payload."""
    whole = loads(record)
    whole["payload"][name][index] = value
    return dumps(whole)


def with_leaf(record: bytes, **fields: Any) -> bytes:
    """Alter the first revision summary; a field becomes absent when it is ``...``."""
    leaf = loads(record)["payload"]["revisionSummaries"][0] | fields
    kept = {name: value for name, value in leaf.items() if value is not ...}
    return with_element(record, "revisionSummaries", 0, kept)


# --- what the service wrote ---


@pytest.fixture
def genuine(vectors: Path) -> list[bytes]:
    """The two user records of block 14, as the service wrote them."""
    return deaggregate((vectors / "kpl-14" / "aggregated.kpl").read_bytes())


def test_a_genuine_summary_is_read(genuine: list[bytes]) -> None:
    """Every fixed part of the service's summary becomes a value."""
    summary = summary_of(genuine[0])
    assert summary.stream_arn is not None
    assert summary.stream_arn.endswith(":stream/Attestations/AYj8gSIUcxiHijsjEKob30")
    assert BlockAddress("0VwGeHD7Q9LL4HSC55gDSp", 14) == summary.address
    assert "5pxmz8FD9Aj8Cbl5kuvXxP" == summary.transaction_id
    assert datetime(2021, 2, 9, 2, 16, 6, 242_000, UTC) == summary.block_timestamp
    assert "fd26243b46675803668115013a2652ae" == summary.block_hash.hex()[:32]
    assert 4 == len(summary.entries_hash_list)
    leaf = RevisionSummary(summary.entries_hash_list[1], "6WXz9wdajiY7K5u6YwGUN4")
    assert (leaf,) == summary.revision_summaries
    assert summary.transaction_info is not None
    assert ["INSERT INTO attestations ?"] == [
        statement.statement for statement in summary.transaction_info.statements
    ]
    assert summary.redaction_info is None
    assert () == summary.unknown_fields


def test_a_genuine_revision_is_read(genuine: list[bytes]) -> None:
    """Every fixed part of the service's revision becomes a value; data waits."""
    revision = details_of(genuine[1]).revision
    assert RevisionKind.INSERT is revision.kind
    assert TableInfo("attestations", "Kwo6oxtGUd14vHUepm7OvP") == revision.table
    assert revision.metadata is not None
    assert ("6WXz9wdajiY7K5u6YwGUN4", 0) == (revision.metadata.id, revision.metadata.version)
    assert datetime(2021, 2, 9, 2, 16, 6, 240_000, UTC) == revision.metadata.tx_time
    assert "5pxmz8FD9Aj8Cbl5kuvXxP" == revision.metadata.tx_id
    assert "some-target-123" == revision.data["targetId"]


def test_text_is_read_as_the_same_events(genuine: list[bytes], vectors: Path) -> None:
    """A record as Ion text is the same event as the record in binary."""
    folder = vectors / "kpl-14"
    texts = [
        (folder / name).read_bytes() for name in ("00.BLOCK_SUMMARY.ion", "01.REVISION_DETAILS.ion")
    ]
    assert [parse_record(record) for record in genuine] == [parse_record(text) for text in texts]
    assert parse_record(texts[0]) == parse_record(b"\xef\xbb\xbf \n" + texts[0])


@settings(max_examples=50)
@given(journals(any_documents=True))
def test_a_journal_is_read_as_its_blocks_say(journal: Any) -> None:
    """Records hold exactly the summaries and revisions of the blocks they were made of."""
    events = [parse_record(record) for record in journal.iter_records()]
    summaries = [event for event in events if isinstance(event, BlockSummary)]
    revisions = [event.revision for event in events if isinstance(event, RevisionDetails)]
    blocks = list(journal)
    assert [block.summary for block in blocks] == summaries
    assert [r for block in blocks for r in block.revisions if r.metadata] == revisions


def test_control_records_say_their_kind() -> None:
    """The first record of a stream is CONTROL CREATED."""
    event = parse_record(CONTROL)
    assert isinstance(event, ControlRecord)
    assert "CREATED" == event.kind


# --- every spelling of the same record ---


def reordered(value: Any) -> Any:
    """Turn the order of fields around, everywhere."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("record", RECORDS)
def test_the_order_of_fields_means_nothing(record: bytes) -> None:
    """Records with their fields in another order are the same events."""
    assert parse_record(record) == parse_record(dumps(reordered(loads(record))))


@pytest.mark.parametrize("record", RECORDS)
def test_padding_means_nothing(record: bytes) -> None:
    """NOP padding around the value changes no event."""
    padded = record[:4] + b"\x01\x00" + record[4:] + b"\x00"
    assert parse_record(record) == parse_record(padded)


@pytest.mark.parametrize("record", [SUMMARY, DETAILS, CONTROL, REDACTING])
def test_a_flip_is_read_alike_with_and_without_what_is_remembered(record: bytes) -> None:
    """What is remembered of earlier records never changes how one is read."""
    parse_record(record)
    for bit, flipped in iter_flips(record):
        # A record with padding after it is never compared with earlier ones.
        assert outcome(flipped + b"\x00") == outcome(flipped), bit
        parse_record(record)


def test_tables_do_not_get_mixed_up() -> None:
    """Records of many tables and streams, told in turns, keep their own names."""
    for table in ("A", "B", "A", "C" * 20, "D" * 20, "A"):
        for arn in ("arn:one", "arn:two"):
            record = edit_field(DETAILS, "payload.tableInfo.tableName", table)
            record = edit_field(record, "qldbStreamArn", arn)
            details = details_of(record)
            assert details.revision.table is not None
            assert (table, arn) == (details.revision.table.table_name, details.stream_arn)


def test_many_shapes_of_records_are_read() -> None:
    """More kinds of records than are remembered are read all the same."""
    for count in range(300):
        name = "f" * (count + 1)
        record = edit_field(DETAILS, f"payload.revision.data.{name}", count)
        assert count == details_of(record).revision.data[name]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payload.revision.metadata.version", 2**31),
        ("payload.revision.metadata.version", 2**63 - 1),
        ("payload.revision.blockAddress.sequenceNo", 2**55),
        ("payload.revision.blockAddress.sequenceNo", 2**63 - 1),
        ("payload.revision.blockAddress.strandId", "short"),
        ("payload.revision.metadata.id", "ümlaut"),
        ("payload.revision.metadata.txTime", datetime(2024, 1, 2, 3, 4, 5, 678_901, UTC)),
        ("payload.tableInfo.tableName", "ä" * 70),
        ("payload.tableInfo.tableId", ""),
        ("qldbStreamArn", "a" * 20_000),
    ],
)
def test_uncommon_values_are_read(path: str, value: Any) -> None:
    """Values that the service would spell in another way are read as well."""
    record = edit_field(DETAILS, path, value)
    details = details_of(record)
    revision = details.revision
    assert revision.metadata is not None
    assert revision.table is not None
    assert value in (
        revision.metadata.version,
        revision.metadata.id,
        revision.metadata.tx_time,
        revision.address.sequence_no,
        revision.address.strand_id,
        revision.table.table_name,
        revision.table.table_id,
        details.stream_arn,
    )


def test_padded_numbers_are_read() -> None:
    """Zeros in front of an int change nothing, however many."""
    place = DETAILS.index(b"\x85\x20", DETAILS.rindex(b"\x8e\x96") - 40)
    for padded in (b"\x21\x07", b"\x28" + bytes(7) + b"\x07", b"\x2b" + bytes(10) + b"\x07"):
        more = len(padded) - 1
        metadata = DETAILS.rindex(b"\xde", 0, place)
        grown = DETAILS[: metadata + 1] + bytes([DETAILS[metadata + 1] + more])
        grown += DETAILS[metadata + 2 : place + 1] + padded + DETAILS[place + 2 :]
        assert 7 == _version_of(grown, metadata, more)


def _version_of(record: bytes, metadata: int, more: int) -> int:
    """Read the version of a record whose metadata grew, all structs around it with it."""
    for start in sorted(_structs_around(record, metadata)):
        length = (record[start + 1] << 7 | record[start + 2] & 0x7F) + more
        long = bytes([length >> 7, 0x80 | length & 0x7F])
        record = record[: start + 1] + long + record[start + 3 :]
    revision = details_of(record).revision
    assert revision.metadata is not None
    return revision.metadata.version


def _structs_around(record: bytes, inner: int) -> set[int]:
    """Find the type bytes of envelope, payload and revision, which have two length bytes."""
    value = load_slice(DETAILS)
    found = {value.start}
    for path in ("payload", "payload.revision"):
        found.add(locate_field(DETAILS, path)[0])
    assert all(start < inner for start in found)
    return found


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


def test_unknown_fields_of_other_parts_break_nothing() -> None:
    """Fields beside those of a control record or an address are passed over."""
    control = edit_field(edit_field(CONTROL, "extra", 1), "payload.extra", 2)
    assert parse_record(CONTROL) == parse_record(control)
    address = details_of(edit_field(DETAILS, "payload.revision.blockAddress.extra", 1))
    assert details_of(DETAILS).revision.address == address.revision.address


# --- no record at all ---


@pytest.mark.parametrize("record", [SUMMARY, DETAILS])
def test_a_record_cut_anywhere_is_refused(record: bytes) -> None:
    """No beginning of a record passes for a record."""
    for end in range(len(record)):
        with pytest.raises(DecodeError):
            parse_record(record[:end])


@pytest.mark.parametrize("record", [SUMMARY, DETAILS])
def test_a_second_value_is_refused(record: bytes) -> None:
    """A record is exactly one value."""
    for more in (record, b"\x0f", b"\x21\x01"):
        with pytest.raises(IonDecodeError):
            parse_record(record + more)


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    """Law 4: whatever is fed, it is an event or a DecodeError."""
    for start in (b"", b"\xe0\x01\x00\xea", b"{", b"$ion_1_0 {"):
        with suppress(DecodeError):
            parse_record(start + data)


@given(st.data())
def test_flipped_records_raise_nothing_else(data: st.DataObject) -> None:
    """Law 4 close to sound records: several bits flipped at once."""
    record = data.draw(st.sampled_from([CONTROL, SUMMARY, DETAILS, REDACTING]))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(record) - 1), max_size=8)):
        record = flip_bit(record, bit)
    with suppress(DecodeError):
        parse_record(record)


@pytest.mark.parametrize(
    "text",
    [b"", b"hello", b"{} {}", b"{", b"/* only a comment */", b"\xff\xfe", b"{a:1} trailing"],
)
def test_text_that_is_no_record_is_refused(text: bytes) -> None:
    """Text with no value, or several, or none of Ion, is not sound Ion."""
    with pytest.raises(IonDecodeError):
        parse_record(text)


def test_broken_bytes_in_fixed_parts_are_ion_errors() -> None:
    """What breaks Ion itself is an IonDecodeError, not one of shape."""
    place = DETAILS.index(b"REVISION_DETAILS")
    with pytest.raises(IonDecodeError):
        parse_record(DETAILS[:place] + b"\xff" + DETAILS[place + 1 :])
    number = DETAILS.rindex(b"\x8e\x96")  # the last id of metadata
    with pytest.raises(IonDecodeError):
        parse_record(DETAILS[: number + 2] + b"\xff" + DETAILS[number + 3 :])


def bad_times() -> Iterator[bytes]:
    """Make timestamps that name no moment: month 13, day 0, second 60 and so on."""
    start = SUMMARY.index(b"\x6b\x80")
    for offset, value in ((4, 0x8D), (5, 0x80), (6, 0x98), (7, 0xBC), (8, 0xBC), (10, 0x7F)):
        yield SUMMARY[: start + offset] + bytes([value]) + SUMMARY[start + offset + 1 :]


def test_a_time_that_does_not_exist_is_an_ion_error() -> None:
    """Dates and fractions out of range are refused by Ion's reader."""
    for record in bad_times():
        with pytest.raises(IonDecodeError):
            parse_record(record)

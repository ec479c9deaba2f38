"""The record envelope: what the service wrote, and every spelling of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from qldb_stream.events import (
    BlockAddress,
    BlockSummary,
    ControlRecord,
    RevisionDetails,
    RevisionKind,
    RevisionSummary,
    TableInfo,
)
from qldb_stream.ion import dumps, load_slice, loads
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import (
    edit_field,
    iter_flips,
    locate_field,
)
from qldb_stream.testing.strategies import journals
from tests.parsers.records import (
    CONTROL,
    DETAILS,
    RECORDS,
    REDACTING,
    SUMMARY,
    details_of,
    outcome,
    summary_of,
)

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

"""The journal as stream records: what the ledger writes, the parsers read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_kinesis_agg import deaggregator

from qldb_stream import BlockAssembler, deaggregate, parse_record
from qldb_stream.errors import UsageError
from qldb_stream.events import (
    NEED_MORE,
    BlockSummary,
    ControlRecord,
    Event,
    RevisionDetails,
)
from qldb_stream.ion import load_slice, read_struct
from qldb_stream.ledger import Ledger
from qldb_stream.ledger._kpl import MAX_RECORD_BYTES, aggregate, iter_frames
from qldb_stream.ledger._stream import SETTLING_MS
from qldb_stream.testing.vehicle_registration import tell_story
from tests.ledger.support import NOON_MS, Clock, make_cars, memory, run


def events(ledger: Ledger, *, aggregated: bool, start: int = 0) -> list[Event]:
    """The stream's events."""
    return [
        parse_record(data)
        for record in ledger.stream_records(start, aggregated=aggregated)
        for data in deaggregate(record)
    ]


def test_both_forms_hold_the_same_records() -> None:
    """Aggregated or not, a stream says the same in the same order."""
    with Ledger.open(":memory:") as ledger:
        list(tell_story(ledger.driver(), seed=2, vehicles=4))
        plain = list(ledger.stream_records(aggregated=False))
        joined = [data for one in ledger.stream_records() for data in deaggregate(one)]
        assert plain == joined
        assert len(list(ledger.stream_records())) < len(plain)


def test_a_stream_begins_with_its_control_record() -> None:
    """Then each block is a summary and its revisions, in order (facts 1.6)."""
    with memory(name="cars") as ledger:
        make_cars(ledger, "A", "B")
        control, *rest = events(ledger, aggregated=True)
        arn = f"arn:aws:qldb:us-east-1:000000000000:stream/cars/{'2'.zfill(22)}"
        assert ControlRecord(arn, "CREATED") == control
        kinds = [type(event) for event in rest]
        assert [BlockSummary] * 2 + [BlockSummary, RevisionDetails] * 2 == kinds
        assert {arn} == {event.stream_arn for event in rest}


def test_a_stream_may_start_later() -> None:
    """From a block's number on; beyond the end there is only the control record."""
    with memory() as ledger:
        make_cars(ledger, "A", "B")
        summaries = [
            e for e in events(ledger, aggregated=False, start=3) if isinstance(e, BlockSummary)
        ]
        assert [3] == [summary.address.sequence_no for summary in summaries]
        assert 1 == len(events(ledger, aggregated=True, start=4))
        assert [2, 3] == [block.address.sequence_no for block in ledger.blocks(2)]


def test_the_assembler_makes_the_ledgers_blocks_of_it() -> None:
    """Events joined again are the blocks that the ledger itself gives."""
    with memory() as ledger:
        make_cars(ledger, "A", "B")
        run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'A'")
        assembler = BlockAssembler()
        found = []
        for event in events(ledger, aggregated=True):
            assembler.feed(event)
            while (block := assembler.next_block()) is not NEED_MORE:
                found.append(block)
        expected = list(ledger.blocks())
        assert [block.revisions for block in expected] == [block.revisions for block in found]
        assert [block.block_hash for block in expected] == [block.block_hash for block in found]


def test_a_table_keeps_its_name_in_the_stream() -> None:
    """Table name and id stand with each revision, after the table was dropped too."""
    with memory() as ledger:
        make_cars(ledger, "A")
        (dropped,) = run(ledger, "DROP TABLE Car")
        details = [e for e in events(ledger, aggregated=False) if isinstance(e, RevisionDetails)]
        (table,) = {event.revision.table for event in details}
        assert table is not None
        assert ("Car", dropped["tableId"]) == (table.table_name, table.table_id)


def test_a_record_has_the_services_fields_in_its_order() -> None:
    """Envelope, payload, revision: as the service wrote them (facts 1.1, 1.4)."""
    with memory() as ledger:
        make_cars(ledger, "A")
        *_, last = ledger.stream_records(aggregated=False)
        record = read_struct(load_slice(last))
        assert ["qldbStreamArn", "recordType", "payload"] == list(record)
        payload = read_struct(record["payload"])
        assert ["tableInfo", "revision"] == list(payload)
        assert ["tableName", "tableId"] == list(read_struct(payload["tableInfo"]))
        revision = read_struct(payload["revision"])
        assert ["blockAddress", "hash", "data", "metadata"] == list(revision)
        assert ["id", "version", "txTime", "txId"] == list(read_struct(revision["metadata"]))


def test_frames_are_cut_at_what_kinesis_takes() -> None:
    """Records that do not fit together are spread; a lone one stays raw; none is lost."""
    sizes = [10, 500_000, 400_000, 200_000, 1_000_000, 5, 1_200_000]
    records = [(f"key{n}", bytes([n]) * size) for n, size in enumerate(sizes)]
    frames = list(iter_frames(records))
    assert records == [record for frame in frames for record in frame]
    assert all(len(aggregate(frame)) <= MAX_RECORD_BYTES for frame in frames[:-1])
    assert [records[-1]] == frames[-1]
    assert 4 == len(frames)
    assert [] == list(iter_frames([]))


@pytest.mark.parametrize("count", [2, 130, 20_000])
def test_frames_of_many_records(count: int) -> None:
    """Indexes and lengths beyond one byte are written as protobuf wants them."""
    records = [(f"key{n}", str(n).encode()) for n in range(count)]
    assert [data for _, data in records] == deaggregate(aggregate(records))


def test_our_frames_are_read_by_the_public_package() -> None:
    """aws-kinesis-agg, the peer, finds the same records under the same keys."""
    with memory() as ledger:
        make_cars(ledger, "A")
        *_, frame = ledger.stream_records()
        (block,) = ledger.blocks(2)
        record = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "a",
                "sequenceNumber": "1",
                "approximateArrivalTimestamp": 1.0,
                "data": base64.b64encode(frame).decode(),
            }
        }
        found = list(deaggregator.deaggregate_records(record))
        keys = [one["kinesis"]["partitionKey"] for one in found]
        assert [block.block_hash.hex(), block.revisions[0].hash.hex()] == keys
        data = [base64.b64decode(one["kinesis"]["data"]) for one in found]
        assert deaggregate(frame) == data


# --- times, and where records go -------------------------------------------------------------


def at(ms: int) -> datetime:
    """A moment some milliseconds after the first block."""
    return datetime(2024, 5, 6, 12, tzinfo=UTC) + timedelta(milliseconds=ms)


@pytest.fixture
def hourly() -> Iterator[Ledger]:
    """A ledger with a block at 0, 1000, 1000 and 2000 ms, a minute ago."""
    clock = Clock()
    with memory(clock) as ledger:
        for n, ms in enumerate((0, 1000, 1000, 2000)):
            clock.now_ms = NOON_MS + ms
            run(ledger, f"CREATE TABLE T{n}")
        clock.now_ms = NOON_MS + 60_000
        yield ledger


def told(ledger: Ledger, **chosen: Any) -> list[int | str | None]:
    """The numbers of the blocks in a stream, and the kinds of its control records."""
    return [part.control or part.sequence_no for part in ledger.stream_parts(**chosen)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ["CREATED", 0, 1, 2, 3]),
        (at(0), None, ["CREATED", 0, 1, 2, 3]),
        (at(1), None, ["CREATED", 1, 2, 3]),
        (at(1000), at(2000), ["CREATED", 1, 2, "COMPLETED"]),
        (at(1001), at(2001), ["CREATED", 3, "COMPLETED"]),
        (None, at(0), ["CREATED", "COMPLETED"]),
        (at(2001), at(9000), ["CREATED", "COMPLETED"]),
        (None, at(60_000), ["CREATED", 0, 1, 2, 3]),
        (None, at(3_600_000), ["CREATED", 0, 1, 2, 3]),
    ],
)
def test_times_choose_blocks(
    hourly: Ledger, start: datetime | None, end: datetime | None, expected: list[int | str]
) -> None:
    """From the start on, before the end; COMPLETED when no more can come (facts 1.2, 1.6)."""
    assert expected == told(hourly, start_time=start, end_time=end)
    completed = ["COMPLETED"] if expected[-1] == "COMPLETED" else []
    last = [
        event.kind
        for record in hourly.stream_records(start_time=start, end_time=end)
        for event in map(parse_record, deaggregate(record))
        if isinstance(event, ControlRecord)
    ]
    assert ["CREATED", *completed] == last


def test_a_number_and_a_time_hold_both(hourly: Ledger) -> None:
    """A stream that goes on after a block still keeps to its times."""
    assert ["CREATED", 2, "COMPLETED"] == told(
        hourly, start=2, start_time=at(1000), end_time=at(2000)
    )
    assert ["CREATED", 1, 2, 3] == told(hourly, start=-5, start_time=at(1000))


def test_an_end_is_waited_out() -> None:
    """A block that was sealed before the end may become durable a moment after it."""
    clock = Clock()
    with memory(clock) as ledger:
        run(ledger, "CREATE TABLE T")
        clock.now_ms = NOON_MS + 1000 + SETTLING_MS - 1
        assert ["CREATED", 0] == told(ledger, end_time=at(1000))
        clock.now_ms += 1
        assert ["CREATED", 0, "COMPLETED"] == told(ledger, end_time=at(1000))


def test_times_that_make_no_sense_are_refused(hourly: Ledger) -> None:
    """As the service did: no start in the future, none after the end; and no naive times."""
    with pytest.raises(UsageError, match="in the future"):
        told(hourly, start_time=at(60_001))
    with pytest.raises(UsageError, match="before its end time"):
        told(hourly, start_time=at(5), end_time=at(5))
    with pytest.raises(UsageError, match="has an offset"):
        told(hourly, end_time=datetime(2024, 5, 6))  # noqa: DTZ001 - that is the point


def test_records_name_their_places() -> None:
    """Raw records go by their hashes; a frame goes where its first record would (facts 1.5)."""
    with memory() as ledger:
        make_cars(ledger, "A")
        *_, frame = ledger.stream_parts()
        *_, raw = ledger.stream_parts(aggregated=False)
        (block,) = ledger.blocks(2)
        keys = [block.block_hash.hex(), block.revisions[0].hash.hex()]
        assert keys == [record.partition_key for record in raw.records]
        assert {None} == {record.explicit_hash_key for record in raw.records}
        (only,) = frame.records
        place = int(hashlib.md5(keys[0].encode(), usedforsecurity=False).hexdigest(), 16)
        assert ("a", str(place)) == (only.partition_key, only.explicit_hash_key)


def test_a_stream_has_an_id_of_its_own() -> None:
    """Who streams a ledger twice tells the streams apart by their ARNs."""
    with memory(name="cars") as ledger:
        (control,) = ledger.stream_parts(stream_id="9aBcDeFgHiJkLmNoPqRsT1")
        event = parse_record(control.records[0].data)
        arn = "arn:aws:qldb:us-east-1:000000000000:stream/cars/9aBcDeFgHiJkLmNoPqRsT1"
        assert ControlRecord(arn, "CREATED") == event

"""The journal as stream records: what the ledger writes, the parsers read."""

from __future__ import annotations

import base64

import pytest
from aws_kinesis_agg import deaggregator

from qldb_stream import BlockAssembler, deaggregate, parse_record
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
from qldb_stream.testing.vehicle_registration import tell_story
from tests.ledger.support import make_cars, memory, run


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
    assert [data for _, data in records] == [d for frame in frames for d in deaggregate(frame)]
    assert all(len(frame) <= MAX_RECORD_BYTES for frame in frames[:-1])
    assert records[-1][1] == frames[-1]
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

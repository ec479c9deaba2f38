"""From a Kinesis record to typed events, and on to a recomputed revision hash."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

from aws_kinesis_agg import deaggregator

from benchmarks import _peers
from benchmarks._timing import Row, best_us, ratio_row
from qldb_stream import deaggregate, parse_record
from qldb_stream.events import Revision, RevisionDetails
from qldb_stream.hashing import dot
from qldb_stream.testing import aggregate, make_journal

RECORDS = 300


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    _peers.load_ionhash()
    details, summaries = _sample()
    return [
        *_events_rows("revision record", details, 3.0),
        *_events_rows("block record", summaries, 2.0),
        *_hash_rows(details),
        _kpl_row(details),
    ]


def _sample() -> tuple[list[bytes], list[bytes]]:
    """Take revision and block records of a synthetic journal, as many of each."""
    details: list[bytes] = []
    summaries: list[bytes] = []
    for written in make_journal(7, blocks=RECORDS * 3).iter_block_records():
        summaries.append(written[0])
        details.extend(r for r in written[1:] if _has_data(r))
    return details[:RECORDS], summaries[-RECORDS:]


def _has_data(record: bytes) -> bool:
    event = parse_record(record)
    return isinstance(event, RevisionDetails) and event.revision.data_ion is not None


def _events_rows(what: str, records: Sequence[bytes], target: float) -> list[Row]:
    frames = [aggregate([record]) for record in records]
    kinesis = [{"Data": frame, "PartitionKey": "a", "SequenceNumber": "1"} for frame in frames]
    size = sum(map(len, records)) // len(records)

    def ours() -> None:
        for frame in frames:
            for record in deaggregate(frame):
                parse_record(record)

    def ours_decoded() -> None:
        for frame in frames:
            for record in deaggregate(frame):
                event = parse_record(record)
                if isinstance(event, RevisionDetails):
                    _ = event.revision.data
                else:
                    _decode_summary(event)

    def peer() -> None:
        for user_record in deaggregator.deaggregate_records(kinesis):
            _peers.loads(user_record["Data"])

    times = best_us({"ours": ours, "decoded": ours_decoded, "peer": peer}, len(records))
    return [
        ratio_row(f"{what} of {size} bytes -> event", times["ours"], times["peer"], target),
        ratio_row(f"{what}, late parts decoded too", times["decoded"], times["peer"], None),
    ]


def _decode_summary(event: Any) -> None:
    info = event.transaction_info
    if info is not None:
        _ = info.statements, info.documents


def _hash_rows(records: Sequence[bytes]) -> list[Row]:
    def ours() -> None:
        for record in records:
            event = parse_record(record)
            assert isinstance(event, RevisionDetails)
            assert _revision_hash(event.revision) == event.revision.hash

    def peer() -> None:
        for record in records:
            revision = _peers.loads(record)["payload"]["revision"]
            _peer_dot(_peers.ion_hash(revision["metadata"]), _peers.ion_hash(revision["data"]))

    times = best_us({"ours": ours, "peer": peer}, len(records))
    return [ratio_row("parse + revision hash", times["ours"], times["peer"], 4.0)]


def _revision_hash(revision: Revision) -> bytes:
    assert revision.metadata is not None
    assert revision.data_ion is not None
    return dot(revision.metadata.ion.hash(), revision.data_ion.hash())


def _peer_dot(left: bytes, right: bytes) -> bytes:
    """Join two digests the way AWS's sample does (signed bytes, from the last)."""
    for one, other in zip(reversed(left), reversed(right), strict=True):
        if one != other:
            ordered = (((one ^ 0x80) < (other ^ 0x80)) and left + right) or right + left
            return sha256(ordered).digest()
    return sha256(left + right).digest()


def _kpl_row(records: Sequence[bytes]) -> Row:
    """Compare de-aggregation alone, from what a Lambda event carries."""
    frames = [aggregate(batch) for batch in _batches(records, 10)]
    event = [
        {"kinesis": {"data": b64encode(frame).decode(), "partitionKey": "a", "sequenceNumber": "1"}}
        for frame in frames
    ]

    def ours() -> None:
        _count(deaggregate(_b64decode(record["kinesis"]["data"])) for record in event)

    def peer() -> None:
        _count([deaggregator.deaggregate_records(event)])

    times = best_us({"ours": ours, "peer": peer}, len(records))
    return ratio_row("KPL alone, from a Lambda event", times["ours"], times["peer"], 1.5)


def _batches(records: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    return [records[i : i + size] for i in range(0, len(records), size)]


def _count(lists: Iterable[Sequence[Any]]) -> int:
    return sum(len(each) for each in lists)


def _b64decode(text: str) -> bytes:
    from binascii import a2b_base64

    decode: Callable[[str], bytes] = a2b_base64
    return decode(text)

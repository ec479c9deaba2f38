"""From a Kinesis record to typed events, and on to a recomputed revision hash."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256

from aws_kinesis_agg import deaggregator

from benchmarks import _peers
from benchmarks._timing import Row, best_us, ratio_row
from qldb_stream import deaggregate, parse_kinesis_event, parse_record
from qldb_stream.events import BlockSummary, Revision, RevisionDetails
from qldb_stream.hashing import dot
from qldb_stream.testing import aggregate, get_records_answer, lambda_event, make_journal

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
    answer = get_records_answer([aggregate([record]) for record in records])
    size = sum(map(len, records)) // len(records)

    def ours() -> None:
        for _ in parse_kinesis_event(answer):
            pass

    def ours_decoded() -> None:
        for found in parse_kinesis_event(answer):
            if isinstance(found, RevisionDetails):
                _ = found.revision.data
            elif isinstance(found, BlockSummary) and found.transaction_info is not None:
                _ = found.transaction_info.statements, found.transaction_info.documents

    def peer() -> None:
        found = deaggregator.iter_deaggregate_records(answer["Records"], data_format="Boto3")
        for user_record in found:
            _peers.loads(b64decode(user_record["kinesis"]["data"]))  # it encodes them again

    times = best_us({"ours": ours, "decoded": ours_decoded, "peer": peer}, len(records))
    return [
        ratio_row(f"{what} of {size} bytes -> event", times["ours"], times["peer"], target),
        ratio_row("  with all that decodes late", times["decoded"], times["peer"], None),
    ]


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
    event = lambda_event([aggregate(batch) for batch in _batches(records, 10)])

    def ours() -> None:
        for record in event["Records"]:
            deaggregate(b64decode(record["kinesis"]["data"]))

    def peer() -> None:
        deaggregator.deaggregate_records(event["Records"])

    times = best_us({"ours": ours, "peer": peer}, len(records))
    return ratio_row("KPL alone, from a Lambda event", times["ours"], times["peer"], 1.5)


def _batches(records: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    return [records[i : i + size] for i in range(0, len(records), size)]

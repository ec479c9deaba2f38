"""
The journal as the records of a QLDB stream (facts 1.1 to 1.5).

Strategy: a block is stored as the payload of its BLOCK_SUMMARY, with a symbol table that
has the envelope's names too, so its record is joined from bytes. A revision's record is
encoded anew around its stored document. A record's partition key is the hash of its
block or revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any, Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ion import dumps, load_slice
from qldb_stream.ledger._damage import reading
from qldb_stream.ledger._ion import STRUCT, field_id, ion_string, wrap
from qldb_stream.ledger._kpl import Keyed, aggregate, iter_frames
from qldb_stream.ledger._merkle import node_of
from qldb_stream.ledger._shapes import revision_struct
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import Store, StoredBlock, StoredRevision

__all__ = [
    "SETTLING_MS",
    "KinesisRecord",
    "StreamPart",
    "StreamRange",
    "choose_range",
    "iter_parts",
]

_STREAM_ARN: Final = field_id("qldbStreamArn")
_RECORD_TYPE: Final = field_id("recordType")
_PAYLOAD: Final = field_id("payload")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# KPL's dummy, the key of its frames (facts 1.5). The control records' key is not known.
_DUMMY_KEY: Final = "a"

SETTLING_MS: Final = 5_000
"""
How long after a stream's end a block that was sealed before it may still become durable: a
commit takes milliseconds, a group of them rarely a second.
"""


@attrs.frozen
class KinesisRecord:
    """
    A record as it is put on Kinesis.

    Attributes:
        data: at most 1 MiB when its parts allow it.
        partition_key: the hash of its block or revision in hex; "a" for a KPL frame.
        explicit_hash_key: what chooses a frame's shard, a decimal number below 2**128; None
            where the partition key does.
    """

    data: bytes
    partition_key: str
    explicit_hash_key: str | None = None


@attrs.frozen
class StreamPart:
    """
    What a stream says in one go: all records of a block, or a control record.

    Attributes:
        sequence_no: the block's number; None for a control record.
        control: CREATED or COMPLETED; None for a block.
        records: in order.
    """

    sequence_no: int | None
    control: str | None
    records: tuple[KinesisRecord, ...]


@attrs.frozen
class StreamRange:
    """
    Which blocks a stream carries: from a number on, and by time (facts 1.6).

    Attributes:
        start: the first block's number, at least.
        start_ms: the earliest blockTimestamp; None for any.
        end_ms: what blockTimestamp stays below; None for ever.
    """

    start: int = 0
    start_ms: int | None = None
    end_ms: int | None = None


def choose_range(
    start: int, start_time: datetime | None, end_time: datetime | None, now_ms: int
) -> StreamRange:
    """
    Check a stream's times as the service did (facts 1.6).

    Raises:
        UsageError: a time without offset, a start in the future or not before the end.
    """
    start_ms, end_ms = _to_ms(start_time), _to_ms(end_time)
    if start_ms is not None and start_ms > now_ms:
        raise UsageError("a stream's start time is in the future")
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise UsageError("a stream's start time is before its end time")
    return StreamRange(start, start_ms, end_ms)


def _to_ms(moment: datetime | None) -> int | None:
    """Round up, because blocks have milliseconds: what is not before the one is not before both."""
    if moment is None:
        return None
    if moment.utcoffset() is None:
        raise UsageError(f"a stream's time has an offset, such as {moment.isoformat()}Z")
    return -((_EPOCH - moment) // timedelta(milliseconds=1))


def iter_parts(
    store: Store,
    state: State,
    stream_arn: str,
    chosen: StreamRange,
    *,
    now_ms: int,
    aggregated: bool,
) -> Iterator[StreamPart]:
    """
    Iterate over a stream: CREATED, the blocks that there are, COMPLETED when no more can come.

    Args:
        store: where the blocks are.
        state: where the journal ends.
        stream_arn: what the records say they come from.
        chosen: which blocks.
        now_ms: the time, taken before the state.
        aggregated: join a block's records into KPL frames; a lone one stays raw.
    """
    yield _control_part(stream_arn, "CREATED")
    first = max(chosen.start, 0)
    if chosen.start_ms is not None:
        first = max(first, store.first_block_at(chosen.start_ms, state.size))
    for block in store.iter_blocks(first, state.size):
        if chosen.end_ms is not None and block.timestamp_ms >= chosen.end_ms:
            break
        revisions = store.block_revisions(block)
        with reading(store.path, f"block {block.sequence_no}"):
            records = _block_records(revisions, block, state, stream_arn)
        carried = tuple(_carry(records) if aggregated else _carry_raw(records))
        yield StreamPart(block.sequence_no, None, carried)
    if chosen.end_ms is not None and _is_over(state, chosen.end_ms, now_ms):
        yield _control_part(stream_arn, "COMPLETED")


def _is_over(state: State, end_ms: int, now_ms: int) -> bool:
    """Tell whether no block before the end can come any more."""
    return state.last_ms >= end_ms or now_ms >= end_ms + SETTLING_MS


def _control_part(stream_arn: str, kind: str) -> StreamPart:
    control = {
        "qldbStreamArn": stream_arn,
        "recordType": "CONTROL",
        "payload": {"controlRecordType": kind},
    }
    return StreamPart(None, kind, (KinesisRecord(dumps(control), _DUMMY_KEY),))


def _block_records(
    revisions: list[StoredRevision], block: StoredBlock, state: State, stream_arn: str
) -> list[Keyed]:
    records = [(node_of(block.nodes, 0).hex(), _summary_record(block, stream_arn))]
    for revision in revisions:
        payload = _revision_payload(revision, block, state)
        records.append((revision.hash.hex(), _details_record(payload, stream_arn)))
    return records


def _carry(records: list[Keyed]) -> Iterator[KinesisRecord]:
    """
    Join records into frames.

    A frame's partition key says nothing, so KPL names its place besides: that of its first
    record, by the hash that Kinesis takes of partition keys, MD5.
    """
    for frame in iter_frames(records):
        key, data = frame[0]
        if len(frame) == 1:
            yield KinesisRecord(data, key)
        else:
            place = int.from_bytes(md5(key.encode(), usedforsecurity=False).digest())
            yield KinesisRecord(aggregate(frame), _DUMMY_KEY, str(place))


def _carry_raw(records: list[Keyed]) -> Iterator[KinesisRecord]:
    for key, data in records:
        yield KinesisRecord(data, key)


def _summary_record(block: StoredBlock, stream_arn: str) -> bytes:
    start = load_slice(block.summary).start
    body = (
        _STREAM_ARN
        + ion_string(stream_arn)
        + _RECORD_TYPE
        + ion_string("BLOCK_SUMMARY")
        + _PAYLOAD
        + block.summary[start:]
    )
    return block.summary[:start] + wrap(STRUCT, body)


def _details_record(payload: dict[str, Any], stream_arn: str) -> bytes:
    return dumps(
        {"qldbStreamArn": stream_arn, "recordType": "REVISION_DETAILS", "payload": payload}
    )


def _revision_payload(revision: StoredRevision, block: StoredBlock, state: State) -> dict[str, Any]:
    """Give table and revision, fields in the service's order (facts 1.4)."""
    table = state.catalog.by_no[revision.table_no]
    return {
        "tableInfo": {"tableName": table.name, "tableId": table.id},
        "revision": revision_struct(revision, block.transaction_id, state.strand_id),
    }

"""
Kinesis records, as boto3 and the AWS CLI return them and as a Lambda event carries them.

Strategy: the three forms differ only in where a record's data is and whether it is in
base64. Each data is taken out of its KPL frame and each user record is parsed; a bad
one costs itself and, inside a frame whose MD5 does not fit, its frame.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from qldb_stream.errors import CarrierError, DecodeError, UsageError
from qldb_stream.events import Event, Undecodable
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record

__all__ = ["decode_base64", "find_data", "parse_kinesis_event"]

_FORMS: Final = (
    'a get_records answer {"Records": [{"Data": ...}]}, a Lambda event '
    '{"Records": [{"kinesis": {"data": ...}}]}, or the list of its records'
)


def parse_kinesis_event(
    event: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    on_error: Callable[[Undecodable], None] | None = None,
) -> Iterator[Event]:
    """
    Read every user record of a batch of Kinesis records, lazily, in order.

    Args:
        event: boto3's `get_records` answer (data as bytes), the same as JSON (data in
            base64), a Lambda event (base64), or the list of their records.
        on_error: is handed each part that cannot be read; the rest goes on. The part's
            `source` names the record by its index in the batch, its `offset` counts bytes
            of the record's data, base64 undone.

    Yields:
        ControlRecord, BlockSummary or RevisionDetails.

    Raises:
        UsageError: `event` has none of these forms.
        AggregationError: a frame is damaged.
        EnvelopeError: a user record is none of QLDB's.
        IonDecodeError: a user record is not sound Ion.
        CarrierError: a record has no data, data of two forms, or base64 that is none.
            Without `on_error` all of these raise when the part is reached, and end the
            iteration; everything before it was yielded.
    """
    for number, record in enumerate(_records_of(event)):
        source = f"Kinesis record {number}"
        data = b""
        try:
            data = _data_of(record, source)
            user_records = deaggregate(data)
        except DecodeError as exc:
            if on_error is None:
                raise
            on_error(Undecodable(source, 0, len(data), exc, data))
            continue
        if on_error is None:
            yield from map(parse_record, user_records)
        else:
            yield from _parse_all(user_records, data, source, on_error)


def decode_base64(text: str | bytes, source: str) -> bytes:
    """
    Undo base64.

    Raises:
        CarrierError: it is not base64.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as exc:
        raise CarrierError(source, 0, f"its data is not base64: {exc}") from exc


def _parse_all(
    user_records: Iterable[bytes],
    data: bytes,
    source: str,
    on_error: Callable[[Undecodable], None],
) -> Iterator[Event]:
    place = 0
    for user_record in user_records:
        place = data.index(user_record, place)
        try:
            event = parse_record(user_record)
        except DecodeError as exc:
            on_error(Undecodable(source, place, len(user_record), exc, user_record))
        else:
            yield event
        place += len(user_record)


def _records_of(event: object) -> Sequence[object]:
    records = event.get("Records") if isinstance(event, Mapping) else event
    if isinstance(records, Sequence) and not isinstance(records, str | bytes | bytearray):
        return records
    raise UsageError(f"a {type(event).__name__} without a list of records, expected {_FORMS}")


def find_data(record: object, source: str, offset: int = 0) -> object:
    """
    Find the data of a record as it stands there, whatever form the batch has.

    Returns:
        What should be bytes, or base64; None where there is nothing.

    Raises:
        CarrierError: the record has the data of two forms, so no one can say which counts.
    """
    if not isinstance(record, Mapping):
        return None
    kinesis = record.get("kinesis")
    data = record.get("Data")
    inner = kinesis.get("data") if isinstance(kinesis, Mapping) else None
    if data is not None and inner is not None:
        raise CarrierError(source, offset, "it has both `Data` and `kinesis.data`")
    return inner if data is None else data


def _data_of(record: object, source: str) -> bytes:
    found = find_data(record, source)
    if isinstance(found, bytes):
        return found
    if isinstance(found, str):
        return decode_base64(found, source)
    if isinstance(found, bytearray | memoryview):
        return bytes(found)
    raise CarrierError(source, 0, "it has no data")

"""
KPL frames: one Kinesis record that carries many user records (facts 1.5).

Strategy: a frame is the magic, a protobuf `AggregatedRecord` and the MD5 of that
protobuf. The message has one shape, so it is walked by hand over the bytes. The MD5 is
checked before anything is believed; only when it does not fit is the protobuf searched
for the place where it breaks, so that the error can say where.

Inside a Kinesis record the frame's length is known (`deaggregate`). Inside a file that
holds frames back to back it is not (`read_frame`): fields are walked until the MD5 of
what was walked stands next.

Rules: a QLDB record never starts like a frame (facts 1.1), so data with the magic and
a wrong MD5 is a damaged frame and not a user record; data whose magic alone is damaged
is known by the MD5 that still fits. Keys, indexes and tags of the protobuf are checked
for shape and otherwise ignored: no user record depends on them.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import Final, NoReturn

from qldb_stream.errors import AggregationError
from qldb_stream.parsers.effort import Effort

__all__ = ["MAGIC", "MD5_BYTES", "deaggregate", "frame_end", "read_frame"]

MAGIC: Final = b"\xf3\x89\x9a\xc2"
"""The four bytes that every frame starts with (facts 1.5)."""

MD5_BYTES: Final = 16
"""Length of the trailer."""

_HEAD: Final = len(MAGIC)
_ION_MARKER: Final = b"\xe0\x01\x00\xea"

# Protobuf keys: field number << 3 | wire type (facts 1.5 lists the fields).
_TABLE_KEY: Final = 0x0A
_MESSAGE_KEYS: Final = frozenset((_TABLE_KEY, 0x12, 0x1A))
_RECORD_KEY: Final = 0x1A
_INDEX_KEY: Final = 0x08
_INDEX_KEYS: Final = frozenset((_INDEX_KEY, 0x10))
_DATA_KEY: Final = 0x1A
_TAG_KEY: Final = 0x22

# What it costs to walk in vain, in units of Effort: a byte of the smallest fields, and one field
# whose end is looked at with care.
_WALK_COST: Final = 16
_FIELD_COST: Final = 400

_LOW_BITS: Final = 0x7F  # of a varint's byte; the bit above them says that more follow
_MAX_VARINT_BYTES: Final = 10  # a 64-bit number, 7 bits a byte (protobuf encoding)
_MAX_FIELDS: Final = 1 << 17  # 10 MiB of the smallest records with a key each are half of that
_RECORD_STARTS: Final = frozenset(bytes((_INDEX_KEY, i, _DATA_KEY)) for i in range(_LOW_BITS + 1))


def deaggregate(data: bytes) -> list[bytes]:
    """
    Take the user records out of the data of one Kinesis record.

    Args:
        data: the record's data, base64 undone.

    Returns:
        The user records in their order; their index is the sub-sequence number. A list
        of `data` itself when it is no frame; an empty list for a frame without records.

    Raises:
        AggregationError: magic, protobuf or MD5 is damaged; `offset` is the byte where
            that shows. Nothing of a damaged frame is believed.
    """
    if data[:_HEAD] != MAGIC:
        if data[:_HEAD] != _ION_MARKER:
            _refuse_damaged_magic(data)
        return [data]
    end = len(data) - MD5_BYTES
    records: list[bytes] = []
    if end < _HEAD or md5(data[_HEAD:end], usedforsecurity=False).digest() != data[end:]:
        _refuse_damaged_frame(data, end)
    if _walk(data, _HEAD, end, records) != end:
        _refuse_damaged_frame(data, end)
    return records


def read_frame(
    data: bytes, pos: int, effort: Effort | None = None
) -> tuple[list[bytes] | None, int]:
    """
    Find the frame that starts at a position inside longer data.

    The four bytes at `pos` are not compared with the magic: an MD5 that fits proves a
    frame, so the caller decides what a damaged magic means.

    Args:
        data: longer data that may hold a frame.
        pos: where the frame starts.
        effort: pays for what is no frame; None for as much as `data` is worth.

    Returns:
        (records, end): the user records, and where the frame ends. (None, place) when
        no frame is there: `place` is where the walk stopped, which is `len(data)` when
        only longer data can tell.

    Raises:
        CarrierError: `effort` does not reach.
    """
    effort = effort or Effort(len(data) - pos)
    records: list[bytes] = []
    start = pos + _HEAD
    limit = min(len(data) - MD5_BYTES, start + effort.may_spend() // _WALK_COST)
    try:
        stop = _walk(data, start, limit, records)
    except AggregationError as exc:
        stop = exc.offset
    else:
        digest = md5(data[start:stop], usedforsecurity=False).digest()
        if digest == data[stop : stop + MD5_BYTES]:
            return records, stop + MD5_BYTES
    effort.spend(_WALK_COST * max(0, stop - start))
    return _read_frame_with_care(data, start, effort)


def frame_end(
    data: bytes, pos: int, is_start: Callable[[int], bool], effort: Effort | None = None
) -> tuple[int | None, int]:
    """
    Tell where a damaged frame ends, when its fields can still be walked.

    Args:
        data: longer data that holds the frame.
        pos: where the frame starts.
        is_start: tells whether something sound starts at a position, or the data ends.
        effort: pays for it; None for as much as `data` is worth.

    Returns:
        (end, end): the first end of a field that leaves room for an MD5 before a sound
        start. (None, place) when the fields break before that at `place`, which is
        `len(data)` when only longer data can tell.

    Raises:
        CarrierError: `effort` does not reach.
    """
    effort = effort or Effort(len(data) - pos)
    pos += _HEAD
    limit = len(data)
    try:
        for _ in range(_MAX_FIELDS):
            if pos + MD5_BYTES > limit:
                return None, limit
            effort.pay(_FIELD_COST, pos)
            if is_start(pos + MD5_BYTES):
                return pos + MD5_BYTES, pos + MD5_BYTES
            if data[pos] in _MESSAGE_KEYS and _ends_after(data, pos, limit):
                return None, limit
            pos = _read_field(data, pos, limit, [])
    except AggregationError as exc:
        return None, exc.offset
    return None, pos


def _refuse_damaged_magic(data: bytes) -> None:
    """Raise for a frame whose magic is not the magic; the MD5 knows it (law 4)."""
    end = len(data) - MD5_BYTES
    if end > _HEAD and md5(data[_HEAD:end], usedforsecurity=False).digest() == data[end:]:
        found = data[:_HEAD].hex()
        raise AggregationError(0, f"starts with {found}, not {MAGIC.hex()}, though its MD5 fits")


def _refuse_damaged_frame(data: bytes, end: int) -> NoReturn:
    """Raise for the first place where a frame breaks, at the latest its MD5."""
    if end < _HEAD:
        raise AggregationError(0, f"a frame cannot have only {len(data)} bytes")
    pos = _HEAD
    while pos < end:
        pos = _read_field(data, pos, end, [])
    raise AggregationError(end, f"this MD5 is not that of the {end - _HEAD} bytes before it")


def _read_frame_with_care(data: bytes, pos: int, effort: Effort) -> tuple[list[bytes] | None, int]:
    """Compare the MD5 after each field: a trailer may look like one more field."""
    records: list[bytes] = []
    digest = md5(usedforsecurity=False)
    limit = len(data)
    for _ in range(_MAX_FIELDS):
        if pos + MD5_BYTES > limit:
            return None, limit
        effort.pay(_FIELD_COST, pos)
        if digest.digest() == data[pos : pos + MD5_BYTES]:
            return records, pos + MD5_BYTES
        if data[pos] not in _MESSAGE_KEYS:
            return None, pos
        try:
            if _ends_after(data, pos, limit):
                return None, limit
            stop = _read_field(data, pos, limit, records)
        except AggregationError as exc:
            return None, exc.offset
        effort.spend(_WALK_COST * (stop - pos))
        digest.update(data[pos:stop])
        pos = stop
    return None, pos


def _ends_after(data: bytes, pos: int, limit: int) -> bool:
    """Tell whether a field goes on after the bytes at hand."""
    length, start = _read_varint(data, pos + 1, limit)
    return start + length > limit


def _walk(data: bytes, pos: int, end: int, records: list[bytes]) -> int:
    """
    Walk the fields of a message and collect its user records.

    The loop reads by itself what the service writes: keys shorter than 128 bytes, then
    records of an index below 128 and the data. Every other sound form goes through
    `_read_field`. Looking ahead is safe: a trailer of 16 bytes follows `end`.

    Returns:
        `end`; another place when a field goes beyond it, or has a key that no message has.
    """
    while pos < end:
        key = data[pos]
        length = data[pos + 1]
        if key == _TABLE_KEY and length <= _LOW_BITS:
            pos += 2 + length
            continue
        start = pos + 2
        if length > _LOW_BITS:
            length += (data[start] << 7) - 0x80
            start += 1
        if key == _RECORD_KEY and data[start : start + 3] in _RECORD_STARTS:
            stop = start + length
            length = data[start + 3]
            start += 4
            if length > _LOW_BITS:
                length += (data[start] << 7) - 0x80
                start += 1
            # Three length bytes would break one of these: the middle one adds at least 2 ** 14.
            if start + length == stop <= end:
                records.append(data[start:stop])
                pos = stop
                continue
        if key not in _MESSAGE_KEYS:
            return pos
        pos = _read_field(data, pos, end, records)
    return pos


def _read_field(data: bytes, pos: int, end: int, records: list[bytes]) -> int:
    """Read one field of the message; collect it when it is a record."""
    key = data[pos]
    if key not in _MESSAGE_KEYS:
        raise AggregationError(pos, f"no field of a frame has the key 0x{key:02x}")
    length, start = _read_varint(data, pos + 1, end)
    stop = start + length
    if stop > end:
        raise AggregationError(pos, f"a field of {length} bytes ends after the message")
    if key == _RECORD_KEY:
        records.append(_record_data(data, start, stop))
    return stop


def _record_data(data: bytes, pos: int, end: int) -> bytes:
    """Find the data inside one record of the message."""
    found: bytes | None = None
    record = pos
    while pos < end:
        key = data[pos]
        length, start = _read_varint(data, pos + 1, end)
        if key in _INDEX_KEYS:
            pos = start
            continue
        pos = start + length
        if pos > end:
            raise AggregationError(start, f"a field of {length} bytes ends after its record")
        if key == _DATA_KEY and found is None:
            found = data[start:pos]
        elif key != _TAG_KEY:
            raise AggregationError(start, f"a record has no place for the key 0x{key:02x} here")
    if found is None:
        raise AggregationError(record, "a record without data")
    return found


def _read_varint(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read a number of 7-bit groups, the lowest first."""
    value = 0
    for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
        if pos >= end:
            raise AggregationError(pos, "a number ends after the message")
        byte = data[pos]
        pos += 1
        value |= (byte & _LOW_BITS) << shift
        if byte <= _LOW_BITS:
            return value, pos
    raise AggregationError(pos, f"a number of more than {_MAX_VARINT_BYTES} bytes")

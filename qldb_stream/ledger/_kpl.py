"""
KPL aggregates, as QLDB filled them: partition keys and records, nothing else (facts 1.5).

Written here and read by `parsers.kpl`; the two share no code, and a test joins them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import md5
from typing import Final

__all__ = ["MAX_RECORD_BYTES", "Keyed", "aggregate", "iter_frames"]

MAX_RECORD_BYTES: Final = 1 << 20
"""The longest record that Kinesis takes, 1 MiB."""

_MAGIC: Final = b"\xf3\x89\x9a\xc2"
# Protobuf's tags of AggregatedRecord and its Record: field number * 8 + wire type.
_PARTITION_KEY: Final = b"\x0a"
_RECORD: Final = b"\x1a"
_PARTITION_KEY_INDEX: Final = b"\x08"
_DATA: Final = b"\x1a"

# Tags, lengths, an index, and a share of magic and MD5: more than any record adds.
_OVERHEAD_BYTES: Final = 64

Keyed = tuple[str, bytes]
"""A record with its partition key."""


def aggregate(records: Sequence[Keyed]) -> bytes:
    """
    Make one frame of records.

    Args:
        records: partition key and data of each.
    """
    indexes: dict[str, int] = {}
    for key, _ in records:
        indexes.setdefault(key, len(indexes))
    parts = [_PARTITION_KEY + _sized(key.encode()) for key in indexes]
    for key, data in records:
        index = _PARTITION_KEY_INDEX + _varint(indexes[key])
        parts.append(_RECORD + _sized(index + _DATA + _sized(data)))
    body = b"".join(parts)
    # MD5 is KPL's checksum, not a protection.
    return _MAGIC + body + md5(body, usedforsecurity=False).digest()


def iter_frames(records: Sequence[Keyed]) -> Iterator[list[Keyed]]:
    """Iterate over the records that fit into one frame each; what stands alone stays raw."""
    frame: list[Keyed] = []
    length = 0
    for key, data in records:
        size = len(key) + len(data) + _OVERHEAD_BYTES
        if frame and length + size > MAX_RECORD_BYTES:
            yield frame
            frame, length = [], 0
        frame.append((key, data))
        length += size
    if frame:
        yield frame


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Write protobuf's varint: seven bits a byte, the lowest first, the last unmarked."""
    body = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)
    return bytes(body)

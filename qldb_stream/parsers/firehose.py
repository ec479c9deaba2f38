"""
Firehose objects: what a delivery stream piled up in S3 (facts 4).

An object holds user records back to back, with or without delimiters, compressed or
not; records that are still aggregated are KPL frames back to back. `carrier` tells all
of these apart by content; this module undoes gzip and parses.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

from qldb_stream.errors import CarrierError, DecodeError
from qldb_stream.events import Event, Undecodable
from qldb_stream.parsers.carrier import iter_user_records
from qldb_stream.parsers.record import parse_record
from qldb_stream.parsers.window import BytesReadable

__all__ = ["parse_firehose_object"]

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # zlib: a gzip header and the largest window

MAX_OBJECT_BYTES: Final = 1 << 29
"""Firehose buffers at most 128 MiB for an object; more than this is no object of it."""


def parse_firehose_object(
    data: bytes, *, name: str = "object", on_error: Callable[[Undecodable], None] | None = None
) -> Iterator[Event]:
    """
    Read every user record of an object, lazily, in order.

    Args:
        data: the object's bytes, compressed or not.
        name: names the object in errors.
        on_error: is handed each part that cannot be read; the rest goes on.

    Yields:
        ControlRecord, BlockSummary or RevisionDetails.

    Raises:
        CarrierError: gzip is damaged, or makes more than MAX_OBJECT_BYTES; nothing that
            is found in a carrier starts at some place.
        AggregationError: a frame is damaged.
        EnvelopeError: a user record is none of QLDB's.
        IonDecodeError: a user record is not sound Ion.
            Without `on_error` these raise when the part is reached, and end the iteration;
            with it only damaged gzip raises.
    """
    plain = gunzip(data, name) if data.startswith(_GZIP) else data
    for found in iter_user_records(BytesReadable(plain, name)):
        if isinstance(found, Undecodable):
            undecodable = found
        else:
            try:
                event = parse_record(found.data)
            except DecodeError as exc:
                undecodable = Undecodable(name, found.offset, found.length, exc, found.data)
            else:
                yield event
                continue
        if on_error is None:
            raise undecodable.error
        on_error(undecodable)


def gunzip(data: bytes, name: str) -> bytes:
    """
    Undo gzip, members back to back included.

    Raises:
        CarrierError: damaged or cut off, or more than MAX_OBJECT_BYTES come out.
    """
    parts: list[bytes] = []
    left = MAX_OBJECT_BYTES
    rest = data
    while rest:
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error as exc:
            raise CarrierError(name, len(data) - len(rest), f"damaged gzip: {exc}") from exc
        left -= len(part)
        if left < 0:
            raise CarrierError(name, 0, f"gzip of more than {MAX_OBJECT_BYTES} bytes")
        if not member.eof:
            raise CarrierError(name, len(data), "gzip is cut off")
        parts.append(part)
        rest = member.unused_data.lstrip(b"\0")
    return b"".join(parts)

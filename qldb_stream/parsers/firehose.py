"""
Firehose objects: what a delivery stream piled up in S3 (facts 4).

An object holds user records back to back, with or without delimiters, compressed or
not; records that are still aggregated are KPL frames back to back. `carrier` tells all
of these apart by content; this module undoes gzip and parses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import Event, Undecodable
from qldb_stream.parsers.carrier import iter_user_records
from qldb_stream.parsers.gunzip import CHUNK_BYTES, GZIP_MAGIC, gunzip_limit, iter_gunzipped
from qldb_stream.parsers.record import parse_record
from qldb_stream.parsers.window import BytesReadable

__all__ = ["parse_firehose_object"]

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
        CarrierError: gzip is damaged, or makes more than MAX_OBJECT_BYTES or than
            `gunzip_limit` allows; nothing that is found in a carrier starts at some place.
        AggregationError: a frame is damaged.
        EnvelopeError: a user record is none of QLDB's.
        IonDecodeError: a user record is not sound Ion.
            Without `on_error` these raise when the part is reached, and end the iteration;
            with it only damaged gzip raises.
    """
    plain = _gunzip(data, name) if data.startswith(GZIP_MAGIC) else data
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


def _gunzip(data: bytes, name: str) -> bytes:
    """Undo gzip, members back to back included."""
    chunks = (data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))
    limit = min(MAX_OBJECT_BYTES, gunzip_limit(len(data)))
    return b"".join(iter_gunzipped(chunks, name, limit))

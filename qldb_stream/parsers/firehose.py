"""
Firehose objects: what a delivery stream piled up in S3 (facts 4).

An object holds user records back to back, with or without delimiters, compressed or
not; records that are still aggregated are KPL frames back to back. `carrier` tells all
of these apart by content; this module undoes gzip and parses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from qldb_stream.errors import CarrierError, DecodeError
from qldb_stream.events import Event, Undecodable
from qldb_stream.parsers.carrier import UserRecord, iter_user_records
from qldb_stream.parsers.gunzip import GzipDamage, gunzip_limit, is_gzip, iter_gunzipped
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
            `gunzip_limit` allows, and then at once; nothing that is found in a carrier
            starts at some place.
        AggregationError: a frame is damaged.
        EnvelopeError: a user record is none of QLDB's.
        IonDecodeError: a user record is not sound Ion.
            Without `on_error` these raise when the part is reached, and end the iteration;
            with it only gzip that makes too much raises.
    """
    for found in _iter_items(data, name):
        if not isinstance(found, Undecodable):
            yield found
        elif on_error is None:
            raise found.error
        else:
            on_error(found)


def _iter_items(data: bytes, name: str) -> Iterator[Event | Undecodable]:
    """Give every event, and in its place what is none."""
    damages: Sequence[GzipDamage] = ()
    if is_gzip(data[:16]):
        data, damages = _gunzip(data, name)
    seams = [damage.offset for damage in damages if damage.is_seam]
    told = 0
    for found in iter_user_records(BytesReadable(data, name), seams=seams):
        while told < len(damages) and damages[told].offset <= found.offset:
            yield _undecodable(damages[told], name)
            told += 1
        yield found if isinstance(found, Undecodable) else _parse(found, name)
    yield from (_undecodable(damage, name) for damage in damages[told:])


def _parse(record: UserRecord, name: str) -> Event | Undecodable:
    try:
        return parse_record(record.data)
    except DecodeError as exc:
        return Undecodable(name, record.offset, record.length, exc, record.data)


def _undecodable(damage: GzipDamage, name: str) -> Undecodable:
    error = CarrierError(name, damage.offset, damage.problem)
    return Undecodable(name, damage.offset, 0, error)


def _gunzip(data: bytes, name: str) -> tuple[bytes, list[GzipDamage]]:
    """Undo gzip, members back to back included; give what comes out, and all damage."""
    limit = min(MAX_OBJECT_BYTES, gunzip_limit(len(data)))
    pieces: list[bytes] = []
    damages: list[GzipDamage] = []
    for found in iter_gunzipped(BytesReadable(data, name), limit):
        if isinstance(found, GzipDamage):
            damages.append(found)
        else:
            pieces.append(found)
    return b"".join(pieces), damages

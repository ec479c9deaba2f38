"""
Deliver records the way Kinesis and Firehose do: late, twice, aggregated, in batches.

Each function takes records (or what another one gave) and a seed, works as a stream
with bounded memory, and needs neither Hypothesis nor boto3. The KPL frames are written
by code of their own, so that the reader is tested against a second opinion. Formats:
qldb-facts 1.5, 1.6 and 4.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import md5, sha256
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

from qldb_stream.errors import UsageError

__all__ = [
    "aggregate",
    "aggregated",
    "cut",
    "firehose_object",
    "get_records_answer",
    "lambda_event",
    "make_delivery",
    "repeated",
    "shuffled",
    "write_archive",
]

T = TypeVar("T")

_MAGIC: Final = b"\xf3\x89\x9a\xc2"
# Protobuf tags of AggregatedRecord and of its Record: field number times 8, plus wire type.
_PARTITION_KEY_TABLE: Final = b"\x0a"
_RECORDS: Final = b"\x1a"
_PARTITION_KEY_INDEX: Final = b"\x08"
_DATA: Final = b"\x1a"
_MOST_IN_FRAME: Final = 30
_REPEAT_BUFFER: Final = 1000


# --- KPL -----------------------------------------------------------------------------------


def aggregate(records: Sequence[bytes], keys: Sequence[str] | None = None) -> bytes:
    """
    Put records into one KPL frame, as QLDB's streams did by default.

    Args:
        records: at least one.
        keys: the partition key of each; None for keys made from the records.

    Returns:
        Magic, protobuf, MD5 of the protobuf (facts 1.5): what a Kinesis record holds.

    Raises:
        UsageError: there are no records, or not as many keys.
    """
    keys = [sha256(record).hexdigest() for record in records] if keys is None else keys
    if not records or len(keys) != len(records):
        raise UsageError("a frame holds at least one record, and a key for each")
    table = list(dict.fromkeys(keys))
    index = {key: number for number, key in enumerate(table)}
    body = b"".join(
        [_field(_PARTITION_KEY_TABLE, key.encode()) for key in table]
        + [
            _field(_RECORDS, _PARTITION_KEY_INDEX + _varint(index[key]) + _field(_DATA, record))
            for key, record in zip(keys, records, strict=True)
        ]
    )
    return _MAGIC + body + md5(body, usedforsecurity=False).digest()


def aggregated(
    records: Iterable[bytes], seed: int, *, most: int = _MOST_IN_FRAME
) -> Iterator[bytes]:
    """
    Aggregate at random: frames of 1 to `most` records, some single ones left raw.

    Args:
        records: in the order in which they shall come out.
        seed: where chance comes from.
        most: records in a frame.
    """
    rng = Random(seed)
    for batch in cut(records, seed, most=most):
        if len(batch) == 1 and rng.random() < 0.5:  # noqa: PLR2004 - a coin
            yield batch[0]
        else:
            yield aggregate(batch)


def _field(tag: bytes, raw: bytes) -> bytes:
    return tag + _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


# --- order, repeats, batches ---------------------------------------------------------------


def shuffled(items: Iterable[T], seed: int, *, window: int) -> Iterator[T]:
    """
    Shuffle items within windows of `window` that follow one another.

    Args:
        items: of any length; one window is held at a time.
        seed: where chance comes from.
        window: how many items change places with each other.
    """
    rng = Random(seed)
    held: list[T] = []
    for item in items:
        held.append(item)
        if len(held) >= window:
            rng.shuffle(held)
            yield from held
            held = []
    rng.shuffle(held)
    yield from held


def repeated(items: Iterable[T], seed: int, *, share: float = 0.1) -> Iterator[T]:
    """
    Deliver a share of the items once more, at once or later.

    Args:
        items: of any length; at most a thousand are held for later.
        seed: where chance comes from.
        share: how many of the items come again; between 0 and 1.
    """
    rng = Random(seed)
    later: list[T] = []
    for item in items:
        yield item
        if rng.random() < share:
            later.append(item)
        if len(later) >= _REPEAT_BUFFER or (later and rng.random() < share):
            yield later.pop(int(rng.random() * len(later)))
    yield from later


def cut(items: Iterable[T], seed: int, *, most: int) -> Iterator[list[T]]:
    """Cut items into batches of 1 to `most`."""
    rng = Random(seed)
    batch: list[T] = []
    wanted = 1 + int(rng.random() * most)
    for item in items:
        batch.append(item)
        if len(batch) >= wanted:
            yield batch
            batch = []
            wanted = 1 + int(rng.random() * most)
    if batch:
        yield batch


def make_delivery(
    datas: Iterable[bytes],
    *,
    seed: int,
    window: int = 100,
    repeats: float = 0.1,
    most_in_frame: int | None = None,
) -> Iterator[bytes]:
    """
    Deliver data as a stream does at its worst: repeated, shuffled, aggregated.

    Args:
        datas: user records; or Kinesis data that is aggregated already.
        seed: where chance comes from; the same seed gives the same delivery.
        window: how many change places with each other.
        repeats: share of them that come again.
        most_in_frame: aggregate at random, up to so many to a frame; None for not at all.

    Yields:
        What the data of each Kinesis record would be.
    """
    delivery = shuffled(repeated(datas, seed, share=repeats), seed, window=window)
    if most_in_frame is None:
        return delivery
    return aggregated(delivery, seed, most=most_in_frame)


# --- carriers ------------------------------------------------------------------------------


def get_records_answer(datas: Iterable[bytes]) -> dict[str, Any]:
    """Give the answer that boto3's `get_records` would give for these data."""
    return {
        "Records": [
            {
                "SequenceNumber": str(number),
                "ApproximateArrivalTimestamp": 0,
                "Data": data,
                "PartitionKey": "a",  # KPL's dummy, facts 1.5
            }
            for number, data in enumerate(datas)
        ],
        "MillisBehindLatest": 0,
    }


def lambda_event(datas: Iterable[bytes]) -> dict[str, Any]:
    """Give the event with which Lambda would hand over these data, in base64."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "a",
                    "sequenceNumber": str(number),
                    "data": b64encode(data).decode("ascii"),
                    "approximateArrivalTimestamp": 0.0,
                },
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000000:{number}",
                "eventName": "aws:kinesis:record",
            }
            for number, data in enumerate(datas)
        ]
    }


def firehose_object(
    datas: Iterable[bytes], *, newlines: bool = False, gzipped: bool = False
) -> bytes:
    """
    Give the S3 object that Firehose would write: the data back to back (facts 4).

    Args:
        datas: user records or, as no Firehose should but some do, KPL frames.
        newlines: put a newline after each, as AppendDelimiterToRecord does.
        gzipped: compress the whole; the same data give the same bytes.
    """
    joined = b"".join([data + b"\n" for data in datas] if newlines else list(datas))
    return gzip.compress(joined, mtime=0) if gzipped else joined


def write_archive(
    datas: Iterable[bytes], folder: Path, *, file_bytes: int = 64 << 20, gzipped: bool = False
) -> list[Path]:
    """
    Write data into numbered files, as Firehose piles them up.

    Args:
        datas: of any length; nothing is held.
        folder: made when it is not there.
        file_bytes: a file is closed when it has grown to this, before compression.
        gzipped: compress each file.

    Returns:
        The files, in the order of their names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = iter(datas)
    files: list[Path] = []
    for first in waiting:
        file = folder / f"synthetic-1-{len(files):06}{'.gz' if gzipped else ''}"
        with gzip.open(file, "wb") if gzipped else file.open("wb") as out:
            written = out.write(first)
            while written < file_bytes and (data := next(waiting, None)) is not None:
                written += out.write(data)
        files.append(file)
    return files

"""
What Firehose does with a Kinesis stream: de-aggregates, buffers, concatenates, gzips, writes.

Records stand in an object in the order of arrival of each shard, with nothing between them
(facts 4). No transformation, no delimiter.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from qldb_stream import deaggregate
from tests.system.shards import ShardReader, iter_shards


def deliver_to_s3(
    kinesis: Any, s3: Any, stream: str, bucket: str, *, buffer: int = 20_000
) -> list[str]:
    """
    Write all that a stream holds into objects of a bucket; each buffers about `buffer` bytes.

    Returns:
        The objects' keys, in the order in which they were written.
    """
    keys: list[str] = []
    held = bytearray()
    for data in _interleaved(kinesis, stream):
        held += data
        if len(held) >= buffer:
            keys.append(_write(s3, bucket, len(keys), bytes(held)))
            held.clear()
    if held:
        keys.append(_write(s3, bucket, len(keys), bytes(held)))
    return keys


def event_of(bucket: str, key: str) -> dict[str, Any]:
    """Give S3's event of an object that was created."""
    place = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1"}
    return {"Records": [{**record, "awsRegion": "eu-west-1", "s3": place}]}


def download(s3: Any, bucket: str, folder: Path) -> Path:
    """Copy a bucket's objects into a folder."""
    for found in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        path = folder / found["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, found["Key"], str(path))
    return folder


def _interleaved(kinesis: Any, stream: str) -> Iterator[bytes]:
    """Iterate over user records, shards in turn."""
    readers = [ShardReader(kinesis, stream, name) for name, _ in iter_shards(kinesis, stream)]
    while readers:
        for reader in list(readers):
            records = reader.read(7)
            for record in records:
                yield from deaggregate(record["Data"])
            if not records:
                readers.remove(reader)


def _write(s3: Any, bucket: str, number: int, data: bytes) -> str:
    key = f"journal/2024/05/01/10/journal-archive-1-2024-05-01-10-00-{number:02}-{number:032x}.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(data, mtime=0))
    return key

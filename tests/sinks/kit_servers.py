"""Sinks of the kit that are on a server, also for its processes, and how they are read back."""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from qldb_stream.clients import boto3_session
from qldb_stream.events import ControlRecord
from qldb_stream.ledger import Ledger
from qldb_stream.plugins import open_sink
from qldb_stream.sinks._archive._bucket import BucketArchive
from qldb_stream.sinks.qldb import QldbSink
from qldb_stream.sources import open_source
from qldb_stream.testing.kit import kit_place
from qldb_stream.typing import Sink
from tests.sinks.kit_read_backs import replayed_into

QLDB_SERVER = "QLDB_STREAM_TEST_QLDB_SERVER"
"""The environment variable with the server's URL and the folder of its ledgers, as JSON."""


class Bytes(bytes):
    """Everything that is stored, to be searched; no content, so it is equal to any other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bytes)

    __hash__ = None  # type: ignore[assignment]  # equal to any other


# --- a ledger of ours, over HTTP -------------------------------------------------------------


def qldb() -> Sink:
    """Open the sink of the ledger that belongs to the place, made where it is not there."""
    url, _ = json.loads(os.environ[QLDB_SERVER])
    name = f"kit{kit_place().name}"
    made = kit_place().with_name(f"{name}.made")
    if not made.exists():
        control_plane(url).create_ledger(Name=name, PermissionsMode="ALLOW_ALL")
        made.touch()
    return open_sink(f"qldb:{name}?endpoint={url}")


@cache
def control_plane(url: str) -> Any:
    """Make a client of the control plane, once."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3_session(region_name="us-east-1", **keys).client("qldb", endpoint_url=url)


def read_qldb(sink: QldbSink) -> Any:
    """What is in the server's file: transactions by the source's ids, documents, and all bytes."""
    _, folder = json.loads(os.environ[QLDB_SERVER])
    name = sink._endpoint.name.partition(":")[2]  # type: ignore[attr-defined]  # noqa: SLF001 - as read
    with Ledger.open(str(Path(folder, f"{name}.ledger")), read_only=True) as ledger:
        content = replayed_into(ledger)
    files = sorted(Path(folder).glob(f"{name}.ledger*"))
    return *content, Bytes(b"\n".join(file.read_bytes() for file in files))


# --- an archive in a bucket ------------------------------------------------------------------


def read_bucket(sink: BucketArchive) -> Any:
    """Every record of the bucket's objects, in order of blocks, and all bytes."""
    bucket, prefix = sink._objects._bucket, sink._prefix  # noqa: SLF001 - as read
    listed = bucket_client().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    objects = {one["Key"]: read_object(bucket, one["Key"], one["ETag"]) for one in listed}
    with tempfile.TemporaryDirectory() as folder:
        for key, data in objects.items():
            target = Path(folder, key)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        source = open_source([folder])
        records = [item for item in source.items() if not isinstance(item, ControlRecord)]
    return records, Bytes(b"\n".join(objects.values()))


@cache
def bucket_client() -> Any:
    """Make a client of S3, once."""
    return boto3.client("s3")


@cache
def read_object(bucket: str, key: str, etag: str) -> bytes:
    """Read an object, once as long as it is the same."""
    data: bytes = bucket_client().get_object(Bucket=bucket, Key=key, IfMatch=etag)["Body"].read()
    return data

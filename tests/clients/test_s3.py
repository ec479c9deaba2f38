"""An export to S3, against moto's server on loopback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from qldb_stream.clients.s3 import S3Bucket
from qldb_stream.errors import ExportError, UsageError
from qldb_stream.ledger import Ledger, ObjectStore
from qldb_stream.parsers.export import parse_export
from tests.ledger.support import make_cars


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server of S3's interface."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of it, as boto3 makes one from the environment; the bucket `archive` is there."""
    for name, value in (
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ):
        monkeypatch.setenv(name, value)
    made = boto3.client("s3")
    made.create_bucket(Bucket="archive")
    return made


def read(client: Any, key: str) -> bytes:
    """An object's bytes."""
    data = client.get_object(Bucket="archive", Key=key)["Body"].read()
    assert isinstance(data, bytes)
    return data


def test_an_export_goes_to_a_bucket(client: Any) -> None:
    """The objects are there under their keys, and read back as the ledger's blocks."""
    with Ledger.open(":memory:") as ledger:
        make_cars(ledger, "A", "B")
        bucket = S3Bucket("archive")
        assert isinstance(bucket, ObjectStore)
        summary = ledger.export(bucket, output_format="ion-binary", prefix="exports/")
        keys = [
            entry["Key"]
            for entry in client.list_objects_v2(Bucket="archive", Prefix="exports/")["Contents"]
        ]
        assert summary.manifest_key in keys
        assert f"exports/{summary.export_id}.started.manifest" in keys
        data = [read(client, key) for key in sorted(keys) if key.endswith(".ion")]
        assert list(ledger.blocks()) == [block for one in data for block in parse_export(one)]


def test_what_s3_refuses_is_an_export_error(client: Any) -> None:
    """It names the object and says why."""
    with pytest.raises(ExportError, match=r"s3://nobody/a/key cannot be written: .*NoSuchBucket"):
        S3Bucket("nobody", client).put("a/key", b"data")


def test_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is no URL is wrong usage, not a crash."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "nonsense")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(UsageError, match="no client of S3 can be made"):
        S3Bucket("archive")


def test_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which extra brings it."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match="needs the extra `aws`"):
        S3Bucket("archive")

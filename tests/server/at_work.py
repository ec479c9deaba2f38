"""What tests of exports and streams share: a server that may write, and boto3's client of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qldb_stream.clients import boto3_session
from qldb_stream.clients.kinesis import KinesisStreams
from qldb_stream.clients.s3 import S3Buckets
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server, Targets
from tests.ledger.support import make_cars

ROLE = "arn:aws:iam::123456789012:role/exporter"
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/{name}"
PATIENCE_S = 60


@contextmanager
def serving(folder: Path, targets: Targets, **settings: Any) -> Iterator[Any]:
    """A server over a folder that has a ledger `cars` of four blocks, and boto3's client `qldb`."""
    file = folder / "cars.ledger"
    if not file.exists():
        with Ledger.open(file, name="cars") as ledger:
            make_cars(ledger, "A", "B")
    with Server(folder, targets=targets, grace_s=30.0, **settings) as server:
        yield client_of(server.url)


def client_of(url: str) -> Any:
    """boto3's client of the control plane at a URL."""
    session = boto3_session(
        region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
    )
    return session.client("qldb", endpoint_url=url)


def everywhere(endpoint: str, exports: Path | None = None) -> Targets:
    """All that an owner can allow."""
    return Targets(exports, S3Buckets(endpoint), KinesisStreams(endpoint))


def until(tell: Callable[[], Any], wanted: Any) -> None:
    """Ask until an answer is the wanted one."""
    deadline = time.monotonic() + PATIENCE_S
    while (told := tell()) != wanted:
        assert time.monotonic() < deadline, f"it stays {told}"
        time.sleep(0.01)

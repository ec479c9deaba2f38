"""Every place that a journal can go to, empty: a fixture for each, named as its scheme."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from qldb_stream.aws import archive
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server
from tests.archive.delivered import places
from tests.archive.delivered.places import Place
from tests.archive.parts import make_ledger, write_parts
from tests.aws.conftest import deploy  # noqa: F401 - a fixture
from tests.sinks.dynamodb.conftest import _serial_aws, dynamodb_url  # noqa: F401 - fixtures
from tests.sinks.events.channels import FIFO, make_queue, receive
from tests.sinks.kafka.brokers import OPTIONS, read_topic, run_brokers
from tests.sinks.kit_servers import control_plane
from tests.sinks.opensearch.conftest import opensearch_url  # noqa: F401 - a fixture
from tests.sinks.relational.databases import make_postgres
from tests.sinks.webhook.server import SECRET, make_certificate, run_receiver

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    """The ledger whose archive is delivered; nothing writes to it."""
    with make_ledger() as made:
        yield made


@pytest.fixture(scope="module")
def parts(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its archive in five overlapping parts; nothing writes to it."""
    folder = tmp_path_factory.mktemp("parts")
    write_parts(ledger, folder)
    return folder


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The place that a test's parameter names."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Place)
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder for what a check writes."""
    return tmp_path / "scratch"


@pytest.fixture
def s3(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of S3; every client of boto3 goes to moto's server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    return boto3.client("s3")


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    """An empty bucket."""
    name = f"parts-{os.getpid()}-{next(NUMBERS)}"
    archive._buckets.clear()  # noqa: SLF001 - the container's client
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield name
    archive._buckets.clear()  # noqa: SLF001 - the container's client


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path: Path, scratch: Path) -> Place:
    """A database in a file."""
    return places.readable(f"sqlite:{tmp_path / 'copy.db'}", scratch)


@pytest.fixture
def parquet(tmp_path: Path, scratch: Path) -> Place:
    """A folder of tables."""
    return places.readable(f"parquet:{tmp_path / 'tables'}", scratch)


@pytest.fixture
def ion(tmp_path: Path) -> Place:
    """An archive in Ion."""
    path = tmp_path / "copy.ion"
    return places.read_back(f"ion:{path}", str(path), is_ion=True)


@pytest.fixture
def jsonl(tmp_path: Path) -> Place:
    """An archive in JSON lines."""
    path = tmp_path / "copy.jsonl"
    return places.read_back(f"jsonl:{path}", str(path), is_ion=False)


@pytest.fixture
def ion_in_s3(bucket: str) -> Place:
    """An archive in Ion in a bucket."""
    url = f"s3://{bucket}/copy"
    return places.read_back(f"ion:{url}", url, is_ion=True)


@pytest.fixture
def jsonl_in_s3(bucket: str) -> Place:
    """An archive in JSON lines in a bucket."""
    url = f"s3://{bucket}/copy"
    return places.read_back(f"jsonl:{url}", url, is_ion=False)


# --- ledgers ---------------------------------------------------------------------------------


@pytest.fixture
def replayed(tmp_path: Path) -> Place:
    """A ledger in a file, replayed into."""
    path = tmp_path / "copy.ledger"
    return places.replayed(f"ledger:{path}", path)


@pytest.fixture
def mirrored(tmp_path: Path) -> Place:
    """A ledger in a file, which gets the very blocks."""
    return places.mirrored(tmp_path / "copy.ledger")


@pytest.fixture
def qldb(tmp_path: Path) -> Iterator[Place]:
    """A ledger behind a server, over HTTP, through pyqldb."""
    with Server(tmp_path) as running:
        control_plane(running.url).create_ledger(Name="copy", PermissionsMode="ALLOW_ALL")
        url = f"qldb:copy?endpoint={running.url}"
        yield places.replayed(url, tmp_path / "copy.ledger")


# --- servers ---------------------------------------------------------------------------------


@pytest.fixture
def postgresql(postgres: dict[str, str], scratch: Path) -> Iterator[Place]:
    """A database of a real server."""
    with make_postgres(postgres) as made:
        yield places.readable(made.url, scratch)


@pytest.fixture
def dynamodb(dynamodb_url: str, scratch: Path) -> Place:  # noqa: F811 - it is that fixture
    """A table of moto's."""
    name = f"parts-{os.getpid()}-{next(NUMBERS)}"
    return places.readable(f"dynamodb:{name}?create=yes", scratch)


@pytest.fixture
def opensearch(opensearch_url: str, scratch: Path) -> Place:  # noqa: F811 - it is that fixture
    """Indices of a server."""
    name = f"parts-{os.getpid()}-{next(NUMBERS)}"
    return places.readable(f"opensearch+{opensearch_url}/{name}", scratch)


# --- messages --------------------------------------------------------------------------------


@pytest.fixture
def kafka() -> Iterator[Place]:
    """A topic of brokers in a process of their own."""
    with run_brokers() as brokers:
        topic = f"parts-{os.getpid()}-{next(NUMBERS)}"
        yield places.sent(
            f"kafka:{brokers}/{topic}?{OPTIONS}",
            lambda: [places.said_by_record(read) for read in read_topic(brokers, topic)],
        )


@pytest.fixture
def events(s3: Any) -> Place:
    """A FIFO queue of moto's."""
    name = f"parts-{os.getpid()}-{next(NUMBERS)}.fifo"
    queue = make_queue(name, **FIFO)
    return places.sent(
        f"events:sqs/{name}?max_bytes={1 << 20}",
        lambda: [event["data"] for event in receive(queue)],
    )


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A web server on this machine."""
    monkeypatch.setenv("QLDB_STREAM_WEBHOOK_SECRET", SECRET)
    with run_receiver() as receiver:
        yield places.sent(
            f"webhook+http://127.0.0.1:{receiver.port}/cars",
            lambda: places.said_by_bodies(receiver),
        )


@pytest.fixture
def webhook_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A web server over TLS."""
    monkeypatch.setenv("QLDB_STREAM_WEBHOOK_SECRET", SECRET)
    certificate = make_certificate(tmp_path / "server.pem")
    with run_receiver(certificate) as receiver:
        yield places.sent(
            f"webhook+https://127.0.0.1:{receiver.port}/cars?ca={certificate}",
            lambda: places.said_by_bodies(receiver),
        )

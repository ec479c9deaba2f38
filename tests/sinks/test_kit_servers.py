"""Sinks of ours that are on a server pass the kit: a ledger behind its API, and buckets of S3."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import boto3
import pytest

from qldb_stream.report import Guarantee
from qldb_stream.server import Server
from qldb_stream.testing.kit import ReadBack, SinkReport, check_sink
from tests.sinks import kit_servers
from tests.sinks.messages.kits import check_quickly

# Each process that is killed loads boto3 first; the sinks' own tests kill more of them.
KILLS = 1
NUMBERS = itertools.count()


def shown(make_sink: str, read_back: ReadBack) -> tuple[str, str, str]:
    """Put a sink through the kit; give what it has shown."""
    report: SinkReport = check_sink(make_sink, read_back, kills=KILLS)
    return report.badge.guarantee, report.badge.order, report.badge.erase


@pytest.mark.timeout(600)
def test_qldb_passes_the_kit(tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens to it, what the ledger behind the server holds is that of one clean run."""
    assert aws  # an environment without the machine's own
    with Server(tmp_path) as server:
        monkeypatch.setenv(kit_servers.QLDB_SERVER, json.dumps([server.url, str(tmp_path)]))
        found = shown("tests.sinks.kit_servers:qldb", kit_servers.read_qldb)
    assert ("exactly once", "in order", "erases") == found


def new_bucket(scheme: str, aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a bucket, and give the URL of an archive in it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    name = f"kit-{scheme}-{next(NUMBERS)}"
    region = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=region)
    return f"{scheme}:s3://{name}/{{n}}"


@pytest.mark.parametrize("scheme", ["ion", "jsonl"])
def test_a_bucket_passes_the_kit(scheme: str, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of an archive, read as one, are those of one clean run; files pass all of the kit."""
    url = new_bucket(scheme, aws, monkeypatch)
    badge = check_quickly(url, kit_servers.read_bucket, Guarantee.EXACTLY_ONCE).badge
    assert ("exactly once", "in order", "erases") == (badge.guarantee, badge.order, badge.erase)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", ["ion", "jsonl"])
def test_a_bucket_passes_all_of_the_kit(
    scheme: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to it, the objects of an archive are those of one clean run."""
    url = new_bucket(scheme, aws, monkeypatch)
    assert ("exactly once", "in order", "erases") == shown(url, kit_servers.read_bucket)

"""Every test that takes `inbox` runs in memory, on a file, and in a table of DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.inbox import open_inbox
from qldb_stream.typing import Inbox
from tests.inbox.tables import new_table, serve_aws


@pytest.fixture(scope="session")
def _serial_aws() -> Iterator[str]:
    with serve_aws() as url:
        yield url


@pytest.fixture
def dynamodb(aws: str, _serial_aws: str) -> str:
    """Where a DynamoDB and an S3 are, in an environment in which boto3 can use them."""
    return _serial_aws


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inbox]:
    """A new inbox of each kind."""
    name = "memory:"
    if request.param == "sqlite":
        name = f"sqlite:{tmp_path / 'new.inbox'}"
    elif request.param == "dynamodb":
        url = request.getfixturevalue("dynamodb")
        name = f"dynamodb:{new_table(url)}?endpoint_url={url}"
    opened = open_inbox(name)
    yield opened
    opened.close()

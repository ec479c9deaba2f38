"""A client of moto's Kinesis, and streams that are fed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.clients.kinesis import connect_kinesis
from qldb_stream.inbox import SqliteInbox
from tests.sources.kinesis.support import Fed


@pytest.fixture
def client(aws: str) -> Any:
    """A client of its own for each test, to be made to fail."""
    return connect_kinesis(endpoint_url=aws)


@pytest.fixture
def feed(client: Any, tmp_path: Path) -> Callable[..., Fed]:
    """Make a stream: `feed(shards=4)`."""

    def make(shards: int = 2) -> Fed:
        return Fed(client, f"cars-{uuid.uuid4().hex}", tmp_path, shards=shards)

    return make


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[SqliteInbox]:
    """An inbox in a file."""
    opened = SqliteInbox(tmp_path / "a.inbox")
    yield opened
    opened.close()

"""A table, a bucket and whatever befalls the calls to them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import boto3
import pytest

from qldb_stream.inbox.dynamodb import DynamoDbInbox
from tests.inbox.dynamodb.faults import Faults, open_table
from tests.inbox.tables import client_of, new_table

_NUMBERS = itertools.count()


@pytest.fixture
def table(dynamodb: str) -> str:
    """An empty table."""
    return new_table(dynamodb)


@pytest.fixture
def bucket(dynamodb: str) -> str:
    """An empty bucket."""
    name = f"long-{next(_NUMBERS)}"
    client_of("s3", dynamodb).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return name


@pytest.fixture
def faults(dynamodb: str, table: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """What befalls the calls of all clients that are made from now on."""
    session = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    found = Faults()
    found.install(session)
    return found


@pytest.fixture
def table_inbox(dynamodb: str, table: str, bucket: str) -> Iterator[DynamoDbInbox]:
    """An inbox in a new table, with a bucket."""
    inbox = open_table(dynamodb, table, bucket=bucket)
    yield inbox
    inbox.close()

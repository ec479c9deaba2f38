"""What the tests of the sink share: tables of their own, and blocks that are told by hand."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from qldb_stream.plugins import open_sink
from qldb_stream.sinks.dynamodb._sink import DynamodbSink

_NUMBERS = itertools.count()


def new_table() -> str:
    """Name a table that is not there yet."""
    return f"cars-{os.getpid()}-{next(_NUMBERS)}"


@contextmanager
def opened(table: str, **options: str) -> Iterator[DynamodbSink]:
    """A sink of a table that is made where it is not there."""
    sink = open_sink(f"dynamodb:{table}", **{"create": "yes"} | options)
    assert isinstance(sink, DynamodbSink)
    try:
        yield sink
    finally:
        sink.close()


def client() -> Any:
    """Give a client of DynamoDB, as boto3 makes it from the environment."""
    return boto3.client("dynamodb")


def items(table: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Read all items of a table by their keys."""
    found = client().scan(TableName=table)
    assert "LastEvaluatedKey" not in found
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found["Items"]}

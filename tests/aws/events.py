"""Events as Lambda hands them over, and a context that has so much time."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

SHARD = "shardId-000000000000"


def kinesis_event(data: Iterable[bytes], first: int = 0) -> dict[str, Any]:
    """An event of an event source mapping: one record for each piece of data."""
    return {"Records": [kinesis_record(each, n) for n, each in enumerate(data, first)]}


def kinesis_record(data: bytes, number: int) -> dict[str, Any]:
    """One of its records, with everything that Lambda puts there."""
    sequence = str(49590338271490256608559692538361571095921575989136588898 + number)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "a",
            "sequenceNumber": sequence,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1_577_836_800.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{SHARD}:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/replay",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/cars",
    }


def failures(event: dict[str, Any], index: int | None) -> dict[str, Any]:
    """The answer that names the record of an index, or none."""
    if index is None:
        return {"batchItemFailures": []}
    number = event["Records"][index]["kinesis"]["sequenceNumber"]
    return {"batchItemFailures": [{"itemIdentifier": number}]}


@attrs.frozen
class Context:
    """Lambda's context, as far as it is used."""

    left_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """So many."""
        return self.left_ms


@contextlib.contextmanager
def metric_lines() -> Iterator[list[dict[str, Any]]]:
    """What is written to standard output, as the objects that its lines are."""
    lines: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(io.StringIO()) as written:
        yield lines
    lines += [json.loads(line) for line in written.getvalue().splitlines()]

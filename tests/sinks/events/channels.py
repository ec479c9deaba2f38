"""What stands beside the sink in its tests: queues, topics, buses, and who receives from them."""

from __future__ import annotations

import functools
import itertools
import json
import os
from typing import Any

import boto3

from qldb_stream.sinks.events import open_events
from qldb_stream.sinks.events._sink import EventsSink
from qldb_stream.testing.kit import kit_place

NUMBERS = itertools.count()
FIFO = {"FifoQueue": "true"}

client = functools.cache(boto3.client)

_received: dict[str, list[Any]] = {}


def fresh_name() -> str:
    """Give a name that nothing has."""
    return f"cars-{os.getpid()}-{next(NUMBERS)}"


def make_queue(name: str, **attributes: str) -> str:
    """Make a queue, if it is not there; give its URL."""
    found = client("sqs").create_queue(QueueName=name, Attributes=attributes)
    return str(found["QueueUrl"])


def arn_of(queue_url: str) -> str:
    """Give a queue's ARN."""
    asked = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(asked["Attributes"]["QueueArn"])


def receive(queue_url: str) -> list[Any]:
    """Take all messages from a queue, in order; give all that ever were taken from it here."""
    sqs, found = client("sqs"), _received.setdefault(queue_url, [])
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        found += [json.loads(message["Body"]) for message in messages]
        handles = [
            {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
            for i, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=handles)
    return found


def kit_queue() -> EventsSink:
    """Open the sink of a queue that is the place's own; for the kit, in any process."""
    name = f"{kit_place().name}.fifo"
    make_queue(name, **FIFO)
    return open_events(f"sqs/{name}", {"max_bytes": str(1 << 20)})


def read_back(sink: Any) -> Any:
    """Give all events with their ids: what one group has is in order."""
    events = receive(sink._channel._url)  # noqa: SLF001 - where it sends to
    pairs = [(event["id"], event) for event in events]
    return sorted(pairs, key=lambda pair: str(pair[1]["partitionkey"]))

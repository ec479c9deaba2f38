"""
The three services: how each takes a batch, and what it says of events that it did not take.

A batch has up to 10 events and, together, as many bytes as one event may have
(https://docs.aws.amazon.com: SendMessageBatch, PublishBatch, PutEvents).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import attrs

from qldb_stream.boto import is_passing
from qldb_stream.errors import UsageError
from qldb_stream.sinks.events._aws import make_client, translated
from qldb_stream.sinks.events._envelope import Event
from qldb_stream.sinks.events._settings import Settings

__all__ = ["BATCH_EVENTS", "Channel", "NotTaken", "make_channel"]

BATCH_EVENTS: Final = 10
"""The most events in a batch, of all three."""

_FIFO: Final = ".fifo"
_OVERHEAD_BYTES: Final = 64  # EventBridge counts time, source and type; counted for all


@attrs.frozen
class NotTaken:
    """An event of a batch that was not taken: its index, why, and whether it ever will be."""

    index: int
    code: str
    may_pass: bool


class Channel(Protocol):
    """A way to send batches of events."""

    is_ordered: bool
    """Whether the service keeps the order of what has one group."""

    def size(self, event: Event) -> int:
        """Give the bytes that the service counts for an event."""

    def send(self, events: Sequence[Event]) -> list[NotTaken]:
        """
        Send a batch; answer what was not taken.

        Raises:
            UsageError: nothing will be taken before something is put right.
            SinkUnavailableError: nothing is taken now.
        """


def make_channel(settings: Settings) -> Channel:
    """
    Make the way to where a URL points.

    Raises:
        UsageError: boto3 is missing or has no region, or the queue is not there.
        SinkUnavailableError: the service does not answer.
    """
    made: dict[str, Any] = {"sqs": Queue, "sns": Topic, "eventbridge": Bus}
    channel: Channel = made[settings.channel](settings)
    return channel


class Queue:
    """A FIFO queue of SQS."""

    is_ordered = True

    def __init__(self, settings: Settings) -> None:
        self._sink = settings.sink
        self._client = make_client(settings.sink, "sqs")
        self._url = settings.target
        if not settings.target.startswith(("https://", "http://")):
            with translated(settings.sink):
                self._url = self._client.get_queue_url(QueueName=settings.target)["QueueUrl"]

    def size(self, event: Event) -> int:
        """Give the body's bytes."""
        return event.size + _OVERHEAD_BYTES

    def send(self, events: Sequence[Event]) -> list[NotTaken]:
        """Send a batch, by groups and with deduplication ids."""
        entries = [
            {"Id": str(i), "MessageBody": event.body, **_fifo(event)}
            for i, event in enumerate(events)
        ]
        with translated(self._sink):
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        return _by_id(answer)


class Topic:
    """A topic of SNS; one that is not FIFO keeps no order."""

    def __init__(self, settings: Settings) -> None:
        self._sink = settings.sink
        self._arn = settings.target
        self._client = make_client(settings.sink, "sns")
        self.is_ordered = settings.target.endswith(_FIFO)

    def size(self, event: Event) -> int:
        """Give the message's bytes."""
        return event.size + _OVERHEAD_BYTES

    def send(self, events: Sequence[Event]) -> list[NotTaken]:
        """Publish a batch."""
        entries = [
            {"Id": str(i), "Message": event.body, **(_fifo(event) if self.is_ordered else {})}
            for i, event in enumerate(events)
        ]
        with translated(self._sink):
            answer = self._client.publish_batch(
                TopicArn=self._arn, PublishBatchRequestEntries=entries
            )
        return _by_id(answer)


class Bus:
    """A bus of EventBridge; it keeps no order."""

    is_ordered = False

    def __init__(self, settings: Settings) -> None:
        self._sink = settings.sink
        self._bus = settings.target
        self._source = settings.source
        self._client = make_client(settings.sink, "events")

    def size(self, event: Event) -> int:
        """Give the bytes of what an entry has."""
        return event.size + len(self._source.encode()) + len(event.type) + _OVERHEAD_BYTES

    def send(self, events: Sequence[Event]) -> list[NotTaken]:
        """Put a batch; answers stand in the order of entries."""
        entries = [
            {
                "EventBusName": self._bus,
                "Source": self._source,
                "DetailType": event.type,
                "Detail": event.body,
            }
            for event in events
        ]
        with translated(self._sink):
            answer = self._client.put_events(Entries=entries)
        if len(answer["Entries"]) != len(events):
            raise UsageError(f"{self._sink}: the service answers for another number of events")
        codes = [str(entry.get("ErrorCode") or "") for entry in answer["Entries"]]
        return [NotTaken(i, code, is_passing(code)) for i, code in enumerate(codes) if code]


def _fifo(event: Event) -> dict[str, str]:
    return {"MessageGroupId": event.group, "MessageDeduplicationId": event.id}


def _by_id(answer: dict[str, Any]) -> list[NotTaken]:
    """Read what SQS and SNS say of entries that failed."""
    return [
        NotTaken(
            int(failed["Id"]),
            str(failed.get("Code", "")),
            not failed.get("SenderFault") or is_passing(str(failed.get("Code", ""))),
        )
        for failed in answer.get("Failed", ())
    ]

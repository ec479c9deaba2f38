"""
Positions, as the last committed record of each strand in a compacted topic with one partition.

A position is written in the transaction of the records that it counts. Whoever reads it waits
until every transaction that was open when it began has ended: up to there committed records
can be seen, and no newer position is hidden behind an open transaction of another strand. It
reads backwards in growing steps, so that a topic which is not compacted yet costs little.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

import attrs
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.report import Position
from qldb_stream.sinks.kafka._problems import translated

__all__ = ["PARTITION", "OpenTransactionError", "Stored", "StoredPositions"]

PARTITION: Final = 0
_FORMAT: Final = "qldb-stream kafka"
_VERSION: Final = 1
_STEP: Final = 1000  # offsets; a transaction takes two, its position and its end
_PAUSE_S: Final = 0.05
_POLL_S: Final = 0.5
_FETCH_MS: Final = 20  # the end of a topic is told after that, not after half a second


class OpenTransactionError(SinkUnavailableError):
    """What is committed cannot be told while a transaction is open."""


@attrs.frozen
class Stored:
    """A position and the token that it was written with."""

    position: Position
    token: int

    def value(self) -> bytes:
        """Write the value of its record."""
        head = {"format": _FORMAT, "version": _VERSION, "token": self.token}
        return json.dumps(head | self.position.as_json()).encode()


class StoredPositions:
    """
    Reads positions from their topic.

    Args:
        sink: what messages call whoever reads.
        topic: the topic of positions.
        config: librdkafka's settings.
        admin: asks brokers.
        timeout_s: how long to wait for them, and for transactions that are open.
    """

    def __init__(
        self, sink: str, topic: str, config: dict[str, Any], admin: AdminClient, timeout_s: float
    ) -> None:
        self._sink = sink
        self._at = TopicPartition(topic, PARTITION)
        self._admin = admin
        self._timeout_s = timeout_s
        reading = {
            "group.id": "qldb-stream",  # nothing is ever committed for it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": _FETCH_MS,
        }
        with translated(sink):
            self._consumer: Consumer | None = Consumer(config | reading)

    def read(self, strand_id: str, patience_s: float | None = None) -> Stored | None:
        """
        Read the newest committed position of a strand.

        Args:
            strand_id: whose.
            patience_s: how long to wait for open transactions; None for as long as for brokers.

        Raises:
            UsageError: what is there is of another format, or access is denied.
            OpenTransactionError: a transaction stays open.
            SinkUnavailableError: brokers do not answer.
        """
        deadline = time.monotonic() + self._timeout_s
        until = deadline if patience_s is None else time.monotonic() + patience_s
        with translated(self._sink):
            first, end = self._bounds(deadline, until)
            start, step = end, _STEP
            while start > first:
                stop, start = start, max(first, start - step)
                found = self._newest(strand_id, start, stop, deadline)
                if found is not None:
                    return self._parse(strand_id, found)
                step *= 2
        return None

    def close(self) -> None:
        """Leave the brokers."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _bounds(self, deadline: float, until: float) -> tuple[int, int]:
        """Give the first offset and the end, when all before the end is decided."""
        first = self._offset(OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED, deadline)
        end = self._offset(OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED, deadline)
        while self._offset(OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, deadline) < end:
            if time.monotonic() > until:
                problem = (
                    "a transaction is still open; the brokers end it when its time is up, and "
                    "kafka-transactions.sh finds one that hangs"
                )
                raise OpenTransactionError(self._sink, problem)
            time.sleep(_PAUSE_S)
        return first, end

    def _offset(self, which: OffsetSpec, isolation: IsolationLevel, deadline: float) -> int:
        left_s = max(1.0, deadline - time.monotonic())
        asked = self._admin.list_offsets(
            {self._at: which}, isolation_level=isolation, request_timeout=left_s
        )
        return int(asked[self._at].result().offset)

    def _newest(self, strand_id: str, start: int, stop: int, deadline: float) -> bytes | None:
        """Read a range of offsets; give the last value with a strand's key."""
        assert self._consumer is not None, "it is open"
        key, found = strand_id.encode(), None
        self._consumer.assign([TopicPartition(self._at.topic, PARTITION, start)])
        while time.monotonic() < deadline:
            message = self._consumer.poll(_POLL_S)
            if message is None:
                continue
            error, offset = message.error(), message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            is_past = offset is not None and offset >= stop
            if error is None and not is_past and message.key() == key:
                found = message.value()
            if error is not None or is_past or (offset is not None and offset + 1 >= stop):
                return found
        raise SinkUnavailableError(self._sink, "positions cannot be read in time")

    def _parse(self, strand_id: str, value: bytes) -> Stored:
        try:
            found = json.loads(value)
            if found["format"] == _FORMAT and found["version"] != _VERSION:
                raise UsageError(
                    f"{self._sink}: positions have version {found['version']} of the format, "
                    f"this is version {_VERSION}"
                )
            stored = Stored(Position.from_json(found), int(found["token"]))
        except (KeyError, TypeError, ValueError) as exc:
            problem = f"{self._sink}: what {self._at.topic} holds is no position of this sink's"
            raise UsageError(problem) from exc
        if stored.position.strand_id != strand_id or found["format"] != _FORMAT:
            raise UsageError(f"{self._sink}: {self._at.topic} is used by something else")
        return stored

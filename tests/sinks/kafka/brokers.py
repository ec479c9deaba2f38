"""What stands beside the sink in its tests: a broker, and a consumer that reads a topic back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import attrs
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from qldb_stream.report import Guarantee

REAL = os.environ.get("QLDB_STREAM_KAFKA", "")
"""The brokers of a real Kafka, on which all these tests run then."""

# librdkafka's mock keeps topics, offsets and transactional ids, but shows what was aborted, fences
# nobody and knows no administration: what needs those is shown on a real broker only.
GUARANTEE = Guarantee.EXACTLY_ONCE if REAL else Guarantee.AT_LEAST_ONCE
OPTIONS = "topics=create" if REAL else "topics=trust"


@contextmanager
def run_brokers() -> Iterator[str]:
    """
    Give the address of brokers on loopback, or of the real ones.

    The mock stands in a process of its own: in one that has run thousands of tests before, its
    clients waited for it for minutes.
    """
    if REAL:
        yield REAL
        return
    command = [sys.executable, "-m", "tests.sinks.kafka.brokers"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def serve_mock() -> None:
    """Run librdkafka's mock, and say where, until standard input ends."""
    mock = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    found = mock.list_topics(timeout=10).brokers.values()
    sys.stdout.write(",".join(f"{broker.host}:{broker.port}" for broker in found) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


@attrs.frozen
class Read:
    """A record as a consumer that reads committed ones finds it."""

    partition: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]


def read_topic(brokers: str, topic: str) -> list[Read]:
    """Read a whole topic, partition by partition, in order."""
    settings = {
        "bootstrap.servers": brokers,
        "group.id": "tests",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 5,
        "log_level": 0,
    }
    with closing(Consumer(settings)) as consumer:
        partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: dict[int, list[Read]] = {number: [] for number in partitions}
        ended: set[int] = set()
        while len(ended) < len(partitions):
            message = consumer.poll(10)
            assert message is not None, "the broker does not answer"
            error = message.error()
            if error is None:
                found[message.partition()].append(_read(message))
            else:
                assert KafkaError._PARTITION_EOF == error.code()
                ended.add(message.partition())
    return [read for number in partitions for read in found[number]]


def _read(message: Any) -> Read:
    headers = {name: value.decode() for name, value in message.headers() or ()}
    return Read(message.partition(), message.key().decode(), message.value(), headers)


def read_back(sink: Any) -> Any:
    """Give all records of a sink's topic; with their keys where a broker shows aborted ones."""
    settings = sink._settings
    records = read_topic(settings.brokers, settings.topic)
    if GUARANTEE is Guarantee.EXACTLY_ONCE:
        by_key: dict[
            str, list[Read]
        ] = {}  # what was parked comes late, but in its document's order
        for read in records:
            by_key.setdefault(read.key, []).append(read)
        return dict(sorted(by_key.items()))
    return [(read.headers["qldb-message"], read) for read in records]


if __name__ == "__main__":
    serve_mock()

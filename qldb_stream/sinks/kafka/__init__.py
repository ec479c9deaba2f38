"""
`kafka:BROKERS/TOPIC`: revisions as records of a topic of Kafka, exactly once.

Needs confluent-kafka (extra `kafka`). Each run of blocks is one transaction of Kafka's: its
records, and the position with its fencing token in a compacted topic beside it, are there for
consumers that read committed records (`isolation.level=read_committed`) all at once or never.
What records look like is in `_records`, how one writer keeps others out in `_sink`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl

if TYPE_CHECKING:
    from qldb_stream.sinks.kafka._sink import KafkaSink

__all__ = ["open_kafka", "qldb_stream_register_sinks"]

_OPTIONS: Final = (
    SinkOption(
        "value", "what a record's value is: the document as JSON or Ion", "json", ("json", "ion")
    ),
    SinkOption(
        "key",
        "what a record's key is: the document's id, or id and version, which keeps history in a "
        "compacted topic",
        "document",
        ("document", "revision"),
    ),
    SinkOption(
        "deletes",
        "what a delete is: a tombstone, or a record whose value is null in its format",
        "tombstone",
        ("tombstone", "record"),
    ),
    SinkOption("positions", "the compacted topic of positions", "TOPIC.positions"),
    SinkOption(
        "topics",
        "topics that are missing are made; or only looked at; or not even that",
        "create",
        ("create", "check", "trust"),
    ),
    SinkOption("config", "a file of librdkafka's settings, NAME=VALUE a line: security, passwords"),
    SinkOption("message_bytes", "the largest record; a larger one is refused", "1000000"),
    SinkOption("timeout_s", "how long to wait for brokers, in seconds", "30"),
)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `kafka:`."""
    return [SinkType("kafka", open_kafka, "records of a Kafka topic, by document", _OPTIONS)]


def open_kafka(path: str, options: Mapping[str, str]) -> KafkaSink:
    """
    Open a sink of a topic.

    Raises:
        UsageError: confluent-kafka is not installed, the URL or an option makes no sense, a
            topic is missing or not as it must be, or access is denied.
        SinkUnavailableError: the brokers do not answer now.
    """
    from qldb_stream.sinks.kafka._settings import read_settings

    settings = read_settings(path, options)
    try:
        from qldb_stream.sinks.kafka._sink import KafkaSink
    except ImportError as exc:
        problem = "kafka: needs confluent-kafka: pip install 'qldb-stream[kafka]'"
        raise UsageError(problem) from exc
    return KafkaSink(settings)

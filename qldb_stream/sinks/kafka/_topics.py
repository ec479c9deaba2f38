"""The two topics of a sink: made where they are missing, looked at, counted."""

from __future__ import annotations

from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from qldb_stream.errors import UsageError
from qldb_stream.sinks.kafka._problems import error_of, translated
from qldb_stream.sinks.kafka._settings import Settings

__all__ = ["prepare_topics"]

_POLICY: Final = "cleanup.policy"


def prepare_topics(admin: AdminClient, settings: Settings) -> int:
    """
    Make sure that both topics are as they must be.

    Returns:
        How many partitions the topic of records has.

    Raises:
        UsageError: one is missing or cannot be made; positions would be lost in theirs.
        SinkUnavailableError: the brokers do not answer.
    """
    with translated(settings.sink):
        if settings.topics == "trust":
            admin.list_topics(settings.positions, timeout=settings.timeout_s)
            return _partitions(admin, settings, settings.topic)
        there = admin.list_topics(timeout=settings.timeout_s).topics
        for name in (settings.topic, settings.positions):
            if name not in there:
                _make(admin, settings, name)
        _check_positions(admin, settings)
        return _partitions(admin, settings, settings.topic)


def _make(admin: AdminClient, settings: Settings, name: str) -> None:
    if settings.topics == "check":
        raise UsageError(
            f"{settings.sink}: there is no topic {name}; make it (that of positions with one "
            "partition and cleanup.policy=compact), or take topics=create"
        )
    is_positions = name == settings.positions
    topic = NewTopic(
        name,
        num_partitions=1 if is_positions else -1,  # as the brokers are set
        replication_factor=-1,
        config={_POLICY: "compact"} if is_positions else {},
    )
    try:
        admin.create_topics([topic], request_timeout=settings.timeout_s)[name].result()
    except KafkaException as exc:
        if error_of(exc).code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another one was faster
            raise


def _check_positions(admin: AdminClient, settings: Settings) -> None:
    """Refuse a topic that forgets: a lost position would deliver everything again."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, settings.positions)
    asked: Any = admin.describe_configs([resource], request_timeout=settings.timeout_s)
    found = asked[resource].result()
    policy = found[_POLICY].value if _POLICY in found else "delete"
    if policy != "compact":
        raise UsageError(
            f"{settings.sink}: topic {settings.positions} has {_POLICY}={policy}, so positions "
            "would be deleted in time; set it to compact"
        )
    count = _partitions(admin, settings, settings.positions)
    if count != 1:
        raise UsageError(
            f"{settings.sink}: topic {settings.positions} has {count} partitions; it needs one"
        )


def _partitions(admin: AdminClient, settings: Settings, name: str) -> int:
    found = admin.list_topics(name, timeout=settings.timeout_s).topics[name]
    if found.error is not None:
        raise KafkaException(found.error)
    return len(found.partitions)

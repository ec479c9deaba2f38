"""What the URL of a `kafka:` sink says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.errors import UsageError

__all__ = ["Settings", "read_settings"]

# https://github.com/apache/kafka: org.apache.kafka.common.internals.Topic
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_MAX_CONFIG_BYTES: Final = 1 << 20
_MAX_MESSAGE_BYTES: Final = 1_000_000_000  # librdkafka's own bound of message.max.bytes
_MIN_MESSAGE_BYTES: Final = 1000
_MAX_TIMEOUT_S: Final = 600.0

# What the guarantee rests on, or what the URL itself says.
_OURS: Final = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "enable.auto.commit",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "isolation.level",
        "message.max.bytes",
        "metadata.broker.list",
        "partitioner",
        "request.required.acks",
        "transactional.id",
    }
)


@attrs.frozen
class Settings:
    """
    A sink's settings.

    `config` are librdkafka's own, by its names; passwords are among them.
    """

    brokers: str
    topic: str
    positions: str
    value: str = "json"
    key: str = "document"
    deletes: str = "tombstone"
    topics: str = "create"
    message_bytes: int = 1_000_000
    timeout_s: float = 30.0
    config: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @property
    def sink(self) -> str:
        """Name the sink in messages."""
        return f"kafka:{self.brokers}/{self.topic}"


def read_settings(path: str, options: Mapping[str, str]) -> Settings:
    """
    Read ``BROKERS/TOPIC`` and the options.

    Raises:
        UsageError: something makes no sense, or the file of settings cannot be read.
    """
    brokers, slash, topic = path.removeprefix("//").rpartition("/")
    if not slash or not all(_BROKER.fullmatch(one) for one in brokers.split(",")):
        raise UsageError("kafka: write kafka:BROKER:9092,BROKER:9092/TOPIC")
    positions = options.get("positions", f"{topic}.positions")
    for name in (topic, positions):
        if _TOPIC.fullmatch(name) is None:
            raise UsageError(f"kafka: {name!r} cannot be the name of a topic")
    if positions == topic:
        raise UsageError("kafka: positions need a topic of their own")
    told = ("value", "key", "deletes", "topics")
    return Settings(
        brokers,
        topic,
        positions,
        message_bytes=int(
            _number(options, "message_bytes", 1e6, _MIN_MESSAGE_BYTES, _MAX_MESSAGE_BYTES)
        ),
        timeout_s=_number(options, "timeout_s", 30.0, 1.0, _MAX_TIMEOUT_S),
        config=_read_config(options.get("config")),
        **{name: options[name] for name in told if name in options},
    )


def _number(
    options: Mapping[str, str], name: str, default: float, least: float, most: float
) -> float:
    try:
        found = float(options.get(name, default))
    except ValueError:
        found = 0.0
    if not least <= found <= most:
        raise UsageError(f"kafka: {name} is a number from {least:g} to {most:g}")
    return found


def _read_config(path: str | None) -> dict[str, str]:
    """Read a file of librdkafka's settings, as kcat's: NAME=VALUE a line, # for remarks."""
    if path is None:
        return {}
    try:
        with Path(path).open(encoding="utf-8") as opened:
            text = opened.read(_MAX_CONFIG_BYTES)
    except (OSError, ValueError) as exc:
        raise UsageError(f"kafka: the file of settings {path!r} cannot be read: {exc}") from exc
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or name.startswith("#"):
            continue
        if not equals or name in _OURS:
            problem = "is no NAME=VALUE" if not equals else f"sets {name}, which the sink sets"
            raise UsageError(f"kafka: line {number} of {path!r} {problem}")
        found[name] = value
    return found

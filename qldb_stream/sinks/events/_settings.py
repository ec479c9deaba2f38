"""What the URL of an `events:` sink says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from qldb_stream.errors import UsageError

__all__ = ["Settings", "read_settings"]

_CHANNELS: Final = ("eventbridge", "sns", "sqs")
_BUCKET: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_MIN_BYTES: Final = 4096  # an event without its document has 1 to 2 KB
_MAX_BYTES: Final = 1 << 20  # the most that any of the three services takes
_DEFAULT_BYTES: Final = 256 << 10
_MAX_SOURCE: Final = 256


@attrs.frozen
class Settings:
    """
    A sink's settings.

    `channel` is eventbridge, sns or sqs, `target` the bus, the topic's ARN or the queue.
    """

    channel: str
    target: str
    source: str = "qldb-stream"
    max_bytes: int = _DEFAULT_BYTES
    claims_bucket: str | None = None
    claims_prefix: str = ""

    @property
    def sink(self) -> str:
        """Name the sink in messages."""
        return f"events:{self.channel}/{self.target}"


def read_settings(path: str, options: Mapping[str, str]) -> Settings:
    """
    Read ``CHANNEL/TARGET`` and the options.

    Raises:
        UsageError: something makes no sense.
    """
    channel, _, target = path.partition("/")
    if channel not in _CHANNELS or not target:
        raise UsageError(
            "events: write events:eventbridge/BUS, events:sns/TOPIC_ARN or events:sqs/QUEUE"
        )
    if channel == "sqs" and not target.endswith(".fifo"):
        raise UsageError(f"events: {target} is no FIFO queue, and others do not keep order")
    if channel == "sns" and not target.startswith("arn:"):
        raise UsageError(f"events: {target} is no ARN of a topic")
    source = options.get("source", "qldb-stream")
    if not 0 < len(source) <= _MAX_SOURCE or (channel, source[:4]) == ("eventbridge", "aws."):
        raise UsageError("events: source has 1 to 256 characters, and aws. belongs to AWS")
    bucket, prefix = _read_claims(options.get("claims"))
    return Settings(channel, target, source, _max_bytes(options), bucket, prefix)


def _max_bytes(options: Mapping[str, str]) -> int:
    try:
        found = int(options.get("max_bytes", _DEFAULT_BYTES))
    except ValueError:
        found = 0
    if not _MIN_BYTES <= found <= _MAX_BYTES:
        raise UsageError(f"events: max_bytes is a number from {_MIN_BYTES} to {_MAX_BYTES}")
    return found


def _read_claims(url: str | None) -> tuple[str | None, str]:
    if url is None:
        return None, ""
    found = _BUCKET.fullmatch(url)
    if found is None:
        raise UsageError(f"events: claims is s3://BUCKET/PREFIX, not {url!r}")
    prefix = (found[2] or "").strip("/")
    return found[1], f"{prefix}/" if prefix else ""

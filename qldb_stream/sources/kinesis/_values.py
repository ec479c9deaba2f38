"""What is known of a stream, its shards and how far they are read: values without I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import attrs

from qldb_stream.errors import InboxFileError, UsageError

__all__ = [
    "Answer",
    "Begin",
    "Checkpoint",
    "Group",
    "Shard",
    "StreamFacts",
    "check_begin",
    "readable_shards",
]

Begin: TypeAlias = datetime | Literal["latest", "trim_horizon"]
"""Where a stream is begun: what comes from now on, the oldest that it has, or a time (aware)."""

LATEST: Final = "latest"
TRIM_HORIZON: Final = "trim_horizon"


def check_begin(begin: Begin, now_s: float) -> Begin:
    """
    Check where a stream is to be begun.

    Raises:
        UsageError: it is another word, a time without an offset, or one to come: Kinesis
            takes none of these.
    """
    if isinstance(begin, datetime):
        if begin.tzinfo is None:
            raise UsageError("a time to begin with has an offset, such as +00:00")
        if begin.timestamp() > now_s:
            raise UsageError(f"nothing can begin at {begin.isoformat()}, which is to come")
    elif begin not in {LATEST, TRIM_HORIZON}:
        raise UsageError(f"{begin!r} is no place to begin: latest, trim_horizon or a time")
    return begin


@attrs.frozen
class Shard:
    """A shard; `parents` are those that were split or merged into it, `is_closed` takes no more."""

    shard_id: str
    parents: tuple[str, ...] = ()
    is_closed: bool = False


@attrs.frozen
class StreamFacts:
    """
    What Kinesis says of a stream.

    `created_s` tells it from an earlier one of its name. Times are seconds since 1970;
    `server_s` is Kinesis's own at the answer, in whole seconds.
    """

    arn: str
    created_s: int
    retention_s: float
    server_s: float


@attrs.frozen
class Answer:
    """
    What a call of GetRecords came to.

    `next_iterator` is None when the shard was closed and is read to its end. `behind_s` says how
    far the newest record is ahead of what has been read.
    """

    records: Sequence[Mapping[str, Any]]
    next_iterator: str | None
    behind_s: float


@attrs.frozen
class Checkpoint:
    """
    How far a shard is read, durably.

    `sequence_number` is of the last record that is safe; None for none. Everything that the
    shard had at `read_until_s`, seconds since 1970, is safe.
    """

    sequence_number: str | None = None
    read_until_s: float = 0.0
    is_ended: bool = False

    def to_text(self) -> str:
        """Give the text that an inbox keeps."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_text(cls, text: str, key: str) -> Checkpoint:
        """
        Read what `to_text` wrote.

        Raises:
            InboxFileError: it is something else.
        """
        said = _read(text, key)
        number = said.get("sequence_number")
        read_until_s, is_ended = said.get("read_until_s"), said.get("is_ended")
        if isinstance(number, str | None) and isinstance(read_until_s, int | float):
            return cls(number, float(read_until_s), is_ended is True)
        raise _strange(key)


@attrs.frozen
class Group:
    """
    Where all who share an inbox have begun a stream.

    `at_s` is a time in seconds since 1970, None for the oldest record.
    """

    at_s: float | None = None

    @classmethod
    def begun(cls, begin: Begin, server_s: float) -> Group:
        """Make `latest` a time, so that who comes back before the first record misses none."""
        if isinstance(begin, datetime):
            return cls(begin.timestamp())
        return cls(server_s) if begin == LATEST else cls()

    @property
    def time(self) -> datetime | None:
        """Give the time, aware, UTC."""
        return None if self.at_s is None else datetime.fromtimestamp(self.at_s, UTC)

    def to_text(self) -> str:
        """Give the text that an inbox keeps."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_text(cls, text: str, key: str) -> Group:
        """
        Read what `to_text` wrote.

        Raises:
            InboxFileError: it is something else.
        """
        at_s = _read(text, key).get("at_s")
        if at_s is None or isinstance(at_s, int | float):
            return cls(at_s)
        raise _strange(key)


def readable_shards(shards: Mapping[str, Shard], ended: Collection[str]) -> list[Shard]:
    """
    Give the shards that may be read now, by id: parents are read to their end before.

    Args:
        shards: all that the stream has; a parent that is not among them is gone, and with it
            everything that it had.
        ended: ids of those that are read to their end.
    """
    return [
        shard
        for shard_id, shard in sorted(shards.items())
        if shard_id not in ended
        and all(parent in ended or parent not in shards for parent in shard.parents)
    ]


def _read(text: str, key: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError as exc:
        raise _strange(key) from exc
    if not isinstance(said, dict):
        raise _strange(key)
    return said


def _strange(key: str) -> InboxFileError:
    return InboxFileError("of the stream", f"the checkpoint {key} is none of ours")

"""
One shard, read from its checkpoint on.

A read never fails for what may pass: it says when it is due again. What was lost, because the
stream had kept it no longer when it was to be read, is an `Undecodable` in its place, so that it
is kept, counted and told like any other part that cannot be read.

A checkpoint tells until when a shard was read. If that is longer ago than the stream keeps
records, some may have gone meanwhile; none has when the oldest that is there is not newer than
the last that was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import attrs

from qldb_stream.errors import CarrierError, SourceUnavailableError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.kinesis import parse_kinesis_event
from qldb_stream.sources.kinesis._client import (
    IteratorExpiredError,
    NotThereError,
    PlaceGoneError,
    Stream,
)
from qldb_stream.sources.kinesis._flight import Progress
from qldb_stream.sources.kinesis._settings import KinesisSettings
from qldb_stream.sources.kinesis._values import Checkpoint, Group, Shard, StreamFacts
from qldb_stream.typing import Item

__all__ = ["ShardReader", "Step", "items_of"]

_BASE_S: Final = 0.2
_CAP_S: Final = 10.0
_DOUBLINGS: Final = 10
# https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
_LEAST_RETENTION_S: Final = 86_400.0
# Kinesis says when a closed shard has ended, and some of its likenesses never do. One answer with
# nothing in it is no proof: Kinesis gives such where there is more.
_NOTHINGS: Final = 3
_LOOKS: Final = 20  # for the oldest record: Kinesis answers with nothing where there is little


@attrs.frozen
class Step:
    """Items to be given, and how far the shard is read with them."""

    items: Sequence[Item]
    reached: Checkpoint


class ShardReader:
    """
    Reads one shard.

    Args:
        stream: its stream.
        facts: what the stream is.
        shard: the shard; replaced when it is known to be closed.
        progress: how far it is read, which whoever gives its items on moves.
        group: where the stream was begun.
        settings: how often.
        chance: draws the waits after failures.
        losses: what is known to be lost before its first record.

    Attributes:
        due_s: when it should be read next; until then it must not.
        is_caught_up: whether it has been read to its tip.
    """

    def __init__(  # noqa: PLR0913 - a reader has all of these
        self,
        stream: Stream,
        facts: StreamFacts,
        shard: Shard,
        progress: Progress,
        group: Group,
        *,
        settings: KinesisSettings,
        chance: Random,
        losses: Sequence[str] = (),
    ) -> None:
        self.shard = shard
        self.due_s = 0.0
        self.is_caught_up = False
        self._stream: Final = stream
        self._facts: Final = facts
        self._progress: Final = progress
        self._group: Final = group
        self._settings: Final = settings
        self._chance: Final = chance
        self._losses = list(losses)
        self._iterator: str | None = None
        self._nothing = 0  # answers in a row that had nothing, of a closed shard
        self._failed = 0
        self._failing_since_s: float | None = None

    @property
    def is_ended(self) -> bool:
        """Say whether the shard was closed and is read to its end."""
        return self._progress.read.is_ended

    def read(self, now_s: float) -> Iterator[Step]:
        """
        Read what comes next, step by step; nothing when it failed and is to be tried again.

        Raises:
            SourceUnavailableError: it has failed for too long.
            UsageError: the stream is not there any more, or may not be read.
        """
        try:
            if self._iterator is None:
                yield from self._open(now_s)
            yield from self._read(now_s)
        except SourceUnavailableError as exc:
            self._back_off(now_s, exc)
        except (IteratorExpiredError, PlaceGoneError) as exc:
            self._iterator = None
            self._back_off(now_s, SourceUnavailableError(str(self._stream), type(exc).__name__))
        except NotThereError:
            yield from self._gone(now_s)

    def _open(self, now_s: float) -> Iterator[Step]:
        """Ask for the place after what was read, and tell what was lost before it."""
        while self._losses:
            yield self._loss(self._losses.pop(0), self._progress.read, now_s)
        checkpoint = self._progress.read
        try:
            self._iterator = self._stream.iterator(self.shard.shard_id, checkpoint, self._group)
        except PlaceGoneError:
            if checkpoint.sequence_number is None:
                raise
            self._iterator = self._stream.oldest(self.shard.shard_id)
            yield self._loss(_SINCE.format(_time(checkpoint)), Checkpoint(), now_s)
            return
        if self._may_have_lost(checkpoint, now_s):
            yield self._loss(_SINCE.format(_time(checkpoint)), checkpoint, now_s)

    def _read(self, now_s: float) -> Iterator[Step]:
        assert self._iterator is not None
        is_closed = self.shard.is_closed  # before the answer: nothing came after it then
        answer = self._stream.records(self._iterator, self._settings.most_records)
        self._iterator = answer.next_iterator
        self._failed, self._failing_since_s = 0, None
        has_more = bool(answer.records) or answer.behind_s > 0
        self.due_s = now_s + (self._settings.pause_s if has_more else self._settings.poll_s)
        for record in answer.records:
            reached = attrs.evolve(
                self._progress.read, sequence_number=str(record["SequenceNumber"])
            )
            yield Step(items_of(record, f"{self._stream}/{self.shard.shard_id}"), reached)
        self._nothing = 0 if has_more or not is_closed else self._nothing + 1
        is_ended = answer.next_iterator is None or self._nothing >= _NOTHINGS
        until_s = max(self._progress.read.read_until_s, now_s - answer.behind_s)
        # A full answer may have more behind it that came in the same millisecond.
        is_full = len(answer.records) >= self._settings.most_records
        self.is_caught_up = self.is_caught_up or (answer.behind_s == 0 and not is_full)
        yield Step((), attrs.evolve(self._progress.read, read_until_s=until_s, is_ended=is_ended))

    def _may_have_lost(self, checkpoint: Checkpoint, now_s: float) -> bool:
        age_s = now_s - checkpoint.read_until_s
        # Asked for anew: it may have been changed meanwhile.
        if age_s <= _LEAST_RETENTION_S or age_s <= self._stream.facts().retention_s:
            return False
        last, oldest = checkpoint.sequence_number, self._oldest()
        return last is None or oldest is None or int(oldest) > int(last)

    def _oldest(self) -> str | None:
        """Give the sequence number of the oldest record that is there; None for none."""
        iterator: str | None = self._stream.oldest(self.shard.shard_id)
        for _ in range(_LOOKS):
            if iterator is None:
                return None
            answer = self._stream.records(iterator, 1)
            if answer.records:
                return str(answer.records[0]["SequenceNumber"])
            if answer.behind_s == 0:
                return None
            iterator = answer.next_iterator
        return None

    def _loss(self, problem: str, checkpoint: Checkpoint, now_s: float) -> Step:
        """Tell of a loss, once: what is reached says that all is read that there is."""
        source = f"{self._stream}/{self.shard.shard_id}"
        found = Undecodable(source, 0, 0, CarrierError(source, 0, problem))
        return Step((found,), attrs.evolve(checkpoint, read_until_s=now_s))

    def _gone(self, now_s: float) -> Iterator[Step]:
        """End with what can be told of a shard that is not there any more."""
        facts = self._stream.facts()
        if facts.created_s != self._facts.created_s:
            raise UsageError(f"{self._stream} was deleted and made anew meanwhile; start again")
        step = self._loss(_SINCE.format(_time(self._progress.read)), self._progress.read, now_s)
        yield attrs.evolve(step, reached=attrs.evolve(step.reached, is_ended=True))

    def _back_off(self, now_s: float, error: SourceUnavailableError) -> None:
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        if now_s - self._failing_since_s > self._settings.patience_s:
            raise error
        longest_s = min(_CAP_S, _BASE_S * 2 ** min(self._failed, _DOUBLINGS))
        self._failed += 1
        self.due_s = now_s + self._chance.uniform(0, longest_s)


def items_of(record: Mapping[str, Any], place: str) -> list[Item]:
    """
    Read what one Kinesis record holds; what cannot be read stands in its place.

    Args:
        record: as boto3 gives it.
        place: stream and shard, for the names of what cannot be read.
    """
    source = f"{place}/{record['SequenceNumber']}"
    found: list[Item] = []

    def note(unreadable: Undecodable) -> None:
        found.append(attrs.evolve(unreadable, source=source))

    for event in parse_kinesis_event([record], on_error=note):
        found.append(event)  # noqa: PERF402 - `note` adds between two of them
    return found


_SINCE: Final = (
    "records may be lost: it was read until {} last, which is longer ago than the stream keeps them"
)


def _time(checkpoint: Checkpoint) -> str:
    return datetime.fromtimestamp(checkpoint.read_until_s, UTC).isoformat(timespec="seconds")

"""
Asking Kinesis: each call once, and its failures told apart by what to do about them.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

from qldb_stream.boto import code_of, may_pass, place_of, told
from qldb_stream.errors import SourceUnavailableError, UsageError
from qldb_stream.sources.kinesis._values import Answer, Checkpoint, Group, Shard, StreamFacts

__all__ = ["IteratorExpiredError", "KinesisReader", "NotThereError", "PlaceGoneError", "Stream"]

_MAX_PAGES: Final = 1000  # of ListShards; 1,000 shards each
# What waiting can mend here alone: shards are being made, a list's next page was asked for late.
_PASSING: Final = frozenset({"ExpiredNextTokenException", "ResourceInUseException"})


class IteratorExpiredError(Exception):
    """An iterator is older than five minutes; another one is asked for."""


class PlaceGoneError(Exception):
    """A sequence number is none of the shard's any more."""


class NotThereError(Exception):
    """A stream or a shard is not there."""


class KinesisReader(Protocol):
    """What is used of boto3's client."""

    def describe_stream_summary(self, **arguments: Any) -> Any:
        """Say what a stream is."""

    def list_shards(self, **arguments: Any) -> Any:
        """List shards."""

    def get_shard_iterator(self, **arguments: Any) -> Any:
        """Give a place in a shard."""

    def get_records(self, **arguments: Any) -> Any:
        """Give records from a place on."""


class Stream:
    """
    One data stream, to read.

    Every method raises `SourceUnavailableError` when waiting may mend it, and `UsageError`
    when the stream may not be read.

    Args:
        client: boto3's; threads may share it.
        name: the stream's.
    """

    def __init__(self, client: KinesisReader, name: str) -> None:
        self.name: Final = name
        self._client: Final = client

    def __str__(self) -> str:
        return f"kinesis://{self.name}"

    def facts(self) -> StreamFacts:
        """
        Say what the stream is.

        Raises:
            UsageError: it is not there.
        """
        with self._whole():
            answer = self._client.describe_stream_summary(StreamName=self.name)
        said = answer["StreamDescriptionSummary"]
        return StreamFacts(
            said["StreamARN"],
            int(said["StreamCreationTimestamp"].timestamp()),
            said["RetentionPeriodHours"] * 3600.0,
            self._server_time(answer),
        )

    def shards(self) -> dict[str, Shard]:
        """
        List all shards of which the stream still has records, by id.

        Raises:
            UsageError: the stream is not there.
        """
        found: dict[str, Shard] = {}
        asked: dict[str, Any] = {"StreamName": self.name}
        for _ in range(_MAX_PAGES):
            with self._whole():
                answer = self._client.list_shards(**asked)
            found |= {shard.shard_id: shard for shard in map(_shard, answer["Shards"])}
            if not answer.get("NextToken"):
                return found
            asked = {"NextToken": answer["NextToken"]}
        raise UsageError(f"{self} has more than {len(found)} shards, which is more than we read")

    def iterator(self, shard_id: str, checkpoint: Checkpoint, group: Group) -> str:
        """
        Give the place in a shard after a checkpoint, or where the group has begun.

        Raises:
            PlaceGoneError: the sequence number is none of the shard's.
            NotThereError: the shard is gone.
        """
        if checkpoint.sequence_number is not None:
            after = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": checkpoint.sequence_number,
            }
            return self._iterator(shard_id, after)
        if group.time is not None:
            at = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": group.time}
            return self._iterator(shard_id, at)
        return self.oldest(shard_id)

    def oldest(self, shard_id: str) -> str:
        """
        Give the place of a shard's oldest record.

        Raises:
            NotThereError: the shard is gone.
        """
        return self._iterator(shard_id, {"ShardIteratorType": "TRIM_HORIZON"})

    def records(self, iterator: str, limit: int) -> Answer:
        """
        Give what comes at a place, up to 10 MB; nothing where there is nothing now.

        Raises:
            IteratorExpiredError: the place was asked for too long ago.
            NotThereError: the shard is gone.
        """
        with self._translated():
            answer = self._client.get_records(ShardIterator=iterator, Limit=limit)
        behind_s = (answer.get("MillisBehindLatest") or 0) / 1000
        return Answer(answer["Records"], answer.get("NextShardIterator"), behind_s)

    def _iterator(self, shard_id: str, place: Mapping[str, Any]) -> str:
        with self._translated():
            answer = self._client.get_shard_iterator(
                StreamName=self.name, ShardId=shard_id, **place
            )
        return str(answer["ShardIterator"])

    def _server_time(self, answer: Mapping[str, Any]) -> float:
        """Give Kinesis's time: clocks differ, and `latest` is by this one."""
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(date).timestamp()
        except ValueError as exc:
            raise SourceUnavailableError(str(self), "its answer has no date") from exc

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Translate errors of calls that are about the stream, and no place in it."""
        try:
            with self._translated():
                yield
        except NotThereError as exc:
            raise UsageError(f"{self} is not there {place_of(self._client)}") from exc
        except (IteratorExpiredError, PlaceGoneError) as exc:
            raise UsageError(f"{self} cannot be read: {exc.__cause__}") from exc

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as exc:
            raise _by_code(str(self), exc) from exc
        except BotoCoreError as exc:
            if may_pass(exc):
                raise SourceUnavailableError(str(self), told(exc)) from exc
            raise UsageError(f"{self} cannot be read: {exc}") from exc


_FLOW: Final[Mapping[str, type[Exception]]] = {
    "ExpiredIteratorException": IteratorExpiredError,
    "InvalidArgumentException": PlaceGoneError,
    "ResourceNotFoundException": NotThereError,
}


def _by_code(stream: str, error: Any) -> Exception:
    """Give what an error of Kinesis means for who reads."""
    said = error.response.get("Error", {})
    code = code_of(error)
    if code in _FLOW:
        return _FLOW[code](said.get("Message", ""))
    if code in _PASSING or may_pass(error):
        return SourceUnavailableError(stream, code)
    return UsageError(
        f"{stream} cannot be read: {code}: {said.get('Message', '')}; it takes the rights "
        "kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords, and "
        "kms:Decrypt where it is encrypted"
    )


def _shard(said: Mapping[str, Any]) -> Shard:
    parents = (said.get("ParentShardId"), said.get("AdjacentParentShardId"))
    is_closed = said["SequenceNumberRange"].get("EndingSequenceNumber") is not None
    return Shard(said["ShardId"], tuple([p for p in parents if p]), is_closed)

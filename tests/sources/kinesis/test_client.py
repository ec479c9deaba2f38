"""What moto never answers: pages without end, empty answers, a shard that ends as AWS says it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import attrs
import boto3
import pytest

from qldb_stream.errors import SourceUnavailableError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.inbox import MemoryInbox
from qldb_stream.sources.kinesis import KinesisSource
from qldb_stream.sources.kinesis._client import Stream
from qldb_stream.sources.kinesis._flight import Progress
from qldb_stream.sources.kinesis._reader import ShardReader, Step
from qldb_stream.sources.kinesis._values import Checkpoint, Group, Shard, StreamFacts
from qldb_stream.testing import make_journal, records
from tests.sources.kinesis.support import DAY_S, FAST, Faults, Fed, in_thread, until

FACTS = StreamFacts("arn:aws:kinesis:eu-west-1:123456789012:stream/cars", 0, DAY_S, 0.0)
RECORDS = [data for block in make_journal(3, blocks=4) for data in records(block)]


class Scripted:
    """A third party's client that answers what it is told, in order."""

    def __init__(self, **answers: list[Any]) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self._answers = answers

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.asked.append((operation, arguments))
            return self._answers[operation].pop(0)

        return call


def answer(*numbers: int, then: str | None = "next", behind_ms: int = 0) -> dict[str, Any]:
    """An answer of GetRecords."""
    found = [{"SequenceNumber": str(n), "Data": RECORDS[n]} for n in numbers]
    return {"Records": found, "NextShardIterator": then, "MillisBehindLatest": behind_ms}


def summary(hours: int = 24, created: int = 0) -> dict[str, Any]:
    """An answer of DescribeStreamSummary."""
    return {
        "StreamDescriptionSummary": {
            "StreamARN": FACTS.arn,
            "StreamCreationTimestamp": datetime.fromtimestamp(created, UTC),
            "RetentionPeriodHours": hours,
        },
        "ResponseMetadata": {"HTTPHeaders": {"date": "Mon, 06 May 2024 07:08:09 GMT"}},
    }


def iterators(count: int) -> list[dict[str, Any]]:
    """Answers of GetShardIterator."""
    return [{"ShardIterator": str(n)} for n in range(count)]


def read(
    client: Any,
    checkpoint: Checkpoint,
    now_s: float,
    times: int = 1,
    shard: Shard = Shard("shardId-0"),  # noqa: B008 - a frozen value
) -> list[Step]:
    """Read a shard some times, and let each step be given on."""
    progress = Progress(checkpoint, checkpoint)
    reader = ShardReader(
        Stream(client, "cars"),
        FACTS,
        shard,
        progress,
        Group(),
        settings=FAST,
        chance=Random(1),
    )
    found = []
    for _ in range(times):
        for step in reader.read(now_s):
            progress.read = step.reached
            found.append(step)
    return found


def test_a_shard_ends_where_kinesis_says_so() -> None:
    """An answer without a next place is the last one."""
    client = Scripted(get_shard_iterator=iterators(1), get_records=[answer(0, 1, then=None)])
    steps = read(client, Checkpoint(), 5.0)

    assert [1, 1, 0] == [len(step.items) for step in steps]
    assert [False, False, True] == [step.reached.is_ended for step in steps]
    assert Checkpoint("1", 5.0, is_ended=True) == steps[-1].reached


def test_one_empty_answer_is_not_the_end_of_a_closed_shard() -> None:
    """What comes behind it is read; after three without a word of the end it is taken for ended."""
    answers = [answer(), answer(0), *[answer()] * 3]
    client = Scripted(get_shard_iterator=iterators(1), get_records=answers)
    steps = read(client, Checkpoint(), 5.0, times=5, shard=Shard("shardId-0", is_closed=True))

    assert [0, 1, 0, 0, 0, 0] == [len(step.items) for step in steps]
    assert [False] * 5 + [True] == [step.reached.is_ended for step in steps]


def test_it_is_known_until_when_a_shard_is_read() -> None:
    """What is ahead is behind in time; an empty answer before the tip says so too."""
    answers = [answer(behind_ms=3000), answer(0, behind_ms=1000)]
    client = Scripted(get_shard_iterator=iterators(1), get_records=answers)
    steps = read(client, Checkpoint(), 100.0, times=2)

    assert [97.0, 97.0, 99.0] == [step.reached.read_until_s for step in steps]


@pytest.mark.parametrize(
    ("looks", "lost"),
    [
        ([answer(behind_ms=9), answer(2)], False),
        ([answer(behind_ms=9), answer(3)], True),
        ([answer()], True),
        ([answer(then=None, behind_ms=9)], True),
        ([answer(behind_ms=9)] * 20, True),
    ],
)
def test_the_oldest_record_proves_that_nothing_is_lost(looks: list[Any], lost: bool) -> None:  # noqa: FBT001 - a case
    """It is looked for through empty answers, not for ever."""
    client = Scripted(
        describe_stream_summary=[summary()],
        get_shard_iterator=iterators(2),
        get_records=[*looks, answer()],
    )
    steps = read(client, Checkpoint("2", 100.0), 100.0 + 2 * DAY_S)

    assert lost == any(isinstance(item, Undecodable) for step in steps for item in step.items)


def test_a_retention_that_was_raised() -> None:
    """What the stream keeps for so long is there, whatever it was before."""
    client = Scripted(
        describe_stream_summary=[summary(hours=168)],
        get_shard_iterator=iterators(1),
        get_records=[answer()],
    )
    (step,) = read(client, Checkpoint("2", 100.0), 100.0 + 2 * DAY_S)
    assert () == step.items


def test_shards_come_in_pages() -> None:
    """Each page is asked for with what the one before gave; there is an end to that."""
    page = {"Shards": [{"ShardId": "a", "SequenceNumberRange": {}}], "NextToken": "more"}
    last = {"Shards": [{"ShardId": "b", "SequenceNumberRange": {"EndingSequenceNumber": "9"}}]}
    client = Scripted(list_shards=[page, last])
    found = Stream(client, "cars").shards()

    assert [Shard("a"), Shard("b", is_closed=True)] == list(found.values())
    assert ("list_shards", {"NextToken": "more"}) == client.asked[-1]
    with pytest.raises(UsageError, match="more than 1 shards"):
        Stream(Scripted(list_shards=[page] * 1000), "cars").shards()


def test_a_stream_that_goes_while_it_is_read(client: Any) -> None:
    """Whoever looks for its shards then hears that it is not there."""
    with pytest.raises(UsageError, match="kinesis://none is not there"):
        Stream(client, "none").shards()
    with pytest.raises(UsageError, match="cannot be read: Parameter validation"):
        Stream(client, "none").records("", 0)


def test_without_credentials_nothing_is_waited_for(
    aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure of Kinesis's: who has none is told so at once."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    client = boto3.Session().client("kinesis", endpoint_url=aws)
    with pytest.raises(UsageError, match="cannot be read: Unable to locate credentials"):
        Stream(client, "cars").shards()


def test_a_stream_that_is_made_anew_while_it_is_read() -> None:
    """Places of the earlier one mean nothing there: it has to be begun again."""
    client = Scripted(describe_stream_summary=[summary(created=7)])
    reader = ShardReader(
        Stream(client, "cars"),
        FACTS,
        Shard("shardId-0"),
        Progress(Checkpoint(), Checkpoint()),
        Group(),
        settings=FAST,
        chance=Random(1),
    )
    with pytest.raises(UsageError, match="made anew meanwhile"):
        list(reader._gone(1.0))  # noqa: SLF001 - what a shard's absence leads to


def test_a_place_that_is_refused_where_none_was_kept(
    feed: Callable[..., Fed],
) -> None:
    """It is waited for as long as patience lasts, then it is an error."""
    fed, inbox = feed(1), MemoryInbox()
    Faults(fed.client, "GetShardIterator", "InvalidArgumentException").left = 10**6
    source = KinesisSource(fed.client, fed.name, inbox, settings=attrs.evolve(FAST, patience_s=0.2))
    with pytest.raises(SourceUnavailableError, match="PlaceGoneError"):
        list(source.items())
    inbox.close()


def test_who_comes_second_waits_until_the_first_has_begun(feed: Callable[..., Fed]) -> None:
    """Where a stream begins is decided by one, under a lease that runs out if he dies."""
    fed, inbox = feed(1), MemoryInbox()
    fed.write(2)
    facts = Stream(fed.client, fed.name).facts()
    lease = inbox.lease(f"kinesis/{facts.arn}/{facts.created_s}", 0.5, time.time())
    assert lease is not None
    found: list[Any] = []
    thread, _ = in_thread(lambda: found.extend(fed.read(inbox)))
    until(lambda: bool(found))
    thread.join(20)
    assert time.time() >= lease.expires_s
    inbox.close()

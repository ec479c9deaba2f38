"""A data stream read to its tip and on: begun, stopped, gone on with, reshared, failing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from qldb_stream.errors import SourceUnavailableError, UsageError
from qldb_stream.events import BlockSummary, Undecodable
from qldb_stream.inbox import MemoryInbox, SqliteInbox
from qldb_stream.pipeline import Pipeline
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources.kinesis import KinesisSource, open_stream
from qldb_stream.typing import Item, LiveSource
from tests.sources.kinesis.support import FAST, Faults, Fed, hashes_of, in_thread, until

Feed = Callable[..., Fed]


def numbers(items: list[Item]) -> list[int]:
    """The numbers of the blocks that came."""
    return sorted(i.address.sequence_no for i in items if isinstance(i, BlockSummary))


@pytest.mark.parametrize("aggregated", [True, False])
def test_a_stream_is_read_to_its_tip_and_delivered(
    feed: Feed, inbox: SqliteInbox, *, aggregated: bool
) -> None:
    """All that the shards hold reaches the sink; a second run begins where the first ended."""
    fed, sink = feed(4), MemorySink()
    fed.write(12, aggregated=aggregated)
    pipeline = Pipeline(sink, inbox=inbox, start=0)
    with fed.source(inbox, until_caught_up=True) as source:
        assert isinstance(source, LiveSource)
        report = pipeline.consume(source)
    fed.write(3, aggregated=aggregated)
    again = fed.read(inbox)

    assert (True, 13) == (report.ok, report.applied)
    assert hashes_of(fed.blocks())[:13] == hashes_of(sink.blocks)
    assert [13, 14, 15] == numbers(again)
    assert () == inbox.status().leases


def test_split_and_merged_while_it_is_read(feed: Feed, inbox: SqliteInbox) -> None:
    """New shards are found by themselves, and begun when their parents are read to the end."""
    fed, sink, stop = feed(2), MemorySink(), threading.Event()
    early: list[str] = []

    def look(params: Any, **_: Any) -> None:
        found = {shard["ShardId"]: shard for shard in shards}
        shard = found.get(params["ShardId"], {})
        for name in ("ParentShardId", "AdjacentParentShardId"):
            ended = [k for k in checkpoints(inbox) if k.endswith(str(shard.get(name)))]
            if name in shard and not any(
                '"is_ended": true' in checkpoints(inbox)[k] for k in ended
            ):
                early.append(params["ShardId"])

    fed.write(5)
    shards = fed.client.list_shards(StreamName=fed.name)["Shards"]
    fed.client.meta.events.register("provide-client-params.kinesis.GetShardIterator", look)
    source = fed.source(inbox)
    pipeline = Pipeline(sink, inbox=inbox, start=0)
    thread, found = in_thread(lambda: pipeline.consume(source, stop=stop))
    until(lambda: len(sink.blocks) == 6)
    fed.split("shardId-000000000000")
    shards = fed.client.list_shards(StreamName=fed.name)["Shards"]
    fed.write(5)
    until(lambda: len(sink.blocks) == 11)
    fed.merge("shardId-000000000003", "shardId-000000000001")
    shards = fed.client.list_shards(StreamName=fed.name)["Shards"]
    fed.write(5)
    until(lambda: len(sink.blocks) == 16)
    stop.set()
    thread.join(20)
    source.close()
    ended = [text for text in checkpoints(inbox).values() if '"is_ended": true' in text]

    assert hashes_of(fed.blocks()) == hashes_of(sink.blocks)
    assert ([], 5, 3) == (early, len(shards), len(ended))
    assert found[0].ok


def checkpoints(inbox: SqliteInbox) -> dict[str, str]:
    """Every checkpoint of an inbox; there is no method for that."""
    with inbox._database.read() as connection:  # noqa: SLF001 - as said
        return dict(connection.execute("SELECT key, value FROM checkpoint").fetchall())


def test_a_resharded_stream_is_read_to_its_tip(feed: Feed) -> None:
    """Who comes after a split and a merge reads closed shards first, then those that follow."""
    fed = feed(2)
    fed.write(4)
    fed.split("shardId-000000000001")
    fed.write(4)
    fed.merge("shardId-000000000000", "shardId-000000000002")
    fed.write(4)
    items = fed.read(MemoryInbox())
    assert list(range(13)) == sorted(set(numbers(items)))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ExpiredIteratorException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("InternalFailure", 500),
    ],
)
def test_what_passes_is_waited_out(feed: Feed, inbox: SqliteInbox, code: str, status: int) -> None:
    """An old iterator is asked for anew, a busy shard waited for; nothing is lost or doubled."""
    fed = feed(2)
    fed.write(20)
    faults = Faults(fed.client, "GetRecords", code, status)
    found: list[Item] = []
    settings = attrs.evolve(FAST, most_records=2)
    with fed.source(inbox, until_caught_up=True, settings=settings) as source:
        for item in source.items():
            if len(found) == 6:
                faults.left = 3
            found.append(item)
            source.acknowledge(1)

    assert (3, list(range(21))) == (faults.failed, numbers(found))


def test_what_was_not_acknowledged_comes_again(feed: Feed, inbox: SqliteInbox) -> None:
    """A stop ends it; who goes on gets everything after the last acknowledged record."""
    fed = feed(2)
    fed.write(10)
    first: list[Item] = []
    with fed.source(inbox) as source:
        for item in source.items():
            first.append(item)
            if len(first) <= 9:
                source.acknowledge(1)
            if len(first) == 14:
                source.stop()
    second = fed.read(inbox)
    acknowledged, again = numbers(first[:9]), numbers(second)

    assert set(range(11)) == {*acknowledged, *again}
    assert len(again) < 11
    assert [] == fed.read(inbox)


def test_a_stop_ends_at_once_and_for_good(feed: Feed, inbox: SqliteInbox) -> None:
    """A source that was stopped gives nothing any more; one that is read is not read twice."""
    fed = feed()
    fed.write(3)
    source = fed.source(inbox)
    items = source.items()
    next(items)
    with pytest.raises(UsageError, match="is being read already"):
        source.items()
    source.close()
    assert ([], []) == (list(source.items()), list(source.items()))
    with pytest.raises(UsageError, match="99 items are acknowledged"):
        source.acknowledge(99)
    with pytest.raises(UsageError, match="none was given"):
        fed.source(inbox).acknowledge(1)


def test_latest_begins_when_it_was_first_asked_for(feed: Feed, inbox: SqliteInbox) -> None:
    """What comes between a first run, which had nothing, and the next is not missed."""
    fed = feed()
    fed.write(3)
    time.sleep(1.1)  # Kinesis's clock, by which it begins, is told in whole seconds
    assert [] == fed.read(inbox, begin="latest")
    fed.write(2)
    assert [4, 5] == numbers(fed.read(inbox, begin="latest"))
    assert list(range(6)) == numbers(fed.read(MemoryInbox()))


def test_it_begins_at_a_time(feed: Feed, inbox: SqliteInbox) -> None:
    """A time leaves out what came before it; where the inbox has a place, it says nothing."""
    fed = feed()
    fed.write(3)
    assert [] == fed.read(inbox, begin=datetime.now(UTC))
    inbox_of_before = MemoryInbox()
    begin = datetime.now(UTC) - timedelta(hours=1)
    assert [0, 1, 2, 3] == numbers(fed.read(inbox_of_before, begin=begin))
    assert [] == fed.read(inbox_of_before, begin="trim_horizon")
    to_come = datetime.now(UTC) + timedelta(hours=1)
    for wrong in ("now", datetime.now(), to_come):  # noqa: DTZ005 - it is to be refused
        with pytest.raises(UsageError, match="begin"):
            fed.source(inbox, begin=wrong)


def test_foreign_bytes_are_kept_undecoded(feed: Feed, inbox: SqliteInbox) -> None:
    """What is none of QLDB's goes into the quarantine with its place; the rest flows."""
    fed, sink = feed(), MemorySink()
    fed.write(3)
    fed.client.put_record(StreamName=fed.name, Data=b"neither Ion nor KPL", PartitionKey="a")
    fed.write(3)
    with fed.source(inbox, until_caught_up=True) as source:
        report = Pipeline(sink, inbox=inbox, start=0).consume(source)
        assert 1 == source.unreadable
    (kept,) = inbox.quarantined()

    assert (7, b"neither Ion nor KPL") == (report.applied, kept.item.data)
    assert kept.item.source.startswith(f"kinesis://{fed.name}/shardId-")


def test_a_stream_that_cannot_be_read(feed: Feed, inbox: SqliteInbox, client: Any) -> None:
    """One that is not there, or may not be read, ends it with what to do."""
    with pytest.raises(UsageError, match=r"kinesis://none is not there in [a-z0-9-]+ at http://"):
        list(KinesisSource(client, "none", inbox, settings=FAST).items())
    fed = feed()
    fed.write(1)
    Faults(client, "GetRecords", "AccessDeniedException").left = 99
    with pytest.raises(UsageError, match=r"AccessDeniedException.*kinesis:DescribeStreamSummary"):
        fed.read(inbox)


def test_a_kinesis_that_cannot_be_reached(inbox: SqliteInbox, aws: str) -> None:
    """It is tried again for as long as patience lasts, then the caller hears of it."""
    settings, told = attrs.evolve(FAST, patience_s=0.2), list[str]()
    url = "kinesis://cars?endpoint_url=http://127.0.0.1:1&region=eu-west-1"
    with pytest.raises(SourceUnavailableError, match="EndpointConnectionError"):
        list(open_stream(url, inbox, settings=settings, on_wait=told.append).items())
    (sentence,) = told  # once, not at each try
    assert "EndpointConnectionError" in sentence
    assert sentence.endswith("; it is tried again for 0.2 s")


def test_a_shard_that_fails_for_ever(feed: Feed, inbox: SqliteInbox) -> None:
    """Patience ends for one shard too."""
    fed = feed()
    fed.write(1)
    Faults(fed.client, "GetRecords", "ThrottlingException").left = 999
    with pytest.raises(SourceUnavailableError, match="ThrottlingException"):
        fed.read(inbox, settings=attrs.evolve(FAST, patience_s=0.2))


def test_an_inbox_that_is_closed(feed: Feed, inbox: SqliteInbox) -> None:
    """What the keeper cannot do ends the reading."""
    fed = feed()
    fed.write(2)
    source = fed.source(inbox)
    items = source.items()
    next(items)
    inbox.close()
    with pytest.raises(UsageError, match="is closed"):
        list(items)
    with pytest.raises(UsageError, match="is closed"):
        source.close()


def test_what_ends_the_keeper_ends_the_reading(feed: Feed, inbox: SqliteInbox) -> None:
    """Nobody waits for shards that no thread looks for any more, whatever ended it."""
    fed = feed()
    Faults(fed.client, "ListShards", "InvalidArgumentException").left = 999
    thread, errors = in_thread(partial(_expect, UsageError, "InvalidArgument", fed.source(inbox)))
    thread.join(20)
    assert (False, [None]) == (thread.is_alive(), errors)

    def forget(parsed: Any, **_: Any) -> None:
        parsed["StreamDescriptionSummary"].clear()  # no answer of Kinesis's

    other = feed()
    other.client.meta.events.register("after-call.kinesis.DescribeStreamSummary", forget)
    thread, errors = in_thread(partial(_expect, KeyError, "StreamARN", other.source(inbox)))
    thread.join(20)
    assert (False, [None]) == (thread.is_alive(), errors)


def _expect(kind: type[Exception], said: str, source: KinesisSource) -> None:
    with pytest.raises(kind, match=said):
        list(source.items())


def test_an_answer_without_a_date_is_waited_out(feed: Feed, inbox: SqliteInbox) -> None:
    """By Kinesis's clock `latest` is told; an answer that has none is asked for again."""
    fed = feed()

    def strip(parsed: Any, **_: Any) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"].pop("date")

    fed.client.meta.events.register("after-call.kinesis.DescribeStreamSummary", strip)
    with pytest.raises(SourceUnavailableError, match="has no date"):
        fed.read(inbox, settings=attrs.evolve(FAST, patience_s=0.2))


def test_no_more_is_given_than_may_wait(feed: Feed, inbox: SqliteInbox) -> None:
    """Without an acknowledgement it pauses, and goes on with one."""
    fed = feed(1)
    fed.write(10, aggregated=False)
    found: list[Item] = []
    source = fed.source(inbox, settings=attrs.evolve(FAST, most_waiting=4))

    def read() -> None:
        for item in source.items():
            found.append(item)  # noqa: PERF402 - the test counts while it is read

    thread, _ = in_thread(read)
    until(lambda: len(found) == 4)
    thread.join(0.3)
    assert 4 == len(found)
    source.acknowledge(3)
    until(lambda: len(found) == 7)
    source.close()
    thread.join(20)


def test_it_reads_alone_what_a_dead_one_held(feed: Feed, inbox: SqliteInbox) -> None:
    """A lease that nobody renews runs out; its shard is read from the stored place on."""
    fed = feed(1)
    fed.write(4)
    assert list(range(5)) == numbers(fed.read(inbox))
    (key,) = [key for key in checkpoints(inbox) if "shardId" in key]
    fed.write(2)
    began = time.time()
    assert inbox.lease(key, 0.5, began) is not None
    assert [5, 6] == numbers(fed.read(inbox))
    assert time.time() - began >= 0.5


def test_losing_a_lease_ends_a_shard(feed: Feed, inbox: SqliteInbox) -> None:
    """Who finds that another has had its lease gives no more of the shard, and stores no place."""
    fed = feed(1)
    fed.write(3)
    source = fed.source(inbox)
    items = source.items()
    next(items)
    (lease,) = [lease for lease in inbox.status().leases if "shardId" in lease.key]
    stolen = inbox.lease(lease.key, 60.0, time.time() + 10)
    assert stolen is not None
    inbox.store_checkpoint(lease.key, inbox.checkpoint(lease.key) or "", stolen.token)
    before = inbox.checkpoint(lease.key)
    source.acknowledge(1)

    def take_rest() -> list[Item]:
        found = []
        for item in items:
            source.acknowledge(1)
            found.append(item)
        return found

    thread, found = in_thread(take_rest)
    assert source._run is not None  # noqa: SLF001 - what it holds is nobody's business
    until(lambda: source._run is not None and not source._run._keeper.held)  # noqa: SLF001
    source.stop()
    thread.join(20)
    source.close()
    assert before == inbox.checkpoint(lease.key)
    assert [[]] == [[i for i in f if isinstance(i, Undecodable)] for f in found]

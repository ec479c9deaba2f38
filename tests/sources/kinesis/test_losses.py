"""What a stream kept no longer when it was to be read: told, kept, and never twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from qldb_stream.errors import CarrierError
from qldb_stream.events import Undecodable
from qldb_stream.inbox import MemoryInbox, SqliteInbox
from qldb_stream.pipeline import Pipeline
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.typing import Item
from tests.sources.kinesis.support import DAY_S, Faults, Fed, moto_stream

Feed = Callable[..., Fed]
SINCE = "records may be lost: it was read until"


def in_two_days() -> float:
    """A clock that is so far ahead; the stream keeps records for one day."""
    return time.time() + 2 * DAY_S


def losses(items: Sequence[Item]) -> list[str]:
    """What is said to be lost, without times."""
    found = [item.error for item in items if isinstance(item, Undecodable)]
    assert all(isinstance(error, CarrierError) for error in found)
    return [str(error).partition(": ")[2][: len(SINCE)] for error in found]


def test_a_place_whose_record_is_there_lost_nothing(feed: Feed, inbox: SqliteInbox) -> None:
    """However long ago it was: what follows the last record that was read cannot have gone."""
    fed = feed(1)
    fed.write(3)
    fed.read(inbox)
    fed.write(2)
    items = fed.read(inbox, clock=in_two_days)

    assert ([], 2) == (losses(items), len(items) // 2)


def test_what_was_trimmed_is_told_once(feed: Feed, inbox: SqliteInbox) -> None:
    """When the record at the place is gone too, what followed it may be; the rest is read."""
    fed = feed(1)
    fed.write(3)
    fed.read(inbox)
    fed.write(3)
    kept = moto_stream(fed.name).shards["shardId-000000000000"].records
    for number in list(kept)[:-1]:
        del kept[number]
    items = fed.read(inbox, clock=in_two_days)

    assert [SINCE] == losses(items)
    assert isinstance(items[0], Undecodable)
    assert f"kinesis://{fed.name}/shardId-000000000000" == items[0].source
    assert 3 == len(items)
    assert [] == losses(fed.read(inbox, clock=in_two_days))


def test_a_shard_that_had_nothing_may_have_lost_something(feed: Feed, inbox: SqliteInbox) -> None:
    """Nobody knows what came and went; a loss is in the quarantine, and makes the run not ok."""
    fed, sink = feed(1), MemorySink()
    assert [] == fed.read(inbox)
    with fed.source(inbox, clock=in_two_days, until_caught_up=True) as source:
        Pipeline(sink, inbox=inbox, start=0).consume(source)
        assert 1 == source.unreadable
    (kept,) = inbox.quarantined()

    assert [SINCE] == losses([kept.item])
    assert "shardId-000000000000" in kept.item.source


def test_a_place_that_kinesis_does_not_know(feed: Feed, inbox: SqliteInbox) -> None:
    """Where it refuses the sequence number, reading goes on with the oldest record."""
    fed = feed(1)
    fed.write(3)
    fed.read(inbox)
    faults = Faults(fed.client, "GetShardIterator", "InvalidArgumentException")
    faults.left = 1
    items = fed.read(inbox)

    assert ([SINCE], 1) == (losses(items), faults.failed)
    assert len(items) > 4
    assert [] == fed.read(inbox)


def test_a_parent_that_is_gone_unread(feed: Feed, inbox: SqliteInbox) -> None:
    """A shard whose parent has left the stream before it was read says so, once."""
    fed = feed(1)
    fed.read(inbox)
    fed.write(3)
    fed.split("shardId-000000000000")
    fed.write(3)
    del moto_stream(fed.name).shards["shardId-000000000000"]
    items = fed.read(inbox)

    told = [str(item.error) for item in items if isinstance(item, Undecodable)]
    assert 2 == sum("was not read to its end" in text for text in told)
    assert 2 == len(told)
    assert [] == fed.read(inbox)


def test_a_parent_that_was_gone_before(feed: Feed) -> None:
    """Who begins with a stream does not miss what was gone by then."""
    fed = feed(1)
    fed.split("shardId-000000000000")
    fed.write(3)
    del moto_stream(fed.name).shards["shardId-000000000000"]
    items = fed.read(MemoryInbox())

    assert ([], True) == (losses(items), len(items) >= 7)


def test_a_shard_that_goes_while_it_is_read(feed: Feed, inbox: SqliteInbox) -> None:
    """It ends with what can be told; the shards that came from it are read."""
    fed = feed(1)
    fed.write(3)
    found: list[Item] = []
    with fed.source(inbox) as source:
        faults = Faults(fed.client, "GetRecords", "ResourceNotFoundException")
        for item in source.items():
            source.acknowledge(1)
            found.append(item)
            if len(found) == 7:
                fed.split("shardId-000000000000")
                fed.write(2)
                faults.left = 1
            if sum(not isinstance(each, Undecodable) for each in found) >= 11:
                source.stop()

    assert ([SINCE], 1) == (losses(found), faults.failed)


def test_a_stream_that_was_made_anew(feed: Feed, inbox: SqliteInbox) -> None:
    """Its places are no places of the earlier one: it is begun like any other."""
    fed = feed(1)
    fed.write(3)
    fed.read(inbox)
    stream = moto_stream(fed.name)
    stream.creation_datetime = stream.creation_datetime.replace(year=2020)
    assert 8 == len(fed.read(inbox))
    assert () == inbox.status().leases

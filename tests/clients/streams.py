"""What tests of streams share: data streams in moto, and what is read back from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from qldb_stream import NEED_MORE, BlockAssembler, Sequencer, deaggregate, parse_record
from qldb_stream.events import Block, ControlRecord, Event


def make_stream(client: Any, name: str, shards: int = 2) -> str:
    """Make a data stream."""
    client.create_stream(StreamName=name, ShardCount=shards)
    return name


def read_stream(client: Any, name: str) -> Iterator[Any]:
    """Iterate over the records of all shards, each as boto3 gives it."""
    for shard in client.list_shards(StreamName=name)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = client.get_records(ShardIterator=iterator)
            if not answer["Records"]:
                break
            yield from answer["Records"]
            iterator = answer["NextShardIterator"]


def events_of(data: Iterable[bytes]) -> list[Event]:
    """Read what Kinesis carries as events."""
    return [parse_record(one) for record in data for one in deaggregate(record)]


def controls_of(events: Iterable[Event]) -> list[str]:
    """The kinds of the control records."""
    return [event.kind for event in events if isinstance(event, ControlRecord)]


def blocks_of(events: Iterable[Event], start: int = 0) -> list[Block]:
    """Join events to blocks in order, as any consumer does."""
    assembler, sequencer = BlockAssembler(), Sequencer(start=start)
    found: list[Block] = []
    for event in events:
        assembler.feed(event)
        while (block := assembler.next_block()) is not NEED_MORE:
            sequencer.feed(block)
    while (block := sequencer.next_block()) is not NEED_MORE:
        found.append(block)
    return found


def hashes(blocks: Iterable[Block]) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """What blocks and their revisions hash to."""
    return [
        (block.block_hash, tuple(revision.hash for revision in block.revisions)) for block in blocks
    ]

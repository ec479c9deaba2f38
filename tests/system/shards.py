"""Reading the shards of a Kinesis stream, as its consumers at AWS do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs


@attrs.define
class ShardReader:
    """One shard, read from its oldest record on; `is_at_end` when it is closed and read."""

    client: Any
    stream: str
    shard_id: str
    is_at_end: bool = False
    _iterator: str | None = None

    def read(self, limit: int) -> list[dict[str, Any]]:
        """Give the next records, none when there are none now."""
        if self._iterator is None:
            self._iterator = self.client.get_shard_iterator(
                StreamName=self.stream, ShardId=self.shard_id, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        answer = self.client.get_records(ShardIterator=self._iterator, Limit=limit)
        self._iterator = answer.get("NextShardIterator")
        self.is_at_end = self._iterator is None
        records: list[dict[str, Any]] = answer["Records"]
        return records


def iter_shards(client: Any, stream: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Name the shards of a stream and the parents of each."""
    for page in client.get_paginator("list_shards").paginate(StreamName=stream):
        for shard in page["Shards"]:
            names = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
            yield shard["ShardId"], [name for name in names if name]

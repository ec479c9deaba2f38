"""What tests of the Kinesis source share: streams in moto, fed by our ledger; faults of Kinesis."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse

from qldb_stream.clients.kinesis import StreamChoice, stream_journal
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.sources.kinesis import KinesisSettings, KinesisSource
from qldb_stream.typing import Inbox, Item
from tests.clients.streams import make_stream

FAST = KinesisSettings(
    poll_s=0.02, pause_s=0.005, scan_s=0.1, checkpoint_s=0.02, idle_s=0.1, lease_s=2.0
)
DAY_S = 86_400.0
_DEADLINE_S = 60


class Fed:
    """A data stream and the ledger whose journal is put on it."""

    def __init__(self, client: Any, name: str, folder: Path, *, shards: int = 2) -> None:
        self.client = client
        self.name = make_stream(client, name, shards)
        self._path = folder / f"{name}.ledger"
        self._revision = 0

    def write(self, blocks: int, *, aggregated: bool = True) -> None:
        """Add blocks to the ledger and put them on the stream."""
        with Ledger.open(self._path) as ledger:
            driver = ledger.driver()
            if self._revision == 0:
                driver.execute_lambda(lambda txn: list(txn.execute_statement("CREATE TABLE T")))
            for _ in range(blocks):
                self._revision += 1
                document = {"n": self._revision, "text": "x" * 50}
                driver.execute_lambda(partial(_insert, document))
            chosen = StreamChoice(self.name, aggregated=aggregated)
            state = self._path.with_suffix(f".{aggregated}")
            stream_journal(ledger, self.client, chosen, state)

    def blocks(self) -> list[Block]:
        """Give the ledger's blocks."""
        with Ledger.open(self._path, read_only=True) as ledger:
            return list(ledger.blocks())

    def source(self, inbox: Inbox, **options: Any) -> KinesisSource:
        """Open the stream, quick in everything."""
        return KinesisSource(self.client, self.name, inbox, **{"settings": FAST} | options)

    def read(self, inbox: Inbox, **options: Any) -> list[Item]:
        """Read the stream to its tip, and acknowledge everything at once."""
        found: list[Item] = []
        with self.source(inbox, until_caught_up=True, **options) as source:
            take_all(source, found)
        return found

    def split(self, shard_id: str) -> None:
        """Split a shard in the middle."""
        found = self.client.list_shards(StreamName=self.name)["Shards"]
        keys = next(s["HashKeyRange"] for s in found if s["ShardId"] == shard_id)
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        self.client.split_shard(
            StreamName=self.name, ShardToSplit=shard_id, NewStartingHashKey=str(middle)
        )
        self._close_shards()

    def merge(self, one: str, other: str) -> None:
        """Merge two neighbours."""
        self.client.merge_shards(StreamName=self.name, ShardToMerge=one, AdjacentShardToMerge=other)
        self._close_shards()

    def _close_shards(self) -> None:
        """Let moto, which takes the first shard that fits, put nothing on closed ones any more."""
        stream = moto_stream(self.name)
        in_order = sorted(stream.shards.items(), key=lambda pair: not pair[1].is_open)
        stream.shards = dict(in_order)

    def shard_ids(self) -> list[str]:
        """Give the ids of all shards."""
        found = self.client.list_shards(StreamName=self.name)["Shards"]
        return [shard["ShardId"] for shard in found]


def _insert(document: Any, txn: Any) -> None:
    list(txn.execute_statement("INSERT INTO T ?", document))


def take_all(source: KinesisSource, found: list[Item] | None = None) -> None:
    """Read until somebody stops it, and acknowledge everything at once."""
    for item in source.items():
        source.acknowledge(1)
        if found is not None:
            found.append(item)


def moto_stream(name: str) -> Any:
    """The stream as moto keeps it, to trim what moto never does."""
    from moto.backends import get_backend

    return get_backend("kinesis")["123456789012"]["eu-west-1"].streams[name]


class Faults:
    """
    Lets calls of a client fail before they are sent.

    Args:
        client: boto3's.
        operation: such as `GetRecords`.
        code: of the error.
        status: of HTTP.
    """

    def __init__(self, client: Any, operation: str, code: str, status: int = 400) -> None:
        self.left = 0
        self.failed = 0
        self._code = code
        self._status = status
        client.meta.events.register(f"before-send.kinesis.{operation}", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse | None:
        if self.left <= 0:
            return None
        self.left -= 1
        self.failed += 1
        body = json.dumps({"__type": self._code, "message": "as a test wants it"}).encode()
        headers = {"content-type": "application/x-amz-json-1.1"}
        return AWSResponse(request.url, self._status, headers, _Raw(body))


class _Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, **_: Any) -> Any:
        """Give all of it."""
        yield self.read()


def until(is_true: Callable[[], bool]) -> None:
    """Wait until something is true, which others see to."""
    deadline = time.monotonic() + _DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # other threads or processes are at work


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Do something in a thread; the list gets what came of it."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            found.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def hashes_of(blocks: Sequence[Block]) -> list[bytes]:
    """What tells blocks apart."""
    return [block.block_hash for block in blocks]

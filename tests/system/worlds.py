"""A source ledger that streams to Kinesis, a deployed function, and a destination over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from qldb_stream.clients.kinesis import StreamChoice, stream_journal
from qldb_stream.inbox import open_inbox
from qldb_stream.inbox.dynamodb import create_table
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.server import Server
from qldb_stream.testing.vehicle_registration import Chapter, tell_story
from tests.system.functions import Deployment, Function
from tests.system.mapping import EventSourceMapping

SHARDS: Final = 4
REPLAY: Final = "qldb_stream.aws.replay.handler"
DRAIN: Final = "qldb_stream.aws.replay.drain"
ARCHIVE: Final = "qldb_stream.aws.archive.handler"


@attrs.define
class World:
    """
    All that is deployed for one test.

    Args:
        folder: for files.
        name: of the stream, the table and the bucket.
        vehicles: how long the story is.
        clients: boto3's, by service.
        base: what every function has in common.
    """

    folder: Path
    name: str
    clients: Mapping[str, Any]
    base: Deployment
    vehicles: int
    source: Ledger = attrs.field(init=False)
    story: Iterator[Chapter] = attrs.field(init=False)
    server: Server = attrs.field(init=False)
    functions: list[Function] = attrs.field(init=False, factory=list)
    sent: int = attrs.field(init=False, default=0)
    _drain: Function | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.source = Ledger.open(self.folder / "source.ledger", name="source")
        self.story = tell_story(self.source.driver(), vehicles=self.vehicles)
        (self.folder / "served").mkdir()
        Ledger.open(self.folder / "served" / "copy.ledger", name="copy").close()
        self.server = self._serve(0)
        self.clients["kinesis"].create_stream(StreamName=self.name, ShardCount=SHARDS)
        create_table(self.name, client=self.clients["dynamodb"])
        self.clients["s3"].create_bucket(
            Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def _serve(self, port: int) -> Server:
        server = Server(self.folder / "served", port=port)
        server.start()
        return server

    @contextmanager
    def destination_down(self) -> Iterator[None]:
        """Stop the destination's server, and start it again at the same address."""
        port = urlsplit(self.server.url).port
        assert port is not None
        self.server.stop()
        yield
        self.server = self._serve(port)

    @contextmanager
    def copy(self) -> Iterator[Ledger]:
        """Give the destination's ledger, which its server lets go meanwhile."""
        with self.destination_down(), Ledger.open(self.folder / "served" / "copy.ledger") as copy:
            yield copy

    def close(self) -> None:
        """End everything that runs."""
        for function in self.functions:
            function.close()
        self.server.stop()
        self.source.close()

    def tell(self, chapters: int | None = None) -> None:
        """Let so many more chapters happen in the source ledger, or all that are left."""
        for _chapter in islice(self.story, chapters):
            pass

    def stream(self) -> None:
        """Put what is new in the source ledger on Kinesis, aggregated."""
        state = self.folder / "stream.state"
        kinesis = self.clients["kinesis"]
        report = stream_journal(self.source, kinesis, StreamChoice(self.name), state)
        self.sent += report.records

    @property
    def inbox_url(self) -> str:
        """Where the functions keep their inbox."""
        return f"dynamodb:{self.name}"

    @property
    def sink_url(self) -> str:
        """Where the functions deliver to."""
        return f"qldb:copy?endpoint={self.server.url}"

    def deploy(self, handler: str, variables: Mapping[str, str], **settings: Any) -> Function:
        """Deploy a handler of the zip."""
        environment = {**self.base.environment, **variables}
        deployed = attrs.evolve(self.base, handler=handler, environment=environment)
        self.functions.append(Function(deployed, **settings))
        return self.functions[-1]

    def deploy_replay(self, handler: str = REPLAY, **settings: Any) -> Function:
        """Deploy what replays into the destination."""
        variables = {
            "QLDB_STREAM_SINK": self.sink_url,
            "QLDB_STREAM_INBOX": self.inbox_url,
            "QLDB_STREAM_START": "0",
            "QLDB_STREAM_LEASE_S": "2",  # what was killed holds its strand no longer
            "QLDB_STREAM_RETRY_S": "1",
        }
        return self.deploy(handler, variables, **settings)

    def map(self, function: Function, **settings: Any) -> EventSourceMapping:
        """Connect the stream with a function."""
        return EventSourceMapping(self.clients["kinesis"], self.name, function, **settings)

    def run(self, mapping: EventSourceMapping) -> None:
        """Run a mapping until the function has taken all that was put on the stream."""
        mapping.run(lambda: mapping.delivered >= self.sent)

    def drain(self) -> dict[str, Any]:
        """Call the scheduled function that delivers what no new record would wake."""
        if self._drain is None:
            self._drain = self.deploy_replay(DRAIN)
        said: dict[str, Any] = self._drain.invoke({"source": "aws.events"})
        return said

    def drain_all(self, *, at_most_s: float = 60.0) -> dict[str, Any]:
        """Call it until the destination has all that the source ledger has."""
        ends = time.monotonic() + at_most_s
        last = self.source.digest().tip.sequence_no
        while True:
            said = self.drain()
            if [last] == [(found["position"] or {}).get("sequenceNo") for found in said["strands"]]:
                return said
            if time.monotonic() > ends:
                raise TimeoutError(f"the destination does not get to block {last}: {said}")
            time.sleep(0.2)

    def put(self, data: bytes) -> None:
        """Put one record on the stream."""
        key = sha256(data).hexdigest()
        self.clients["kinesis"].put_record(StreamName=self.name, Data=data, PartitionKey=key)
        self.sent += 1

    def split(self) -> None:
        """Split the stream's first shard in two."""
        kinesis = self.clients["kinesis"]
        shard = kinesis.list_shards(StreamName=self.name)["Shards"][0]
        span = shard["HashKeyRange"]
        middle = (int(span["StartingHashKey"]) + int(span["EndingHashKey"])) // 2
        kinesis.split_shard(
            StreamName=self.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
        )

    def quarantined(self) -> list[bytes | None]:
        """Give the bytes that the inbox keeps undecoded."""
        with closing(open_inbox(self.inbox_url)) as inbox:
            return [found.item.data for found in inbox.quarantined()]

    def differences(self) -> list[Any]:
        """Compare source and destination, when nobody else has the file."""
        self.server.stop()
        path = self.folder / "served" / "copy.ledger"
        with Ledger.open(path, read_only=True) as copy:
            return list(compare_ledgers(self.source.blocks(), copy).differences)

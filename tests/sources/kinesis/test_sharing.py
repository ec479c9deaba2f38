"""Several workers on one stream and one inbox: shares, newcomers, the dead."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import attrs

from qldb_stream.errors import DeliveryError
from qldb_stream.inbox import MemoryInbox, SqliteInbox, open_inbox
from qldb_stream.ledger import Ledger
from qldb_stream.sources.kinesis import KinesisSource
from qldb_stream.sources.kinesis._workers import WorkerPlace
from tests.inbox.tables import new_table
from tests.sources.kinesis.support import FAST, Fed, hashes_of, in_thread, take_all, until

Feed = Callable[..., Fed]
REPOSITORY = Path(__file__).resolve().parents[3]

# Reads the stream into a mirror that all workers share, until it is told to stop or killed.
WORK = """
import signal, sys, threading
from qldb_stream.inbox import open_inbox
from qldb_stream.pipeline import Pipeline
from qldb_stream.ledger import Ledger
from qldb_stream.sources.kinesis import KinesisSettings, open_stream
url, path, sink = sys.argv[1:]
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
settings = KinesisSettings(
    poll_s=0.05, pause_s=0.05, scan_s=0.2, checkpoint_s=0.05, lease_s=2.0, most_records=3
)
inbox = open_inbox(path)
with open_stream(url, inbox, settings=settings) as source:
    pipeline = Pipeline(sink, inbox=inbox, start=0, lease_s=2.0)
    report = pipeline.consume(source, stop=stop, drain_every_s=0.5)
inbox.close()
print(report.ok)
"""


def held(source: KinesisSource) -> int:
    """How many shards a worker reads."""
    run = source._run  # noqa: SLF001 - whose they are is in the inbox, by key alone
    return 0 if run is None else len(run._keeper.held)  # noqa: SLF001 - as above


def test_places_are_counted() -> None:
    """The lowest free place is taken; who died leaves his, and the next one moves down."""
    inbox = MemoryInbox()
    one, two, three = (WorkerPlace(inbox, "key", 10.0) for _ in range(3))
    assert [1, 2, 3] == [each.count(0.0) for each in (one, two, three)]
    assert [3, 3] == [one.count(5.0), two.count(5.0)]
    assert [2, 2] == [one.count(14.0), two.count(14.0)]
    two.release()
    assert [1, 1] == [one.count(15.0), one.count(16.0)]
    # One that slept so long that another has its place takes the next.
    assert 2 == two.count(16.0)
    assert [1, 2] == [two.count(40.0), one.count(40.0)]
    inbox.close()


def test_two_workers_share_four_shards(feed: Feed, inbox: SqliteInbox) -> None:
    """The first gives half of them to a newcomer, and has them all again when that one leaves."""
    fed = feed(4)
    fed.write(3)
    with closing(SqliteInbox(inbox.name)) as other_inbox:
        one, two = fed.source(inbox), fed.source(other_inbox)
        first, _ = in_thread(partial(take_all, one))
        until(lambda: held(one) == 4)
        second, _ = in_thread(partial(take_all, two))
        until(lambda: (held(one), held(two)) == (2, 2))
        two.close()
        second.join(20)
        until(lambda: held(one) == 4)
        one.close()
        first.join(20)


def test_the_tip_is_reached_where_another_reads_too(feed: Feed, inbox: SqliteInbox) -> None:
    """Shards of another worker count by how far it says that they are read."""
    fed = feed(2)
    fed.write(3)
    one = fed.source(inbox)
    first, _ = in_thread(partial(take_all, one))
    until(lambda: held(one) == 2)
    assert fed.read(inbox) is not None
    one.close()
    first.join(20)


def test_places_are_kept_in_dynamodb_too(feed: Feed, aws: str) -> None:
    """An inbox in a table does what one in a file does: what is read is not read again."""
    fed = feed(2)
    fed.write(4)
    name = f"dynamodb:{new_table(aws)}?endpoint_url={aws}"
    with closing(open_inbox(name)) as inbox:
        assert len(fed.read(inbox)) >= 9
    fed.split("shardId-000000000001")
    fed.write(2)
    with closing(open_inbox(name)) as inbox:
        fed.read(inbox)
        assert ([], ()) == (fed.read(inbox), inbox.status().leases)


class AwayInbox(SqliteInbox):
    """An inbox that cannot be written for a number of calls."""

    away_calls = 0

    def store_checkpoint(self, key: str, value: str, token: int) -> None:
        """Store, unless it is away."""
        if self.away_calls:
            self.away_calls -= 1
            raise AwayError
        super().store_checkpoint(key, value, token)


class AwayError(DeliveryError):
    """It may be reached later."""


def test_an_inbox_that_is_away_for_a_while(feed: Feed, tmp_path: Path) -> None:
    """What was acknowledged meanwhile is stored when it is back; for ever is an error."""
    fed, inbox = feed(1), AwayInbox(tmp_path / "away.inbox")
    fed.write(3)
    source = fed.source(inbox, settings=attrs.evolve(FAST, patience_s=2.0))
    thread, found = in_thread(partial(take_all, source))
    until(lambda: held(source) == 1)
    inbox.away_calls = 3
    fed.write(2)
    until(lambda: inbox.away_calls == 0)
    assert [] == found
    inbox.away_calls = 10**6
    fed.write(1)
    thread.join(30)
    assert [AwayError] == [type(each) for each in found]
    inbox.close()


def test_a_killed_worker_is_replaced(feed: Feed, tmp_path: Path, aws: str) -> None:
    """Two processes share four shards; one is killed, the other ends with every block."""
    fed = feed(4)
    fed.write(10)
    sink = f"ledger:{tmp_path / 'copy.ledger'}?mode=mirror"
    command = [
        sys.executable,
        "-c",
        WORK,
        f"kinesis://{fed.name}?endpoint_url={aws}",
        str(tmp_path / "a.inbox"),
        sink,
    ]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(2)
    ]
    with closing(SqliteInbox(tmp_path / "a.inbox")) as inbox:
        until(lambda: len({lease.key for lease in inbox.status().leases}) >= 6)
        fed.write(30)
        workers[0].send_signal(signal.SIGKILL)
        fed.write(10, aggregated=False)
        until(lambda: _applied(inbox) == 50)
    workers[1].send_signal(signal.SIGTERM)
    out, _ = workers[1].communicate(timeout=60)
    workers[0].communicate(timeout=60)
    with Ledger.open(tmp_path / "copy.ledger", read_only=True) as mirror:
        mirrored = hashes_of(list(mirror.blocks()))

    assert ("True\n", 0, -signal.SIGKILL) == (out, workers[1].returncode, workers[0].returncode)
    assert hashes_of(fed.blocks()) == mirrored


def _applied(inbox: SqliteInbox) -> int:
    """The number up to which the sink has everything."""
    return max((position.sequence_no for _, position in inbox.status().positions), default=-1)

"""
Deliver journals through an inbox while everything fails, and compare with one clean run.

    python -m tests.soak.delivery --rounds 500
    python -m tests.soak.delivery --rounds 20 --blocks 20 --dynamodb   # threads alone

Each round makes a journal, a delivery of it (shuffled, repeated, cut into batches) and some
workers, chosen by the round's seed. Two kinds of rounds:

- threads: the workers share sinks in memory, one without a position, one that parks what it
  refuses. Before or after any call of a sink or of the inbox a worker may die (an exception that
  nothing catches), or the sink be away. Time is a clock that waiting moves, so leases run out
  under slow workers all the time.
- processes: each worker is a process with sinks of its own, a file of JSON lines and a ledger,
  and kills itself with SIGKILL before or after any such call; it is started again until its
  batches are acknowledged.

At the end all that waits is delivered, parked blocks are requeued, and every sink must equal the
journal: each block once, in order, parked ones by document.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.events import Block
from qldb_stream.inbox import MemoryInbox, SqliteInbox, open_inbox
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Pipeline, RetryPolicy
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.report import Position
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import Journal, JournalShape, make_delivery, make_journal
from qldb_stream.testing.deliveries import cut
from qldb_stream.typing import Inbox, Item, Sink
from tests.inbox.tables import new_table, serve_aws
from tests.pipeline.inboxes import PlainSink, TestClock
from tests.soak.faults import CrashError, Fate, FragileInbox, FragileSink

PROCESS_ROUNDS: Final = 10  # each so many rounds
_MOST_STARTS: Final = 400


@attrs.frozen
class Round:
    """What a round did, all of it chosen by its seed, and what was injected."""

    seed: int
    kind: str
    workers: int
    batches: int
    parked: int
    counts: Counter[str]

    def __str__(self) -> str:
        return (
            f"round {self.seed} ({self.kind}): {self.workers} workers, {self.batches} batches, "
            f"{sum(self.counts.values())} injected, {self.parked} requeued"
        )


def run_round(folder: Path, seed: int, *, blocks: int = 40, inbox: Inbox | None = None) -> Round:
    """
    Run one round in an empty folder, and check its end.

    Args:
        folder: empty.
        seed: chooses all of it.
        blocks: how long the journal is.
        inbox: an empty one for a round with threads; the seed chooses one when None.

    Raises:
        AssertionError: a sink does not equal the journal.
    """
    chance = random.Random(seed)
    shape = JournalShape(redactions=0.1, deletes=0.2, erased=True)
    journal = make_journal(seed, blocks=blocks, shape=shape)
    datas = list(
        make_delivery(journal.iter_records(), seed=seed, window=chance.choice((3, 30, 500)))
    )
    items: list[Item] = [parse_record(data) for data in datas]
    batches = list(cut(items, seed, most=chance.choice((5, 20, 60))))
    workers = chance.randint(1, 4)
    if inbox is None and seed % PROCESS_ROUNDS == 0:
        return _ProcessRound(folder, seed, journal, batches, workers).run()
    if inbox is None:
        inbox = SqliteInbox(folder / "inbox") if seed % 2 else MemoryInbox()
    return _ThreadRound(inbox, seed, journal, batches, workers).run()


# --- threads -------------------------------------------------------------------------------


class _ThreadRound:
    def __init__(
        self, inbox: Inbox, seed: int, journal: Journal, batches: list[list[Item]], workers: int
    ) -> None:
        self._seed = seed
        self._journal = list(journal)
        self._batches = batches
        self._workers = workers
        self._chance = random.Random(seed)
        self._fate = Fate(random.Random(seed), _crash, 0.02, 0.05)
        self._clock = TestClock()
        self._inbox = inbox
        refused = self._chance.sample(range(len(self._journal)), 4) if seed % 3 == 0 else ()
        self._sinks = {
            "memory": FragileSink(MemorySink(), self._fate),
            "plain": FragileSink(PlainSink(), self._fate),
            "parks": FragileSink(MemorySink(), self._fate, refused),
        }
        self._parks = bool(refused)
        self._todo = list(range(len(batches)))
        self._errors: list[BaseException] = []

    def run(self) -> Round:
        for name in self._sinks:
            self._inbox.register(name)
        threads = [threading.Thread(target=self._work, args=(n,)) for n in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        requeued = self._finish()
        self._check()
        self._inbox.close()
        counts = self._fate.counts
        return Round(self._seed, "threads", self._workers, len(self._batches), requeued, counts)

    def _pipeline(self, inbox: Any, number: int) -> Pipeline:
        return Pipeline(
            self._sinks,
            start=0,
            inbox=inbox,
            on_refusal={"parks": "park"} if self._parks else "halt",
            retry=RetryPolicy(retries=2, base_s=5),
            batch_blocks=self._chance.choice((1, 4, 100)),
            clock=self._clock,
            chance=random.Random(number),
        )

    def _work(self, number: int) -> None:
        try:
            while self._todo:
                try:
                    index = self._todo.pop(0)
                except IndexError:
                    return
                self._deliver(index, number)
        except BaseException as exc:  # noqa: BLE001 - the round raises it
            self._errors.append(exc)

    def _deliver(self, index: int, number: int) -> None:
        """Deliver one batch, again and again until all of it is in the inbox."""
        while True:
            pipeline = self._pipeline(FragileInbox(self._inbox, self._fate), number)
            try:
                pipeline._with_inbox().put(self._batches[index])  # noqa: SLF001 - acknowledged then
                pipeline.handle_batch(self._batches[index])
                return
            except CrashError:
                continue

    def _finish(self) -> int:
        """Let everything heal, deliver what waits, and requeue what was parked."""
        self._fate.deaths = self._fate.failures = 0
        self._clock.sleep(1000)
        pipeline = self._pipeline(self._inbox, 0)
        report = pipeline.drain()
        assert report.ok, report
        self._sinks["parks"].refused.clear()
        strand_id = self._journal[0].address.strand_id
        requeued = len(pipeline.requeue(strand_id, sink="parks").applied)
        # A sink that came further than others during a pass leaves the trimming to the next one.
        assert pipeline.drain().ok
        return requeued

    def _check(self) -> None:
        wanted = [block.block_hash for block in self._journal]
        memory: Any = self._sinks["memory"].sink
        plain: Any = self._sinks["plain"].sink
        parks: Any = self._sinks["parks"].sink
        assert wanted == [block.block_hash for block in memory.blocks], "memory"
        assert wanted == [plain.blocks[n].block_hash for n in sorted(plain.blocks)], "plain"
        assert sorted(wanted) == sorted(block.block_hash for block in parks.blocks), "parks"
        _check_documents(parks.blocks)
        for name in ("memory", "parks"):
            (position,) = self._sinks[name].sink.positions.values()  # type: ignore[attr-defined]
            assert (len(wanted) - 1, frozenset()) == (position.sequence_no, position.parked), name
        status = self._inbox.status()
        assert 0 == status.strands[0].records, "the inbox is trimmed"
        assert () == status.leases
        assert () == status.parked


def _check_documents(blocks: Sequence[Block]) -> None:
    """Make sure that the versions of each document came in order."""
    last: dict[str, int] = {}
    for block in blocks:
        for revision in block.revisions:
            if revision.metadata is not None:
                before = last.get(revision.metadata.id, -1)
                assert before < revision.metadata.version, revision.metadata.id
                last[revision.metadata.id] = revision.metadata.version


def _crash() -> None:
    raise CrashError


# --- processes -----------------------------------------------------------------------------


class _ProcessRound:
    def __init__(
        self, folder: Path, seed: int, journal: Journal, batches: list[list[Item]], workers: int
    ) -> None:
        self._folder = folder
        self._seed = seed
        self._journal = journal
        self._batches = batches
        self._workers = workers
        self._counts: Counter[str] = Counter()

    def run(self) -> Round:
        starts = 0
        running: dict[int, int] = {}
        todo = set(range(self._workers))
        while todo or running:
            for number in sorted(todo):
                starts += 1
                running[self._start(number, starts)] = number
            todo.clear()
            pid, status = os.waitpid(-1, 0)
            number = running.pop(pid)
            if os.WIFSIGNALED(status):
                self._counts["SIGKILL"] += 1
                todo.add(number)
            elif os.waitstatus_to_exitcode(status) or starts >= _MOST_STARTS:
                _end(running)
                raise AssertionError(f"worker {number} failed, after {starts} starts in all")
        time.sleep(0.3)  # leases of the dead run out
        inbox = SqliteInbox(self._folder / "inbox")
        pipeline = self._pipeline(inbox, _wrap_nothing)
        pipeline.drain()
        report = pipeline.drain()  # trims what the first pass had sinks catch up with
        pipeline.close()
        assert report.ok, report
        assert 0 == inbox.status().strands[0].records, "the inbox is trimmed"
        inbox.close()
        self._check()
        return Round(self._seed, "processes", self._workers, len(self._batches), 0, self._counts)

    def _start(self, number: int, start: int) -> int:
        pid = os.fork()
        if pid == 0:
            self._be_worker(number, start)
        return pid

    def _be_worker(self, number: int, start: int) -> None:
        """Deliver the batches of a worker that were not acknowledged; end the process here."""
        code = 1
        try:
            fate = Fate(random.Random(f"{self._seed}/{start}"), _kill, 0.04, 0.03)
            inbox = FragileInbox(SqliteInbox(self._folder / "inbox"), fate)
            acknowledged = self._folder / f"acknowledged-{number}"
            done = acknowledged.read_text().split() if acknowledged.exists() else []
            for index in range(number, len(self._batches), self._workers):
                if str(index) in done:
                    continue
                pipeline = self._pipeline(inbox, lambda sink: FragileSink(sink, fate))
                result = pipeline.handle_batch(self._batches[index])
                pipeline.close()
                assert () == result.failed, result.refusal
                with acknowledged.open("a") as file:
                    file.write(f"{index}\n")
            code = 0
        except BaseException:  # noqa: BLE001 - the process ends here; the parent sees its code
            traceback.print_exc()
        finally:
            os._exit(code)

    def _pipeline(self, inbox: Any, wrap: Callable[[Sink], Sink]) -> Pipeline:
        urls = {
            "jsonl": f"jsonl:{self._folder / 'copy.jsonl'}",
            "ledger": f"ledger:{self._folder / 'copy.ledger'}",
        }
        sinks: dict[str, Any] = {name: _LateSink(url, wrap) for name, url in urls.items()}
        return Pipeline(
            sinks,
            start=0,
            inbox=inbox,
            batch_blocks=random.Random(self._seed).choice((1, 5, 100)),
            lease_s=0.2,
            retry=RetryPolicy(retries=3, base_s=0.01, most_s=0.05),
        )

    def _check(self) -> None:
        with Ledger.open(self._folder / "copy.ledger") as ledger:
            assert () == compare_ledgers(self._journal, ledger).differences
        clean = self._folder / "clean.jsonl"
        sink = JsonlSink(clean)
        assert Pipeline(sink, start=0).run(list(self._journal)).ok
        sink.close()
        copy = self._folder / "copy.jsonl"
        assert _records(clean) == _records(copy)


def _end(running: Iterable[int]) -> None:
    """End the workers that are left over when one has failed."""
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class _LateSink:
    """A sink of a URL that is opened for each call, so that other processes get it between."""

    def __init__(self, url: str, wrap: Callable[[Sink], Sink]) -> None:
        self._url = url
        self._wrap = wrap

    def position(self, strand_id: str) -> Position | None:
        """Open, ask, close."""
        sink = open_sink(self._url)
        try:
            return self._wrap(sink).position(strand_id)
        finally:
            sink.close()

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Open, apply, close."""
        sink = open_sink(self._url)
        try:
            return self._wrap(sink).apply(blocks, position, token)
        finally:
            sink.close()

    def close(self) -> None:
        """Do nothing: it is closed."""


def _records(file: Path) -> list[bytes]:
    """Read the lines of a file that hold records, as far as a POSITION line closes them."""
    position = b'{"recordType":"POSITION"'
    lines = file.read_bytes().splitlines(keepends=True)
    while lines and not lines[-1].startswith(position):
        lines.pop()
    return [line for line in lines if not line.startswith(position)]


def _wrap_nothing(sink: Sink) -> Sink:
    return sink


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str] | None = None) -> int:
    """Run rounds, then print what was injected and survived."""
    parser = argparse.ArgumentParser(description="Deliver while everything fails, then compare.")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1, help="the first round's seed")
    parser.add_argument("--blocks", type=int, default=40, help="how long each journal is")
    parser.add_argument("--dynamodb", action="store_true", help="inboxes in moto's DynamoDB")
    options = parser.parse_args(arguments)
    with dynamodb_inboxes() if options.dynamodb else nullcontext(_choose) as make_inbox:
        return _run_rounds(options, make_inbox)


def _choose() -> None:
    """Let the round's seed choose an inbox."""


@contextmanager
def dynamodb_inboxes() -> Iterator[Callable[[], Inbox]]:
    """Serve a DynamoDB while the body runs, and give what makes an inbox in it."""
    os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"
    with serve_aws() as url:
        yield lambda: open_inbox(f"dynamodb:{new_table(url)}?endpoint_url={url}&shards=2")


def _run_rounds(options: argparse.Namespace, make_inbox: Callable[[], Inbox | None]) -> int:
    started, total, kinds, requeued = time.monotonic(), Counter[str](), Counter[str](), 0
    for seed in range(options.first, options.first + options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            done = run_round(Path(folder), seed, blocks=options.blocks, inbox=make_inbox())
        total += done.counts
        kinds[done.kind] += 1
        requeued += done.parked
        _say(str(done))
    _say("injected and survived:")
    for what, count in sorted(total.items()):
        _say(f"  {count:6}  {what}")
    of_kinds = ", ".join(f"{count} with {kind}" for kind, count in sorted(kinds.items()))
    _say(
        f"{options.rounds} rounds ({of_kinds}), {requeued} blocks parked and requeued: every sink "
        f"equals one clean run ({time.monotonic() - started:.0f} s)"
    )
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

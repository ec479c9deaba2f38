"""The sink `qldb:` against our own server, over real HTTP."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.clients import boto3_session
from qldb_stream.errors import (
    ReplayRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.ion import iter_text, to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.report import Position
from qldb_stream.server import Server
from qldb_stream.sinks.qldb import QldbSink
from qldb_stream.testing import JournalShape, make_journal
from tests.replay.blocks import STRAND, THINGS, block, document_id, revision
from tests.replay.erased import erased_words
from tests.sinks.replayed import at

JOURNAL = make_journal(11, blocks=40)


def make_ledger(server: Server, name: str = "copy") -> None:
    """Make a ledger through the control plane."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    client = boto3_session(region_name="us-east-1", **keys).client("qldb", endpoint_url=server.url)
    client.create_ledger(Name=name, PermissionsMode="ALLOW_ALL")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with an empty ledger `copy`."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    with Server(folder) as running:
        make_ledger(running)
        yield running


@pytest.fixture
def sink(server: Server) -> Iterator[QldbSink]:
    """A sink on it."""
    with closing(QldbSink.open("copy", endpoint=server.url)) as opened:
        yield opened


def rows(server: Server, statement: str) -> list[Any]:
    """Run a query through the API."""
    from qldb_stream.clients import connect_bytes

    with closing(connect_bytes("copy", endpoint_url=server.url)) as driver:
        return driver.execute_lambda(lambda txn: list(txn.execute_statement(statement)))


def apply(sink: QldbSink, *blocks: Block, token: int = 1) -> None:
    """Apply blocks made by hand, one by one."""
    for each in blocks:
        reached = at(each.address.sequence_no)
        assert reached == sink.apply([each], reached, token)


def test_a_journal_is_replayed(server: Server, tmp_path: Path) -> None:
    """A journal replayed over HTTP equals its source, and a second run does nothing."""
    for applied in (40, 0):
        with closing(open_sink(f"qldb:copy?endpoint={server.url}")) as sink:
            report = Pipeline(sink).run(JOURNAL)
        assert (True, applied) == (report.ok, report.applied)
    server.stop()

    with Ledger.open(str(tmp_path / "ledgers" / "copy.ledger"), read_only=True) as ledger:
        assert compare_ledgers(JOURNAL, ledger).ok


def test_redactions_are_carried_out(server: Server, tmp_path: Path) -> None:
    """A journal's redactions are asked for over HTTP, and the data are gone from the files."""
    journal = make_journal(11, blocks=60, shape=JournalShape(redactions=0.4))
    with closing(open_sink(f"qldb:copy?endpoint={server.url}")) as sink:
        report = Pipeline(sink).run(journal)
    assert (True, ()) == (report.ok, report.redactions_pending)
    server.stop()

    words = erased_words(journal)
    folder = tmp_path / "ledgers"
    files = b"".join(each.read_bytes() for each in folder.iterdir() if each.is_file())
    assert words
    assert [] == [word for word in words if word in files]
    with Ledger.open(str(folder / "copy.ledger"), read_only=True) as ledger:
        assert compare_ledgers(journal, ledger).ok


def test_values_arrive_as_they_are(server: Server, sink: QldbSink) -> None:
    """Ion that amazon.ion would change arrives as the source has it."""
    digits = "1." + "0123456789" * 5
    text = f"{{d: {digits}, s: sym::'x', r: 1, r: 2, n: null.int}}"
    (value,) = iter_text(text)
    document = to_slice(value)
    apply(
        sink,
        block(0, statements=["CREATE TABLE Things"]),
        block(1, revision(1, 1, 0, document), statements=["INSERT"], documents={1: (THINGS, [0])}),
    )

    (found,) = rows(server, "SELECT VALUE t FROM Things AS t")
    assert document == to_slice(found)


def test_positions(sink: QldbSink) -> None:
    """The position is what was applied, with its start; a new sink finds it."""
    assert sink.position(STRAND) is None
    apply(sink, block(0), block(1))

    assert at(1, start=0) == sink.position(STRAND)
    with closing(QldbSink.open("copy", endpoint=_url_of(sink))) as other:
        assert at(1) == other.position(STRAND)


def _url_of(sink: QldbSink) -> str:
    return str(sink._endpoint._bytes._endpoint)  # type: ignore[attr-defined]  # noqa: SLF001 - a test's shortcut


def test_a_lower_token_is_refused(sink: QldbSink) -> None:
    """A worker that lost its lease is refused in its transaction."""
    apply(sink, block(0), token=5)

    with pytest.raises(StaleTokenError):
        apply(sink, block(1), token=4)


def test_a_refused_block_is_named(sink: QldbSink) -> None:
    """What the server refuses is the block's refusal, and nothing of it is left."""
    apply(sink, block(0))
    long = block(1, statements=[f"CREATE INDEX ON Nothing ({'x' * 9})"])

    with pytest.raises(ReplayRefusedError, match=f"block {STRAND}/1 "):
        apply(sink, long)
    assert at(0) == sink.position(STRAND)


def test_a_run_is_applied_up_to_what_is_refused(sink: QldbSink) -> None:
    """Of a run, what stands before a refused block is applied."""
    blocks = [block(0), block(1), block(2, statements=["CREATE INDEX ON Nothing (a)"])]

    assert at(1) == sink.apply(blocks, at(2), 1)


def test_no_such_ledger(server: Server) -> None:
    """A ledger that is not there is said when the position is asked for."""
    with (
        closing(QldbSink.open("other", endpoint=server.url)) as sink,
        pytest.raises(UsageError, match=r"sink qldb:other: .*other"),
    ):
        sink.position(STRAND)


def test_nobody_answers() -> None:
    """A server that is away is an unavailable sink, and closing it is no error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (
        closing(QldbSink.open("copy", endpoint=f"http://127.0.0.1:{port}")) as sink,
        pytest.raises(SinkUnavailableError, match="qldb:copy"),
    ):
        sink.position(STRAND)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("qldb:", "needs a ledger's name"),
        ("qldb:cars?endpoint=somewhere", "is no URL"),
        ("qldb:cars?endpoint=http://me:secret@host", "no password in endpoint"),
        ("qldb:cars?base=update", "base"),
        ("qldb:cars?ids=some", "ids=some"),
    ],
)
def test_options_that_make_no_sense(url: str, problem: str) -> None:
    """Options that make no sense are refused before anything is sent, without secrets."""
    with pytest.raises(UsageError, match=problem) as caught:
        open_sink(url)
    assert "secret" not in str(caught.value)


def test_base_is_checked_in_python_too() -> None:
    """`base` has one value."""
    with pytest.raises(UsageError, match="base=x"):
        QldbSink.open("cars", base="x")


# --- blocks beyond the limits ------------------------------------------------------------------


def large_block(count: int = 60) -> Block:
    """A block of more documents than the server's limit of 40."""
    return block(
        1,
        *(revision(1, number, 0, {"n": number}) for number in range(count)),
        statements=["INSERT"],
        documents={number: (THINGS, [0]) for number in range(count)},
    )


MADE = block(0, statements=["CREATE TABLE Things"])


def test_a_block_beyond_the_limits(sink: QldbSink) -> None:
    """A block beyond the limits is refused by name, with what to do about it."""
    apply(sink, MADE)

    with pytest.raises(ReplayRefusedError, match=r"/1 .*the limit is 40; split-blocks=yes"):
        apply(sink, large_block())


def test_split_blocks(server: Server) -> None:
    """With split-blocks it is applied in parts, and the summary says that it was not atomic."""
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        apply(sink, MADE, large_block(), block(2))
        summary = sink.summary()

    assert ((STRAND, 1),) == summary.not_atomic
    assert 60 == summary.documents
    found = rows(server, "SELECT VALUE t.n FROM Things AS t")
    assert list(range(60)) == sorted(found)


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_a_crash_between_parts(server: Server, parts: int) -> None:
    """A sink that stops between two parts goes on with the next: no document comes twice."""
    calls = 0

    def stop(execute: Any) -> Any:
        def counted(work: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > parts:
                raise SinkUnavailableError("qldb:copy", "stopped by the test")
            return execute(work)

        return counted

    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        sink.apply([MADE], at(0), 1)
        sink._driver.execute_lambda = stop(sink._driver.execute_lambda)  # type: ignore[method-assign]  # noqa: SLF001 - the crash
        with pytest.raises(SinkUnavailableError):
            sink.apply([large_block()], at(1), 1)
        assert parts + 1 == calls
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        assert at(0) == sink.position(STRAND)
        apply(sink, large_block(), block(2))

    assert list(range(60)) == sorted(rows(server, "SELECT VALUE t.n FROM Things AS t"))


def test_a_first_block_in_parts(server: Server) -> None:
    """A strand whose first block is there in part has no position yet, and goes on."""
    first = block(
        0,
        *(revision(0, number, 0, {"n": number}) for number in range(50)),
        statements=["CREATE TABLE Things", "INSERT"],
        documents={number: (THINGS, [1]) for number in range(50)},
    )
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        execute = sink._driver.execute_lambda  # noqa: SLF001 - the crash
        left = iter([True, True, False])  # whole, which is refused; the first part; then no more

        def once(work: Any) -> Any:
            if next(left):
                return execute(work)
            raise SinkUnavailableError("qldb:copy", "stopped by the test")

        sink._driver.execute_lambda = once  # type: ignore[method-assign,assignment]  # noqa: SLF001 - the crash
        with pytest.raises(SinkUnavailableError):
            sink.apply([first], at(0), 1)
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        assert sink.position(STRAND) is None
        apply(sink, first)
        assert at(0, start=0) == sink.position(STRAND)

    assert 50 == len(rows(server, "SELECT * FROM Things"))


def test_another_block_between_parts(server: Server) -> None:
    """While a block is there in part, no other can be begun in parts: its place is kept."""
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        apply(sink, MADE)
        execute = sink._driver.execute_lambda  # noqa: SLF001 - the crash
        left = iter([True, True, False])

        def once(work: Any) -> Any:
            if next(left):
                return execute(work)
            raise SinkUnavailableError("qldb:copy", "stopped by the test")

        sink._driver.execute_lambda = once  # type: ignore[method-assign,assignment]  # noqa: SLF001 - the crash
        with pytest.raises(SinkUnavailableError):
            sink.apply([large_block()], at(1), 1)
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True)) as sink:
        other = block(
            2,
            *(revision(2, number, 0, {"n": number}) for number in range(100, 150)),
            statements=["INSERT"],
            documents={number: (THINGS, [0]) for number in range(100, 150)},
        )
        parked = at(2, parked=frozenset({1}))
        with pytest.raises(ReplayRefusedError, match="block 1 is there in part"):
            sink.apply([other], parked, 1)


def test_references_across_parts(server: Server) -> None:
    """Documents that name one of a later part cannot be applied in parts, and that is said."""
    naming = [revision(1, n, 0, {"next": document_id(n + 1)}) for n in range(59)]
    given = block(
        1,
        *naming,
        revision(1, 59, 0, {}),
        statements=["INSERT"],
        documents={number: (THINGS, [0]) for number in range(60)},
    )
    with closing(QldbSink.open("copy", endpoint=server.url, split_blocks=True, ids="any")) as sink:
        apply(sink, MADE)
        with pytest.raises(ReplayRefusedError, match="cannot be applied in parts"):
            apply(sink, given)


def test_statement_mode(server: Server) -> None:
    """The journal's own statements are sent, with parameters that its digests prove."""
    with Ledger.open(":memory:") as source:
        driver = source.driver()
        driver.execute_lambda(lambda txn: list(txn.execute_statement("CREATE TABLE Things")))
        documents = [{"a": 1}, {"a": 2}]
        insert = "INSERT INTO Things ?"
        driver.execute_lambda(lambda txn: list(txn.execute_statement(insert, documents)))
        with closing(open_sink(f"qldb:copy?mode=statement&endpoint={server.url}")) as sink:
            assert Pipeline(sink).run(source.blocks()).ok

    assert [1, 2] == sorted(rows(server, "SELECT VALUE t.a FROM Things AS t"))


# --- a server that dies ------------------------------------------------------------------------


class ServerProcess:
    """`qldb-stream ledger serve` in a process of its own, killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        words = ["ledger", "serve", str(self._folder), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "qldb_stream", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_server_that_is_killed(tmp_path: Path, seed: int) -> None:
    """A server killed with SIGKILL in the middle of a run costs no block and doubles none."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    with Server(folder) as first:
        make_ledger(first)
    process = ServerProcess(folder)
    process.start()
    blocks = list(JOURNAL)
    strand_id = blocks[0].address.strand_id
    kills = [5 + seed, 17, 30]
    try:
        with closing(QldbSink.open("copy", endpoint=process.url)) as sink:
            while (done := _done(sink, strand_id)) < len(blocks) - 1:
                if kills and done >= kills[0]:
                    kills.pop(0)
                    process.kill()
                    with pytest.raises(SinkUnavailableError):
                        _apply(sink, blocks[done + 1])
                    process.start()
                    continue
                _apply(sink, blocks[done + 1])
    finally:
        process.kill()

    with Ledger.open(str(folder / "copy.ledger")) as ledger:
        assert compare_ledgers(JOURNAL, ledger).ok


def _done(sink: QldbSink, strand_id: str) -> int:
    position = sink.position(strand_id)
    return -1 if position is None else position.sequence_no


def _apply(sink: QldbSink, block_: Block) -> None:
    address = block_.address
    sink.apply([block_], Position(address.strand_id, -1, b"").at(block_), 1)

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import (
    DeliveryError,
    SinkRefusedError,
    SinkUnavailableError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.inbox import open_inbox
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.webhook._settings import read_settings
from qldb_stream.sinks.webhook._signature import sign
from qldb_stream.sinks.webhook._sink import WebhookSink
from qldb_stream.testing.journals import JournalShape, make_journal
from tests.sinks.webhook.server import SECRET, Receiver, Said

JOURNAL = make_journal(7, blocks=20, shape=JournalShape(redactions=0.3, deletes=0.2))
BLOCKS = list(JOURNAL)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Give the time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now_s += seconds


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash)


def make_sink(receiver: Receiver, clock: Clock | None = None, **options: str) -> WebhookSink:
    """Open a sink on this machine."""
    settings = read_settings("webhook+http", f"//127.0.0.1:{receiver.port}/cars", options)
    clock = clock or Clock()
    return WebhookSink(settings, now=clock.now, sleep=clock.sleep)


def test_what_is_sent(receiver: Receiver) -> None:
    """A request for each block, with all that its revisions say."""
    sink = make_sink(receiver)
    assert position_at(BLOCKS[-1]) == sink.apply(BLOCKS, position_at(BLOCKS[-1]), 0)
    sink.close()
    bodies = receiver.bodies("/cars")
    assert list(range(20)) == [body["data"]["sequenceNo"] for body in bodies]
    for block, (headers, body) in zip(BLOCKS, receiver.taken["/cars"], strict=True):
        moment = block.summary.block_timestamp.isoformat(timespec="milliseconds")
        assert block.block_hash.hex() == headers["webhook-id"]
        assert "1700000000" == headers["webhook-timestamp"]
        assert ("qldb.block", moment) == (body["type"], body["timestamp"])
        assert block.summary.transaction_id == body["data"]["txId"]
        written = [r for r in block.revisions if r.metadata is not None]
        told = [m for m in body["data"]["messages"] if m["type"].startswith("revision.")]
        assert [r.hash.hex() for r in written] == [m["key"] for m in told]
        assert [r.kind.value for r in written] == [m["kind"] for m in told]
        assert [r.data_ion is None for r in written] == [m["data"] is None for m in told]
    redactions = [b.address for b in BLOCKS if b.summary.redaction_info is not None]
    assert [(a.strand_id, a.sequence_no) for a in redactions] == list(
        sink.summary().redactions_pending
    )


def test_the_inbox_keeps_the_position(receiver: Receiver, tmp_path: Path) -> None:
    """With one, a second run sends nothing; without one, everything again with the same ids."""
    url = f"webhook+http://127.0.0.1:{receiver.port}/cars"
    inbox = open_inbox(f"sqlite:{tmp_path}/x.inbox")
    for end in (8, 20):
        assert Pipeline(url, inbox=inbox).run(BLOCKS[:end]).ok
    inbox.close()
    ids = [headers["webhook-id"] for headers, _ in receiver.taken["/cars"]]
    assert [block.block_hash.hex() for block in BLOCKS] == ids
    assert Pipeline(url).run(BLOCKS[:3]).ok
    again = [headers["webhook-id"] for headers, _ in receiver.taken["/cars"]]
    assert ids + ids[:3] == again


def test_redacted_copies_are_no_repeats(receiver: Receiver) -> None:
    """A block whose document came redacted has another id than the full one."""
    sink = make_sink(receiver)
    erased = list(JOURNAL.with_erased())
    changed = [e for b, e in zip(BLOCKS, erased, strict=True) if b != e]
    sink.apply(erased, position_at(erased[-1]), 0)
    sink.close()
    ids = {headers["webhook-id"] for headers, _ in receiver.taken["/cars"]}
    assert {f"{block.block_hash.hex()}.redacted" for block in changed} <= ids
    assert changed


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, SinkUnavailableError) for status in (408, 425, 429, 500, 503)),
        *((status, UsageError) for status in (301, 307, 401, 403, 404, 405, 407, 410)),
        *((status, SinkRefusedError) for status in (400, 409, 413, 422)),
    ],
)
def test_answers(receiver: Receiver, status: int, expected: type[Exception]) -> None:
    """Each means: later, not before somebody has acted, or never; none is followed or shown."""
    sink = make_sink(receiver)
    elsewhere = {"location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
    receiver.answers = [Said(status, elsewhere, b"what the document said")]
    with pytest.raises(expected) as caught:
        sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 0)
    assert str(status) in str(caught.value)
    assert "document" not in str(caught.value)
    assert ["/cars"] == receiver.asked
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 0)
    sink.close()


def test_what_was_taken_before_is_told(receiver: Receiver) -> None:
    """A run that fails in its middle ends there; offered again, the failure is told."""
    sink = make_sink(receiver)
    receiver.answers = [Said(), Said(), Said(422), Said(422)]
    assert position_at(BLOCKS[1]) == sink.apply(BLOCKS[:5], position_at(BLOCKS[4]), 0)
    with pytest.raises(SinkRefusedError, match=f"{BLOCKS[2].address.strand_id}/2: .*HTTP 422"):
        sink.apply(BLOCKS[2:5], position_at(BLOCKS[4]), 0)
    sink.close()


@pytest.mark.parametrize(
    ("value", "waits_s"),
    [("7", 7.0), ("at-7", 7.0), ("0", 0.0), ("soon", 0.0), ("Mon, 99 Foo", 0.0), ("at-0", 0.0)],
)
def test_it_waits_as_long_as_it_is_asked(receiver: Receiver, value: str, waits_s: float) -> None:
    """For seconds, or until a moment; what is neither counts as nothing."""
    clock = Clock()
    sink = make_sink(receiver, clock)
    if value.startswith("at-"):
        moment = datetime.fromtimestamp(clock.now_s + float(value[3:]), UTC)
        value = format_datetime(moment, usegmt=True)
    receiver.answers = [Said(503, {"retry-after": value})]
    with pytest.raises(SinkUnavailableError):
        sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.close()
    assert ([waits_s] if waits_s else []) == clock.slept


def test_it_does_not_wait_for_ever(receiver: Receiver) -> None:
    """Half a minute at a time, and the request is not sent before its time."""
    clock = Clock()
    sink = make_sink(receiver, clock)
    receiver.answers = [Said(429, {"retry-after": "70"})]
    for left in ("HTTP 429", "40 s more", "10 s more"):
        with pytest.raises(SinkUnavailableError, match=left):
            sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.close()
    assert ([30.0, 30.0, 10.0], 2) == (clock.slept, len(receiver.asked))


@pytest.mark.parametrize("value", ["9" * 12, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_it_is_asked_again_within_an_hour(receiver: Receiver, value: str) -> None:
    """Who asks to be left alone for years closes the way for an hour, not for good."""
    clock = Clock()
    sink = make_sink(receiver, clock)
    receiver.answers = [Said(429, {"retry-after": value})]
    for left in ("HTTP 429", "3570 s more"):
        with pytest.raises(SinkUnavailableError, match=left):
            sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    clock.now_s += 3570
    sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.close()
    assert 1 == len(receiver.bodies("/cars"))


def test_what_trickles_behind_an_answer_is_not_waited_for() -> None:
    """The status is known: a rest that comes byte by byte, or breaks off, changes nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_trickle, args=(server,))
        thread.start()
        sink = open_sink(f"webhook+http://127.0.0.1:{server.getsockname()[1]}/cars", timeout_s="9")
        began = time.monotonic()
        sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 0)
        assert time.monotonic() - began < 6
        sink.close()
        thread.join(10)
    assert not thread.is_alive()


def _trickle(server: socket.socket) -> None:
    """Answer twice: slowly for longer than anybody reads, then with less than was promised."""
    for pause_s in (0.3, None):
        connection, _ = server.accept()
        with connection:
            request = b""
            while not request.endswith(b"}}"):
                request += connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\nx")
            with suppress(OSError):
                while pause_s is not None:
                    time.sleep(pause_s)
                    connection.sendall(b"x")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_that_drips_is_given_up(scheme: str, certificate: Path) -> None:
    """A head that comes byte by byte, without end, is waited for as long as one that does not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_drip, args=(server, certificate, scheme == "https"))
        thread.start()
        port = server.getsockname()[1]
        options = {"timeout_s": "1"} | ({"ca": str(certificate)} if scheme == "https" else {})
        sink = open_sink(f"webhook+{scheme}://127.0.0.1:{port}/cars", **options)
        began = time.monotonic()
        with pytest.raises(SinkUnavailableError, match="ReadTimeoutError"):
            sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
        assert time.monotonic() - began < 4
        sink.close()
        thread.join(10)
    assert not thread.is_alive()


def _drip(server: socket.socket, certificate: Path, is_tls: bool) -> None:  # noqa: FBT001 - a thread's
    """Answer one request, a byte now and then, until nobody listens any more."""
    connection, _ = server.accept()
    if is_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        connection = context.wrap_socket(connection, server_side=True)
    with connection, suppress(OSError):
        request = b""
        while not request.endswith(b"}}"):
            request += connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nx-head: ")
        for _ in range(200):
            time.sleep(0.1)
            connection.sendall(b"x")


def test_nobody_there_and_no_answer(receiver: Receiver) -> None:
    """Both may pass; the URL's path is not in the error."""
    for url in ("webhook+http://127.0.0.1:1/hidden", "webhook+https://127.0.0.1:1/hidden"):
        sink = open_sink(url)
        with pytest.raises(SinkUnavailableError) as caught:
            sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
        assert "hidden" not in str(caught.value)
    # Plain text where TLS is spoken.
    sink = open_sink(f"webhook+https://127.0.0.1:{receiver.port}/hidden")
    with pytest.raises(DeliveryError):
        sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)


def test_a_long_answer_is_not_read(receiver: Receiver) -> None:
    """The connection is given up instead, and the next block has a new one."""
    sink = make_sink(receiver)
    receiver.answers = [Said(200, {}, bytes(1 << 20)), Said(200, {}, b"short")]
    sink.apply(BLOCKS[:3], position_at(BLOCKS[2]), 0)
    sink.close()
    assert 3 == len(receiver.bodies("/cars"))


def test_a_block_that_is_too_large_is_refused(receiver: Receiver) -> None:
    """By its number, before anything of it is sent."""
    sink = make_sink(receiver, body_bytes="300")
    big = next(i for i, block in enumerate(BLOCKS) if block.revisions)
    with pytest.raises(SinkRefusedError, match="more than body_bytes allows"):
        sink.apply(BLOCKS[big:], position_at(BLOCKS[-1]), 0)
    sink.close()
    assert [] == receiver.asked


# --- settings ------------------------------------------------------------------------------


def test_signatures() -> None:
    """Those of the specification's own example, for each secret."""
    secret = b"\\x00" * 24
    expected = "v1,"
    found = sign((secret, b"another secret of ours"), "msg_1", 1614265330, b'{"test": 2432232314}')
    one, other = found.split(" ")
    assert (expected, expected) == (one[:3], other[:3])
    assert one != other
    assert 44 == len(one.removeprefix(expected))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("webhook+https:", "write webhook"),
        ("webhook+https:///cars", "write webhook"),
        ("webhook+https://x:port/", "write webhook"),
        ("webhook+https://[x/", "write webhook"),
        ("webhook+https://me:secret@x/", "takes no name and password"),
        ("webhook+http://example.com/", "is for this machine alone"),
        ("webhook+https://x/?body_bytes=0", "body_bytes is a number from 1"),
        ("webhook+https://x/?timeout_s=x", "timeout_s is a number from 1"),
        ("webhook+https://x/?ca=/nowhere", "there is no file"),
        ("webhook+https://x/?secret_env=A&secret_file=B", "not both"),
        ("webhook+https://x/?secret_env=NOBODY_SET_THIS", "NOBODY_SET_THIS holds no secret"),
        ("webhook+https://x/?secret_file=/nowhere", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_told(url: str, problem: str) -> None:
    """Before anything is sent, and without a secret in the message."""
    with pytest.raises(UsageError, match=problem) as caught:
        open_sink(url)
    assert "me:secret" not in str(caught.value)


def test_secrets(tmp_path: Path, receiver: Receiver) -> None:
    """A file may hold several, one of them new; short ones and bad ones are refused."""
    file = tmp_path / "secrets"
    file.write_text("another secret of ours\n".replace(" ", "-") + f"{SECRET}\n")
    sink = make_sink(receiver, secret_file=str(file))
    sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.close()
    (headers, _) = receiver.taken["/cars"][0]
    assert 2 == len(headers["webhook-signature"].split(" "))
    for text, problem in (("short", "fewer than 16 bytes"), ("whsec_*", "no base64 behind")):
        file.write_text(text)
        with pytest.raises(UsageError, match=problem):
            make_sink(receiver, secret_file=str(file))


def test_a_file_without_certificates(tmp_path: Path) -> None:
    """It is told."""
    file = tmp_path / "x.pem"
    file.write_text("nothing")
    with pytest.raises(UsageError, match="holds no certificates"):
        open_sink(f"webhook+https://x/?ca={file}")


def test_a_query_goes_along(receiver: Receiver) -> None:
    """A question mark of the server's own is written %3F."""
    sink: Any = open_sink(f"webhook+http://localhost:{receiver.port}/a%3Fkind=x")
    sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 0)
    sink.close()
    assert ["/a?kind=x"] == receiver.asked


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    for name in [name for name in sys.modules if name.startswith("qldb_stream.sinks.webhook._")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(UsageError, match=r"qldb-stream\[webhook\]"):
        open_sink("webhook+https://x/")

"""HTTP: what anybody may send, over raw sockets to a real server (facts 6.1 and 6.4)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from qldb_stream.server import ConnectionLimits, RequestLimits, Server
from tests.server.support import TARGET, Got, Talk, Wire, rows, to_base64, to_json

START = to_json({"StartSession": {"LedgerName": "cars"}})


def connect(server: Server) -> socket.socket:
    """Open a socket to a server."""
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def head(body: bytes = START, **changed: str) -> bytes:
    """Write the head of a SendCommand."""
    fields = {
        "Host": "localhost",
        "X-Amz-Target": TARGET,
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(body)),
    } | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode()


def read_answer(connection: socket.socket) -> Got:
    """Read one answer."""
    file = connection.makefile("rb")
    status = int(file.readline().split()[1])
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    body = file.read(int(headers.get("content-length", 0)))
    return Got(status, json.loads(body) if body.startswith(b"{") else body, headers)


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side closes; tell whether it did so without sending more."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Server]:
    """A server with little patience."""
    connections = ConnectionLimits(connections=4, head_s=0.3, idle_s=0.3, head_bytes=4096)
    requests = RequestLimits(body_bytes=100_000, waiting_bytes=150_000, body_s=0.3, send_s=0.5)
    with Server(tmp_path, connections=connections, requests=requests, grace_s=0.1) as server:
        wire = Wire(server.url)
        wire.call("POST", "/ledgers", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"})
        wire.close()
        yield server


# --- what works ----------------------------------------------------------------------------


def test_a_session_over_http(wire: Wire) -> None:
    """Headers that drivers look for are there; rows come back as they went in."""
    talk = Talk(wire)
    talk.run(("INSERT INTO Car ?", {"vin": "http"}))
    talk.begin()
    got = talk.execute("SELECT * FROM Car WHERE vin = ?", "http")
    assert [{"vin": "http"}] == rows(got.body["ExecuteStatement"]["FirstPage"])
    assert 22 == len(got.headers["x-amzn-requestid"])
    assert "application/x-amz-json-1.0" == got.headers["content-type"]
    assert 200 == talk.commit().status


@pytest.mark.parametrize("path", ["/health", "/healthz"])
def test_health_is_for_anybody(wire: Wire, path: str) -> None:
    """It has counts and no names."""
    got = wire.call("GET", path, headers={"Host": "elsewhere"})
    assert {"status", "version", "ledgers", "sessions", "open_transactions"} == set(got.body)
    assert ("ok", 1) == (got.body["status"], got.body["ledgers"])


def test_the_control_plane_over_http(wire: Wire) -> None:
    """Paths, queries and percent-encoded ARNs reach their operations."""
    arn = "arn%3Aaws%3Aqldb%3Aus-east-1%3A000000000000%3Aledger%2Fcars"
    assert 200 == wire.call("POST", f"/tags/{arn}", {"Tags": {"a": "b"}}).status
    assert {"Tags": {"a": "b"}} == wire.call("GET", f"/tags/{arn}").body
    assert "cars" == wire.call("GET", "/ledgers?max_results=5").body["Ledgers"][0]["Name"]
    assert {"Digest", "DigestTipAddress"} == set(wire.call("POST", "/ledgers/cars/digest").body)


def test_clients_do_not_wait_for_each_other(server: Server) -> None:
    """More connections than threads, each with a session of its own."""
    failures: list[object] = []

    def work(number: int) -> None:
        wire = Wire(server.url)
        try:
            talk = Talk(wire)
            for turn in range(5):
                talk.run(("INSERT INTO Car ?", {"vin": f"{number}-{turn}"}))
        except AssertionError as error:
            failures.append(error)
        finally:
            wire.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failures


def test_no_update_is_lost(server: Server) -> None:
    """Clients that count in one document at once conflict, and what was answered is counted."""
    wire = Wire(server.url)
    Talk(wire).run(("INSERT INTO Car ?", {"vin": "counter", "n": 0}))
    committed: list[int] = []
    others: list[object] = []

    def count() -> None:
        own = Wire(server.url)
        talk = Talk(own)
        for _ in range(15):
            talk.begin()
            got = talk.execute("SELECT n FROM Car WHERE vin = ?", "counter")
            (row,) = rows(got.body["ExecuteStatement"]["FirstPage"])
            talk.execute("UPDATE Car SET n = ? WHERE vin = ?", row["n"] + 1, "counter")
            got = talk.commit()
            if got.status == 200:
                committed.append(1)
            elif got.error[0] != "OccConflictException":
                others.append(got)
        own.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == others
    found = Talk(wire).run(("SELECT n FROM Car WHERE vin = ?", "counter"))
    assert [{"n": len(committed)}] == found
    wire.close()


def test_commands_of_one_session_may_come_at_once(server: Server, wire: Wire) -> None:
    """Pyqldb reads ahead on a second connection; the commands are done one after the other."""
    talk = Talk(wire)
    talk.begin()
    statuses: list[int] = []

    def work() -> None:
        other = Wire(server.url)
        body = {"TransactionId": talk.id, "Statement": "SELECT * FROM Car"}
        got = other.send({"SessionToken": talk.token, "ExecuteStatement": body})
        statuses.append(got.status)
        other.close()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200] * 12 == statuses


# --- bad requests --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "error"),
    [
        ("POST", "/", {}, "UnknownOperationException"),
        ("POST", "/", {"X-Amz-Target": "QLDBSession.Other"}, "UnknownOperationException"),
        ("GET", "/", {"X-Amz-Target": TARGET}, "UnknownOperationException"),
        ("POST", "/", {"X-Amz-Target": TARGET}, "SerializationException"),
        ("GET", "/nothing", {}, "UnknownOperationException"),
        ("PUT", "/ledgers", {}, "UnknownOperationException"),
        ("GET", "/ledgers/none", {}, "ResourceNotFoundException"),
        ("GET", "/ledgers/..%2Fcars", {}, "UnknownOperationException"),
        ("GET", "/ledgers/%00", {}, "ResourceNotFoundException"),
        ("GET", "/ledgers/%FF", {}, "ResourceNotFoundException"),
        ("POST", "/ledgers/none/digest", {}, "ResourceNotFoundException"),
        ("GET", "/ledgers", {"Origin": "http://evil.example"}, "AccessDeniedException"),
        ("GET", "/ledgers", {"Host": "evil.example"}, "AccessDeniedException"),
        ("GET", "/ledgers", {"Host": "localhost.evil.example:1"}, "AccessDeniedException"),
    ],
)
def test_bad_requests_get_the_services_errors(
    wire: Wire, method: str, path: str, headers: dict[str, str], error: str
) -> None:
    """And the connection is of use after."""
    assert error == wire.call(method, path, headers=headers).error[0]
    Talk(wire)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8", "a.localhost", "127.3.2.1", "[::1]:9"]
)
def test_this_machine_has_several_names(wire: Wire, host: str) -> None:
    """Without keys, these may ask."""
    assert 200 == wire.call("GET", "/ledgers", headers={"Host": host}).status


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"SessionToken":"a","X":{}}', b"{}"]
)
def test_bad_bodies_get_the_services_errors(wire: Wire, body: bytes) -> None:
    """Whatever the bytes are."""
    assert 400 == wire.send(body).status
    Talk(wire)


def test_deep_ion_is_a_bad_request(wire: Wire) -> None:
    """Binary or text, nested thousands of levels deep."""
    talk = Talk(wire)
    talk.begin()
    for holder in ({"IonText": "[" * 50_000 + "]" * 50_000}, {"IonBinary": _deep_ion()}):
        members = {"TransactionId": talk.id, "Statement": "SELECT ? FROM Car"}
        got = talk.ask("ExecuteStatement", **members, Parameters=[holder])
        assert "BadRequestException" == got.error[0]
    assert 200 == talk.ask("AbortTransaction").status


def _deep_ion() -> str:
    """Write lists of binary Ion, one in the other."""
    value = b"\xb0"
    while len(value) < 60_000:
        length = len(value)
        sizes = [length & 0x7F | 0x80]
        while length := length >> 7:
            sizes.insert(0, length & 0x7F)
        value = b"\xbe" + bytes(sizes) + value
    return to_base64(b"\xe0\x01\x00\xea" + value)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused(small: Server, *, declared: bool) -> None:
    """At once where its length is told, else when it is reached; then the connection ends."""
    with connect(small) as connection:
        if declared:
            connection.sendall(head(Content_Length="100001"))
        else:
            connection.sendall(head(Content_Length="", Transfer_Encoding="chunked"))
            connection.sendall(b"1FFFF\r\n" + b"x" * 0x1FFFF)
        got = read_answer(connection)
        assert (413, "RequestEntityTooLargeException") == (got.status, got.error[0])
        assert is_closed(connection)


def test_bodies_together_are_bounded(small: Server) -> None:
    """One that would be too much is told to come again; the memory is free again after."""
    with connect(small) as slow, connect(small) as late:
        slow.sendall(head(Content_Length="99000") + b"x" * 98_000)
        late.sendall(head(Content_Length="99000") + b"x" * 98_000)
        statuses = {read_answer(slow).status, read_answer(late).status}
        assert 503 in statuses
    with connect(small) as again:
        again.sendall(head() + START)
        assert 200 == read_answer(again).status


def test_a_slow_body_is_given_up(small: Server) -> None:
    """With an error, and the end of the connection."""
    with connect(small) as connection:
        connection.sendall(head() + START[:-1])
        got = read_answer(connection)
        assert (408, "RequestTimeoutException") == (got.status, got.error[0])
        assert is_closed(connection)


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_slow_head_is_given_up(small: Server, sent: bytes) -> None:
    """A connection that begins no request in time is closed."""
    with connect(small) as connection:
        connection.sendall(sent)
        assert is_closed(connection)


def test_a_head_that_drips_is_given_up(small: Server) -> None:
    """Bytes that come one by one give it no more time than a head has."""

    def drip() -> None:
        for byte in head():
            connection.sendall(bytes([byte]))
            time.sleep(0.02)  # a head of a hundred bytes takes seconds so

    with connect(small) as connection:
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            drip()
        assert time.monotonic() - began < len(head()) * 0.02


def test_an_idle_connection_is_closed(small: Server) -> None:
    """After its last answer."""
    with connect(small) as connection:
        connection.sendall(head() + START)
        assert 200 == read_answer(connection).status
        assert is_closed(connection)


def test_a_head_has_so_many_bytes(small: Server) -> None:
    """A client that sends headers for ever is cut off."""

    def send_headers() -> None:
        while True:
            connection.sendall(b"X-More: " + b"x" * 2000 + b"\r\n")
            time.sleep(0.001)  # let it read: it counts what it has read

    with connect(small) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            send_headers()


def test_connections_are_bounded(small: Server) -> None:
    """One more than there may be is told so; when one ends, there is room."""
    held = [connect(small) for _ in range(4)]
    for connection in held:
        connection.sendall(head() + START[:-1])
    with connect(small) as more:
        got = read_answer(more)
        assert (503, "CapacityExceededException") == (got.status, got.error[0])
        assert is_closed(more)
    for connection in held:
        connection.close()
    _until(lambda: _health(small) is not None)


def _health(server: Server) -> Any:
    wire = Wire(server.url)
    got = wire.call("GET", "/health")
    wire.close()
    return got.body if got.status == 200 else None


def _until(is_so: Callable[[], bool]) -> None:
    """Ask until it is so; a server that never gets there fails by the time limit."""
    while not is_so():
        time.sleep(0.01)


def test_a_half_closed_client_gets_its_answer(server: Server) -> None:
    """It said all that it wanted; then the connection ends."""
    with connect(server) as connection:
        connection.sendall(head() + START)
        connection.shutdown(socket.SHUT_WR)
        assert 200 == read_answer(connection).status
        assert is_closed(connection)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server: Server) -> None:
    """The server goes on."""
    for sent in (head()[:20], head(), head() + START[:5]):
        with connect(server) as connection:
            connection.sendall(sent)
    with connect(server) as connection:
        connection.sendall(head() + START)
        assert 200 == read_answer(connection).status


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """Each gets its own answer."""
    with connect(server) as connection:
        bad = b"{}"
        connection.sendall((head() + START + head(bad) + bad) * 10)
        file = connection.makefile("rb")
        statuses = []
        for _ in range(20):
            statuses.append(int(file.readline().split()[1]))
            length = 0
            while line := file.readline().strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.split()[1])
            file.read(length)
        assert [200, 400] * 10 == statuses


def test_a_client_that_takes_no_answers_is_given_up(small: Server) -> None:
    """It gets no further than what fits between; the server forgets it."""
    wire = Wire(small.url)
    talk = Talk(wire)
    talk.run(("CREATE TABLE Car",))
    talk.run(*[("INSERT INTO Car ?", {"text": "x" * 60_000}) for _ in range(20)])
    talk.begin()
    body = {"TransactionId": talk.id, "Statement": "SELECT * FROM Car"}
    sent = to_json({"SessionToken": talk.token, "ExecuteStatement": body})
    wire.close()
    with connect(small) as connection:
        for _ in range(40):
            connection.sendall(head(sent) + sent)
        time.sleep(1)  # twice what a client has to take an answer
        got = 0
        with suppress(ConnectionError):
            while part := connection.recv(1 << 20):
                got += len(part)
        assert 0 < got < 40 * 20 * 80_000
    assert _health(small)["open_transactions"] == 1


def test_a_client_that_only_sends_is_given_up(small: Server) -> None:
    """What was to be sent is dropped, and the connection with it."""
    bad = to_json({"StartSession": {"LedgerName": "x" * 40}, "EndSession": {}})
    with connect(small) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.2)

        def send_only() -> None:
            while True:
                connection.sendall((head(bad) + bad) * 100)

        with pytest.raises(OSError, match=r"timed out|reset|[Bb]roken"):
            send_only()
        _until(lambda: _health(small) is not None)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\nnonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_no_http_ends_the_connection(server: Server, sent: bytes) -> None:
    """With an answer of HTTP where one can be given; never with a success."""
    with connect(server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        got = connection.makefile("rb").read()
        assert not got.startswith(b"HTTP/1.1 200")
    assert _health(server) is not None


# --- the other reader of HTTP --------------------------------------------------------------


def test_without_httptools_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn's own reader, h11, serves as well."""
    monkeypatch.setattr("qldb_stream.server._front.AutoHTTPProtocol", H11Protocol)
    limits = ConnectionLimits(head_bytes=4096, idle_s=0.3)
    with Server(tmp_path, connections=limits) as server:
        wire = Wire(server.url)
        wire.call("POST", "/ledgers", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"})
        talk = Talk(wire)
        talk.run(("CREATE TABLE Car",))
        talk.run(("INSERT INTO Car ?", {"vin": "A"}))
        wire.close()
        with connect(server) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nX-Long: " + b"x" * 200_000)
            assert 400 == read_answer(connection).status
        with connect(server) as connection:
            connection.sendall(head() + START)
            connection.shutdown(socket.SHUT_WR)
            assert 200 == read_answer(connection).status
            assert is_closed(connection)

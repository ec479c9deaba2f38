"""What one client address may take, over real sockets: connections, bodies, handshakes."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

from qldb_stream.server import ConnectionLimits, RequestLimits, Server
from qldb_stream.server._addresses import Shares, name_owner
from qldb_stream.server._settings import Settings, fit_to_machine
from tests.server.support import KEY, TARGET, to_json

ANYWHERE = "0.0.0.0"  # noqa: S104 - addresses count where others than this machine are answered
LOGGER = "qldb_stream.server"


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """A file with a key."""
    path = tmp_path / "keys.json"
    entry = {
        "access_key": KEY.access_key,
        "secret_key": KEY.secret_key,
        "permission": "read-write",
    }
    path.write_bytes(to_json({"version": 1, "keys": [entry]}))
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """A certificate and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        command = [*new, *subject, "-keyout", str(key), "-out", str(cert)]
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    return {"tls_cert": str(cert), "tls_key": str(key)}


def port_of(server: Server) -> int:
    """Give the port of a server."""
    return int(server.url.rpartition(":")[2])


def connect(server: Server, own: str = "127.0.0.1") -> socket.socket:
    """Connect from an address of this machine's loopback."""
    return socket.create_connection(("127.0.0.1", port_of(server)), 20, (own, 0))


def ask_health(connection: socket.socket) -> int:
    """Ask how the server is, and give the status; 0 when the connection was cut off."""
    try:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return int(connection.makefile("rb").readline().split()[1])
    except (ConnectionError, IndexError):
        return 0


def test_an_address_has_so_many_connections(
    tmp_path: Path, keys: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One more is refused, and the log names the address once; others have theirs."""
    limits = ConnectionLimits(per_address=3)
    with (
        Server(tmp_path, host=ANYWHERE, keys=keys, connections=limits) as server,
        ExitStack() as stack,
        caplog.at_level(logging.WARNING, LOGGER),
    ):
        held = [stack.enter_context(connect(server)) for _ in range(3)]
        assert [200] * 3 == [ask_health(connection) for connection in held]
        for _ in range(4):
            with connect(server) as more:
                assert more.makefile("rb").read().startswith(b"HTTP/1.1 503 ")
        with connect(server, "127.0.0.2") as other:
            assert 200 == ask_health(other)
        held[0].close()
        _until_there_is_room(server)
    lines = [record.getMessage() for record in caplog.records]
    assert ["127.0.0.1 has 3 connections, and may have 3: more is refused"] == lines[:1]
    assert len(lines) <= 2  # the second, where it was asked for room before there was some


def _until_there_is_room(server: Server) -> None:
    """Ask until a connection is taken; a server that never does fails by the time limit."""
    while True:
        with connect(server) as again:
            if ask_health(again) == 200:
                return
        time.sleep(0.01)


def test_on_loopback_one_address_may_have_all(tmp_path: Path) -> None:
    """All clients are of this machine there, and have one address."""
    limits = ConnectionLimits(connections=4, per_address=1)
    with Server(tmp_path, connections=limits) as server, ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(4)]
        assert [200] * 4 == [ask_health(connection) for connection in held]


def test_all_connections_together_are_bounded_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, however many come."""
    with (
        Server(tmp_path, connections=ConnectionLimits(connections=1)) as server,
        caplog.at_level(logging.WARNING, LOGGER),
        connect(server) as held,
    ):
        assert 200 == ask_health(held)
        for _ in range(3):
            with connect(server) as more:
                assert more.makefile("rb").read().startswith(b"HTTP/1.1 503 ")
    assert ["there are 1 connections: more are refused"] == [
        record.getMessage() for record in caplog.records
    ]


def test_an_address_never_has_more_than_half(tmp_path: Path) -> None:
    """Whatever was asked for: with few file descriptors there are few connections."""
    settings = Settings(tmp_path, connections=ConnectionLimits(connections=10, per_address=9))
    assert 5 == fit_to_machine(settings, "192.0.2.1").connections.per_address
    assert 10 == fit_to_machine(settings, "127.0.0.1").connections.per_address
    one = attrs.evolve(settings, connections=ConnectionLimits(connections=1))
    assert 1 == fit_to_machine(one, "fe80::1%eth0").connections.per_address


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_who_owns_an_address(address: str, owner: str) -> None:
    """An IPv4 address is one owner's; of IPv6, a /64 is."""
    assert owner == name_owner(address)


def test_shares_are_forgotten_when_they_are_empty() -> None:
    """What one had and gave back leaves room for all of it."""
    shares = Shares(10, "things")
    assert shares.take("a", 7)
    assert not shares.take("a", 4)
    assert shares.take("b", 10)
    shares.give_back("a", 7)
    shares.give_back("a", 0)
    assert shares.take("a", 10)


# --- bodies --------------------------------------------------------------------------------


def head_of(access_key: str, length: int) -> bytes:
    """Write the head of a request that a key might have signed."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{moment[:8]}/us-east-1/qldb/aws4_request, "
        f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
    )
    fields = {
        "Host": "localhost",
        "X-Amz-Target": TARGET,
        "X-Amz-Date": moment,
        "Authorization": authorization,
        "Content-Length": str(length),
    }
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    """Read an answer's status."""
    return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture
def bounded(tmp_path: Path, keys: str) -> Iterator[Server]:
    """A server that has room for one body and a half of each address."""
    requests = RequestLimits(body_bytes=100_000, per_address_bytes=150_000, body_s=20)
    with Server(tmp_path, host=ANYWHERE, keys=keys, requests=requests) as server:
        yield server


def test_an_address_has_so_many_bytes_of_bodies(bounded: Server) -> None:
    """Who knows a key's name and not its secret takes an address's room, and not all there is."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(connect(bounded)) for _ in range(2))
        for connection in (first, second):
            connection.sendall(head_of(KEY.access_key, 100_000) + b"x" * 90_000)
        first.settimeout(0.1)
        second.settimeout(0.1)
        refused, held = _which_is_answered(first, second)
        assert 503 == refused
        with connect(bounded, "127.0.0.2") as other:
            other.sendall(head_of(KEY.access_key, 90_000) + b"x" * 90_000)
            assert 403 == status_of(other)
        held.settimeout(20)
        held.sendall(b"x" * 10_000)
        assert 403 == status_of(held)
    with connect(bounded) as again:
        again.sendall(head_of(KEY.access_key, 100_000) + b"x" * 100_000)
        assert 403 == status_of(again)


def _which_is_answered(first: socket.socket, second: socket.socket) -> tuple[int, socket.socket]:
    """Wait for the first answer of two; give its status, and the other connection."""
    while True:
        for asked, other in ((first, second), (second, first)):
            try:
                return int(asked.recv(4096).split()[1]), other
            except TimeoutError:
                continue


def test_strangers_take_no_room_of_others(bounded: Server) -> None:
    """A body behind an unknown key's head is refused by its length alone."""
    with connect(bounded) as stranger:
        stranger.sendall(head_of("nobody", 100_000))
        assert 403 == status_of(stranger)


# --- TLS -----------------------------------------------------------------------------------


def test_a_handshake_has_the_time_of_a_head(tmp_path: Path, tls: dict[str, str]) -> None:
    """Whoever does not begin one, or begins and stops, is cut off."""
    limits = ConnectionLimits(head_s=0.3)
    with Server(tmp_path, connections=limits, **tls) as server:
        for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with connect(server) as silent:
                silent.sendall(sent)
                assert b"" == _read_all(silent)
        assert 200 == _ask_over_tls(server, tls)


def test_what_is_no_tls_is_cut_off(tmp_path: Path, tls: dict[str, str]) -> None:
    """Without HTTP, which the server does not speak there."""
    with Server(tmp_path, **tls) as server, connect(server) as plain:
        assert 0 == ask_health(plain)
        assert 200 == _ask_over_tls(server, tls)


def test_handshakes_count_as_connections(tmp_path: Path, tls: dict[str, str]) -> None:
    """Those that have not begun, too; the one more is cut off, and there is room again after."""
    limits = ConnectionLimits(connections=2)
    with Server(tmp_path, connections=limits, **tls) as server:
        with connect(server), connect(server), connect(server) as more:
            assert b"" == _read_all(more)
        while not _is_answered_over_tls(server, tls):
            time.sleep(0.01)


def test_a_client_may_ask_with_the_end_of_its_handshake(
    tmp_path: Path, tls: dict[str, str]
) -> None:
    """What comes in one packet with it is not lost, and a client that has gone leaves nothing."""
    context = ssl.create_default_context(cafile=tls["tls_cert"])
    asked = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Server(tmp_path, **tls) as server:
        for stays in (True, False):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            speaking = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            with connect(server) as connection:
                _shake_hands(speaking, incoming, outgoing, connection)
                speaking.write(asked)
                if not stays:
                    with pytest.raises(ssl.SSLWantReadError):
                        speaking.unwrap()
                connection.sendall(outgoing.read())
                if stays:
                    assert _read(speaking, incoming, connection).startswith(b"HTTP/1.1 200")
        assert 200 == _ask_over_tls(server, tls)


def _shake_hands(
    speaking: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    connection: socket.socket,
) -> None:
    """Come to where the client's last flight is written, and keep that back."""
    while True:
        try:
            speaking.do_handshake()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(1 << 16))
        else:
            return


def _read(speaking: ssl.SSLObject, incoming: ssl.MemoryBIO, connection: socket.socket) -> bytes:
    while True:
        try:
            return speaking.read(4096)
        except ssl.SSLWantReadError:
            incoming.write(connection.recv(1 << 16))


def _read_all(connection: socket.socket) -> bytes:
    """Read until the other side ends it."""
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


def _ask_over_tls(server: Server, tls: dict[str, str]) -> int:
    context = ssl.create_default_context(cafile=tls["tls_cert"])
    connection = http.client.HTTPSConnection("127.0.0.1", port_of(server), context=context)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def _is_answered_over_tls(server: Server, tls: dict[str, str]) -> bool:
    try:
        return _ask_over_tls(server, tls) == 200
    except ConnectionError:
        return False

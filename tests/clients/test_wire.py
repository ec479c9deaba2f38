"""SendCommand over one connection: signed as our server checks it, with botocore's errors."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from qldb_stream.clients import boto3_session
from qldb_stream.clients._wire import SessionWire, maybe_wire
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server
from tests.server.support import KEY, to_json


@attrs.frozen
class Credentials:
    """What boto3 gives as frozen credentials."""

    access_key: str = KEY.access_key
    secret_key: str = KEY.secret_key
    token: str | None = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that checks signatures, with a ledger `cars`."""
    folder = tmp_path_factory.mktemp("ledgers")
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    entry = {"access_key": KEY.access_key, "secret_key": KEY.secret_key, "permission": "read-write"}
    keys.write_bytes(to_json({"version": 1, "keys": [entry]}))
    keys.chmod(0o600)
    Ledger.open(str(folder / "cars.ledger"), name="cars").close()
    with Server(folder, keys=str(keys)) as running:
        yield running


def wire_to(url: str, credentials: Credentials | None = None, **more: Any) -> SessionWire:
    """A wire that is signed with the reader-writer's key."""
    return SessionWire(url, "eu-west-1", lambda: credentials or Credentials(), **more)


START = {"StartSession": {"LedgerName": "cars"}}


@pytest.mark.parametrize("token", [None, "a-session-token"])
def test_signatures(server: Server, token: str | None) -> None:
    """What is sent is signed as the server wants it, with temporary keys too."""
    with closing(wire_to(server.url, Credentials(token=token))) as wire:
        for _ in range(2):  # the day's key is kept
            answer = wire.send_command(**START)
            assert answer["StartSession"]["SessionToken"]
            assert 200 == answer["ResponseMetadata"]["HTTPStatusCode"]
            assert "x-amzn-requestid" in answer["ResponseMetadata"]["HTTPHeaders"]


def test_a_wrong_key(server: Server) -> None:
    """A signature with another secret is refused."""
    with (
        closing(wire_to(server.url, Credentials(secret_key="wrong"))) as wire,
        pytest.raises(ClientError),
    ):
        wire.send_command(**START)


@pytest.mark.parametrize(
    "command",
    [
        {"StartSession": {"LedgerName": "no-such-ledger"}},
        {"SessionToken": "none", "StartTransaction": {}},
        {},
    ],
)
def test_errors_are_botocores(server: Server, command: dict[str, Any]) -> None:
    """An error that the service answers with is the one that botocore's client raises."""
    session = boto3_session(
        region_name="eu-west-1",
        aws_access_key_id=KEY.access_key,
        aws_secret_access_key=KEY.secret_key,
    )
    client = session.client("qldb-session", endpoint_url=server.url)
    found: list[ClientError] = []
    with closing(wire_to(server.url)) as wire:
        for send in (client.send_command, wire.send_command):
            with pytest.raises(ClientError) as caught:
                send(**command)
            found.append(caught.value)

    botocores, ours = (error.response for error in found)
    assert botocores["Error"]["Code"] == ours["Error"]["Code"]
    assert botocores["Error"]["Message"] == ours["Error"]["Message"]
    status = "HTTPStatusCode"
    assert botocores["ResponseMetadata"][status] == ours["ResponseMetadata"][status]
    assert str(found[0]) == str(found[1])


def test_blobs_are_bytes(server: Server) -> None:
    """Blobs go and come as bytes."""
    with closing(wire_to(server.url)) as wire:
        token = wire.send_command(**START)["StartSession"]["SessionToken"]
        begun = wire.send_command(SessionToken=token, StartTransaction={})
        transaction_id = begun["StartTransaction"]["TransactionId"]
        statement = {
            "TransactionId": transaction_id,
            "Statement": "SELECT VALUE x FROM ? AS x",
            "Parameters": [{"IonBinary": b"\xe0\x01\x00\xea\x21\x07"}],
        }
        answer = wire.send_command(SessionToken=token, ExecuteStatement=statement)
        wire.send_command(SessionToken=token, AbortTransaction={})

    (value,) = answer["ExecuteStatement"]["FirstPage"]["Values"]
    assert b"\xe0\x01\x00\xea\x21\x07" == value["IonBinary"]


# --- connections -------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def answering(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does one thing after another to who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def say(*answers: bytes) -> Callable[[socket.socket], None]:
    """Answer each request on one connection, then close it."""

    def serve(connection: socket.socket) -> None:
        for answer in answers:
            connection.recv(65536)
            connection.sendall(answer)

    return serve


def test_a_connection_closed_while_idle() -> None:
    """A connection that the server closed between two commands is opened again."""
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        say(OK)(connection)
        connection.close()
        closed.set()

    with answering(once, say(OK)) as url, closing(wire_to(url)) as wire:
        wire.send_command()
        closed.wait()
        assert 200 == wire.send_command()["ResponseMetadata"]["HTTPStatusCode"]


def test_a_server_that_wants_no_more() -> None:
    """After `connection: close` the next command goes over a new connection."""
    last = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
    with answering(say(last), say(OK)) as url, closing(wire_to(url)) as wire:
        wire.send_command()
        wire.send_command()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{",
        b"nonsense\r\n\r\n",
    ],
)
def test_answers_that_break_off(answer: bytes) -> None:
    """An answer that ends early, or is none, is a closed connection: nobody knows what happened."""
    with (
        answering(say(answer)) as url,
        closing(wire_to(url)) as wire,
        pytest.raises(ConnectionClosedError),
    ):
        wire.send_command()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_errors_of_others(body: bytes) -> None:
    """What stands between may answer with anything: its status is the error then."""
    head = f"HTTP/1.1 503 Busy\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with (
        answering(say(head + body)) as url,
        closing(wire_to(url)) as wire,
        pytest.raises(ClientError) as caught,
    ):
        wire.send_command()

    assert "503" == caught.value.response["Error"]["Code"]
    assert 503 == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without end is given up."""
    monkeypatch.setattr("qldb_stream.clients._wire._MAX_ANSWER_BYTES", 1)
    with (
        answering(say(OK)) as url,
        closing(wire_to(url)) as wire,
        pytest.raises(ConnectionClosedError),
    ):
        wire.send_command()


def test_nobody_answers() -> None:
    """Where nobody listens, that is said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with closing(wire_to(url)) as wire, pytest.raises(EndpointConnectionError):
        wire.send_command()


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come in time is a time-out of botocore's."""
    monkeypatch.setattr("qldb_stream.clients._wire._TIMEOUT_S", 0.05)
    over = threading.Event()

    def silent(_connection: socket.socket) -> None:
        over.wait()

    with answering(silent) as url:
        with closing(wire_to(url)) as wire, pytest.raises(ReadTimeoutError):
            wire.send_command()
        over.set()


def test_a_server_that_does_not_take_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not made in time is a time-out of botocore's."""
    with closing(wire_to("http://127.0.0.1:1")) as wire:

        def never() -> None:
            raise TimeoutError

        monkeypatch.setattr(wire._connection, "connect", never)  # noqa: SLF001 - no address drops packets everywhere
        with pytest.raises(ConnectTimeoutError):
            wire.send_command()


def test_tls(tmp_path: Path) -> None:
    """TLS is checked against the bundle that botocore is told of, and without it refused."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*new, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path / "ledgers"
    folder.mkdir()
    Ledger.open(str(folder / "cars.ledger"), name="cars").close()
    with Server(folder, tls_cert=str(cert), tls_key=str(key)) as running:
        with closing(wire_to(running.url, ca_bundle=str(cert))) as wire:
            assert wire.send_command(**START)["StartSession"]
        with closing(wire_to(running.url)) as wire, pytest.raises(SSLError):
            wire.send_command(**START)


# --- where botocore's client stays --------------------------------------------------------------


def client_of(url: str, **options: Any) -> Any:
    """A botocore client with keys."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    session = boto3_session(region_name="eu-west-1", **keys)
    return session.client("qldb-session", endpoint_url=url, **options)


def test_it_goes_where_the_client_goes() -> None:
    """A wire goes to the client's endpoint with its region and credentials."""
    with answering(say(OK)) as url:
        wire = maybe_wire(client_of(url))
        assert wire is not None
        with closing(wire):
            wire.send_command()
            assert "Credential=a/" in wire._headers(b"")["authorization"]  # noqa: SLF001 - what it signs
            assert "/eu-west-1/qldb/" in wire._headers(b"")["authorization"]  # noqa: SLF001 - as above


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://127.0.0.1:8765/behind/a/path", {}),
        ("https://127.0.0.1:8765", {"verify": False}),
    ],
)
def test_what_only_botocore_can(url: str, options: dict[str, Any]) -> None:
    """Paths and unchecked certificates are left to botocore."""
    assert maybe_wire(client_of(url, **options)) is None


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proxy is configured for an endpoint, botocore goes there."""
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert maybe_wire(client_of("http://ledger.test:8765")) is None
    assert maybe_wire(client_of("http://127.0.0.1:8765")) is not None

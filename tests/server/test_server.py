"""The server as a whole: who may listen where, keys, TLS, and how it stops."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from qldb_stream.errors import LedgerFileError, UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server
from qldb_stream.server._keys import Key
from tests.server.support import KEY, READER, TARGET, Got, Talk, Wire, to_json

CARS = {"Name": "cars", "PermissionsMode": "ALLOW_ALL"}


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """A file with a key that may write and one that may read."""
    path = tmp_path / "keys.json"
    entries = [
        {
            "access_key": key.access_key,
            "secret_key": key.secret_key,
            "permission": "read-only" if key.read_only else "read-write",
        }
        for key in (KEY, READER)
    ]
    path.write_bytes(to_json({"version": 1, "keys": entries}))
    return str(path)


class Signed(Wire):
    """A connection whose requests botocore signs."""

    def __init__(self, url: str, key: Key) -> None:
        super().__init__(url)
        self.url = url
        self.key = key

    def call(self, method: str, path: str, body: object = None, headers: Any = None) -> Got:
        """Sign a request and send it."""
        raw = body if isinstance(body, bytes) else b"" if body is None else to_json(body)
        request = AWSRequest(method, self.url + path, headers=dict(headers or {}), data=raw)
        credentials = Credentials(self.key.access_key, self.key.secret_key)
        SigV4Auth(credentials, "qldb", "us-east-1").add_auth(request)
        return super().call(method, path, raw, dict(request.headers.items()))


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    """OpenSSL does not say which file it could not read."""
    (tmp_path / "cert.pem").write_text("")
    key = tmp_path / "nope.pem"
    server = Server(tmp_path, port=0, tls_cert=str(tmp_path / "cert.pem"), tls_key=str(key))
    with pytest.raises(UsageError, match=r"nope\.pem cannot be read: No such file"), server:
        pass


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_without_the_extra_the_import_says_what_to_install(missing: str) -> None:
    """The import fails with the extra's name."""
    code = f"import sys; sys.modules[{missing!r}] = None\nimport qldb_stream.server"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert 1 == done.returncode
    assert done.stderr.endswith("pip install 'qldb-stream[server]'\n")


def test_only_this_machine_is_answered_without_keys(tmp_path: Path) -> None:
    """An address that others reach needs keys; nothing is left open when that is refused."""
    with pytest.raises(UsageError, match="give --keys"):
        Server(tmp_path, host="0.0.0.0").start()  # noqa: S104 - what is refused
    with Server(tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_keys_open_other_addresses(tmp_path: Path, keys: str) -> None:
    """With them it listens anywhere, and answers nobody who does not sign."""
    with Server(tmp_path, host="0.0.0.0", keys=keys) as server:  # noqa: S104 - that is the test
        url = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - as above
        wire = Wire(url)
        for got in (wire.call("GET", "/ledgers"), wire.send({"EndSession": {}})):
            assert (403, "MissingAuthenticationTokenException") == (got.status, got.error[0])
        assert 200 == wire.call("GET", "/health").status
        wire.close()
        signed = Signed(url, KEY)
        assert 200 == signed.call("POST", "/ledgers", CARS).status
        signed.close()


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"Authorization": None}, "MissingAuthenticationTokenException"),
        ({"Authorization": "AWS4-HMAC-SHA256 x"}, "IncompleteSignatureException"),
        ({"X-Amz-Date": "20200101T000000Z"}, "IncompleteSignatureException"),
        ({"key": Key("nobody", "s" * 20)}, "UnrecognizedClientException"),
    ],
)
def test_bodies_are_read_of_those_who_may_ask(
    tmp_path: Path, keys: str, changed: dict[str, Any], name: str
) -> None:
    """Whoever will be refused is, before there is a large body; a small one is taken."""
    with Server(tmp_path, keys=keys) as server:
        for length, closes in ((1_000_000, True), (16_384, False)):
            got = ask_with(server.url, {**changed, "Content-Length": str(length)}, length)
            assert (403, name, closes) == got


def ask_with(url: str, changed: dict[str, Any], length: int) -> tuple[int, str, bool]:
    """Send a signed request's changed head, and its body if it is small; say how it went."""
    key = changed.pop("key", KEY)
    request = AWSRequest("POST", url + "/", headers={"X-Amz-Target": TARGET}, data=b"x" * length)
    SigV4Auth(Credentials(key.access_key, key.secret_key), "qldb", "us-east-1").add_auth(request)
    headers = {**dict(request.headers.items()), **changed}
    wire = Wire(url)
    wire.connection.putrequest("POST", "/")
    for name, value in headers.items():
        if value is not None:
            wire.connection.putheader(name, value)
    wire.connection.endheaders(b"x" * length if length < 100_000 else None)
    response = wire.connection.getresponse()
    body = json.loads(response.read())
    closes = response.headers.get("Connection") == "close"
    wire.close()
    return response.status, body["__type"], closes


def test_a_browsers_body_is_not_read_without_keys(tmp_path: Path) -> None:
    """A page of another site is refused by the head of its request."""
    with Server(tmp_path) as server:
        changed = {"Origin": "http://example.com", "Content-Length": "1000000"}
        assert (403, "AccessDeniedException", True) == ask_with(server.url, changed, 1_000_000)


@pytest.mark.parametrize(
    ("extensions", "writing"),
    [("off", "FROM Car SET a = 1"), ("on", "DELETE FROM Car WHERE CASE WHEN true THEN true END")],
)
def test_a_read_only_key_reads(tmp_path: Path, keys: str, extensions: str, writing: str) -> None:
    """SELECT, digests and descriptions; everything else is denied, and changes nothing."""
    with Server(tmp_path, keys=keys, extensions=extensions) as server:
        writer, reader = Signed(server.url, KEY), Signed(server.url, READER)
        assert 200 == writer.call("POST", "/ledgers", CARS).status
        Talk(writer).run(("CREATE TABLE Car",))
        talk = Talk(reader)
        talk.run(("SELECT * FROM Car",), ("SELECT * FROM history(Car)",))
        talk.begin()
        for statement in (
            "INSERT INTO Car ?",
            "CREATE TABLE Van",
            "DELETE FROM Car",
            "DROP TABLE Car",
            writing,
        ):
            assert "AccessDeniedException" == talk.execute(statement, {}).error[0]
        assert "BadRequestException" == talk.execute("SELECT").error[0]
        assert 200 == talk.ask("AbortTransaction").status
        assert 200 == reader.call("POST", "/ledgers/cars/digest").status
        assert 200 == reader.call("GET", "/ledgers").status
        for method, path in (("DELETE", "/ledgers/cars"), ("POST", "/ledgers")):
            assert "AccessDeniedException" == reader.call(method, path, CARS).error[0]
        stolen = {"SessionToken": talk.token, "StartTransaction": {}}
        assert "No such session" == writer.send(stolen).error[1]
        writer.close()
        reader.close()


def test_tls(tmp_path: Path) -> None:
    """With certificate and key it speaks TLS; one without the other, or neither, is refused."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run([*new, *subject, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    with pytest.raises(UsageError, match="needs both"):
        Server(tmp_path, tls_cert=str(cert)).start()
    with pytest.raises(UsageError, match="cannot be used"):
        Server(tmp_path, tls_cert=str(key), tls_key=str(cert)).start()
    with Server(tmp_path, tls_cert=str(cert), tls_key=str(key)) as server:
        assert server.url.startswith("https://")
        parts = urlsplit(server.url)
        context = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port, context=context)
        connection.request("GET", "/health")
        assert 200 == connection.getresponse().status
        connection.close()


def test_an_address_that_is_taken_is_refused(tmp_path: Path) -> None:
    """By name; a folder that is taken, too."""
    with Server(tmp_path) as server:
        port = urlsplit(server.url).port
        with pytest.raises(UsageError, match="cannot listen"):
            Server(tmp_path, port=port).start()
        with pytest.raises(LedgerFileError, match="another server"):
            Server(tmp_path).start()
    with pytest.raises(UsageError, match="cannot listen"):
        Server(tmp_path, host="no such host").start()


def test_it_listens_on_ipv6_too(tmp_path: Path) -> None:
    """Where the machine has it."""
    try:
        server = Server(tmp_path, host="::1")
        server.start()
    except UsageError:
        pytest.skip("no IPv6 on this machine")
    assert server.url.startswith("http://[::1]:")
    wire = Wire(server.url)
    assert 200 == wire.call("GET", "/ledgers").status
    wire.close()
    server.stop()


def test_a_stop_lets_transactions_end(tmp_path: Path) -> None:
    """What was begun is committed, nothing new begins, and the ledger is free after."""
    server = Server(tmp_path, grace_s=30)
    server.start()
    wire = Wire(server.url)
    wire.call("POST", "/ledgers", CARS)
    talk, other = Talk(wire), Talk(wire)
    talk.run(("CREATE TABLE Car",))
    talk.begin()
    talk.execute("INSERT INTO Car ?", {"vin": "A"})
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    while other.ask("StartTransaction").status == 200:
        assert 200 == other.ask("AbortTransaction").status
    assert "stopping" == wire.call("GET", "/health").body["status"]
    assert 200 == talk.commit().status
    stopping.join()
    wire.close()
    server.stop()
    with Ledger.open(tmp_path / "cars.ledger") as ledger:
        assert 1 == ledger.digest().tip.sequence_no


def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A transaction that nobody ends is given up; hurrying does so at once."""
    for grace_s, is_hurried in ((0.1, False), (600, True)):
        server = Server(tmp_path, grace_s=grace_s)
        server.start()
        wire = Wire(server.url)
        wire.call("POST", "/ledgers", CARS)
        Talk(wire).begin()
        if is_hurried:
            server.hurry()
        server.stop()
        wire.close()
        Ledger.open(tmp_path / "cars.ledger").close()


def test_ledgers_of_another_server_can_be_read_on(tmp_path: Path) -> None:
    """What one server committed the next one has."""
    for number in range(2):
        with Server(tmp_path) as server:
            wire = Wire(server.url)
            wire.call("POST", "/ledgers", CARS)
            talk = Talk(wire)
            if not number:
                talk.run(("CREATE TABLE Car",))
            talk.run(("INSERT INTO Car ?", {"n": number}))
            assert [{"n": n} for n in range(number + 1)] == sorted(
                talk.run(("SELECT n FROM Car",)), key=lambda row: row["n"]
            )
            wire.close()


def test_ledgers_are_opened_as_the_server_is_told(tmp_path: Path) -> None:
    """Without limits, with what QLDB did not have, and with reads in the journal."""
    with Server(tmp_path, limits="off", extensions="on", journal_reads="on") as server:
        wire = Wire(server.url)
        wire.call("POST", "/ledgers", CARS)
        talk = Talk(wire)
        talk.run(("CREATE TABLE Car",))
        talk.run(("INSERT INTO Car ?", [{"n": n} for n in range(50)]))
        first = {"n": 49}
        assert first == talk.run(("SELECT n FROM Car ORDER BY n DESC LIMIT 1",))[0]
        tip = wire.call("POST", "/ledgers/cars/digest").body["DigestTipAddress"]["IonText"]
        assert tip.endswith("sequenceNo:2}")
        wire.close()


def test_botocores_own_client_is_understood(tmp_path: Path, keys: str) -> None:
    """A request as botocore sends it, with a lower-case body and its headers."""
    with Server(tmp_path, keys=keys) as server:
        signed = Signed(server.url, KEY)
        signed.call("POST", "/ledgers", CARS)
        body = json.dumps({"StartSession": {"LedgerName": "cars"}}, indent=2).encode()
        headers = {"X-Amz-Target": TARGET, "User-Agent": "Boto3/1", "Accept-Encoding": "identity"}
        assert 200 == signed.call("POST", "/", body, headers).status
        signed.close()

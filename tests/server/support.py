"""
What the server's tests share: requests made by hand, without any AWS client.

`Desk` is the server without its sockets and event loop: a gateway over a folder, with a clock that
is set. `Wire` sends the same requests over HTTP. Both fold commit digests themselves.
"""

from __future__ import annotations

import http.client
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import attrs

from qldb_stream.hashing import dot
from qldb_stream.ion import dumps, ion_hash, loads
from qldb_stream.ledger import Environment
from qldb_stream.server._call import Plane
from qldb_stream.server._exports import make_export_work
from qldb_stream.server._gateway import Gateway
from qldb_stream.server._jobs import Jobs
from qldb_stream.server._keys import Key
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._messages import Answer, Request
from qldb_stream.server._metadata import EXPORT, STREAM, LedgerSettings
from qldb_stream.server._operations import ROUTES
from qldb_stream.server._service import SessionService
from qldb_stream.server._sessions import Sessions
from qldb_stream.server._sigv4 import Signatures
from qldb_stream.server._streams import make_stream_work
from qldb_stream.server._targets import Targets
from tests.ledger.support import Clock, Ids

TARGET = "QLDBSession.SendCommand"
KEY = Key("reader-writer", "s" * 20)
READER = Key("reader", "r" * 20, read_only=True)


@attrs.frozen
class Got:
    """An answer: status, body, headers in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> tuple[str, str]:
        """The error's name and message; the header and the body must agree on the name."""
        assert self.headers["x-amzn-errortype"] == self.body["__type"]
        return self.body["__type"], self.body["Message"]


class Sender(Protocol):
    """What sends a SendCommand."""

    def send(self, body: object) -> Got:
        """Send it."""


class Desk:
    """The server without sockets, over the ledgers of a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: str = "qldb",
        keys: Mapping[str, Key] | None = None,
        sessions: int = 3000,
        targets: Targets | None = None,
    ) -> None:
        self.clock = Clock()
        self.ids = Ids()
        environment = Environment(self.clock, self.ids, lambda _s: None, lambda: 0.5)
        self.ledgers = Ledgers(folder, limits=limits, extensions="off", environment=environment)
        self.sessions = Sessions(environment.jitter, sessions)
        self.service = SessionService(
            self.ledgers, self.sessions, environment, limits=limits == "qldb"
        )
        self.targets = targets or Targets()
        works = {
            EXPORT: make_export_work(self.targets),
            STREAM: make_stream_work(self.targets),
        }
        self.jobs = Jobs(self.ledgers, environment, works, limits=limits == "qldb")
        self.plane = Plane(self.ledgers, self.service, self.jobs, environment, self.targets)
        signatures = None if keys is None else Signatures(keys)
        self.gateway = Gateway(self.plane, self.sessions, signatures)

    def make_ledger(self, name: str = "cars") -> None:
        """Make a ledger."""
        self.ledgers.create(name, LedgerSettings(self.clock()), {})

    def send(self, body: object) -> Got:
        """Send a command; bytes are sent as they are."""
        answers: list[Answer] = []
        request = self.request("POST", "/", body, {"x-amz-target": TARGET})
        self.gateway.send_command(request, answers.append)
        return self.got(answers[0], request)

    def call(
        self, method: str, path: str, body: object = None, query: str = "", **places: str
    ) -> Got:
        """Call an operation of the control plane by its route and what its places hold."""
        request = self.request(method, path, body, {}, query)
        answer = self.gateway.control(ROUTES[path][method], places, request)
        return self.got(answer, request)

    def request(
        self, method: str, path: str, body: object, headers: Mapping[str, str], query: str = ""
    ) -> Request:
        """Make a request from this machine."""
        raw = body if isinstance(body, bytes) else b"" if body is None else to_json(body)
        all_headers = {"host": "localhost:1", **headers}
        pairs = [(name.encode(), value.encode()) for name, value in all_headers.items()]
        return Request(self.ids(), method, path.encode(), query.encode(), pairs, raw)

    def got(self, answer: Answer, request: Request) -> Got:
        """Read an answer."""
        headers = answer.headers(request.request_id)
        named = {name.decode(): value.decode() for name, value in headers}
        return Got(answer.status, json.loads(answer.body), named)

    def close(self) -> None:
        """End the jobs and close the ledgers."""
        assert self.jobs.stop(60)
        self.ledgers.close()


class Wire:
    """One HTTP connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)

    def send(self, body: object) -> Got:
        """Send a command; bytes are sent as they are."""
        headers = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.0"}
        return self.call("POST", "/", body, headers)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send any request."""
        raw = body if isinstance(body, bytes) or body is None else to_json(body)
        self.connection.request(method, path, raw, dict(headers or {}))
        response = self.connection.getresponse()
        named = {name.lower(): value for name, value in response.headers.items()}
        return Got(response.status, json.loads(response.read() or b"null"), named)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Talk:
    """A session, spoken by hand; keeps the digest of what it sent."""

    def __init__(self, sender: Sender, ledger_name: str = "cars") -> None:
        self.sender = sender
        self.token = self.must({"StartSession": {"LedgerName": ledger_name}}, "SessionToken")
        self.id = ""
        self.digest = b""

    def must(self, command: Mapping[str, Any], member: str) -> Any:
        """Send a command that succeeds and give a member of its result."""
        got = self.sender.send(command)
        assert got.status == 200, got
        result = got.body[next(name for name in command if name != "SessionToken")]
        assert result["TimingInformation"]["ProcessingTimeMilliseconds"] >= 0
        return result[member]

    def ask(self, name: str, **members: Any) -> Got:
        """Send a command of this session."""
        return self.sender.send({"SessionToken": self.token, name: members})

    def begin(self) -> str:
        """Start a transaction and give its id."""
        self.id = self.must({"SessionToken": self.token, "StartTransaction": {}}, "TransactionId")
        self.digest = ion_hash(self.id)
        return self.id

    def execute(self, statement: str, *parameters: Any) -> Got:
        """Run a statement, folding it as the drivers do."""
        folded = ion_hash(statement)
        for parameter in parameters:
            folded = dot(folded, ion_hash(parameter))
        self.digest = dot(self.digest, folded)
        holders = [{"IonBinary": to_base64(dumps(parameter))} for parameter in parameters]
        members = {"TransactionId": self.id, "Statement": statement, "Parameters": holders}
        return self.ask("ExecuteStatement", **members)

    def commit(self, digest: bytes | None = None) -> Got:
        """Commit."""
        sent = to_base64(self.digest if digest is None else digest)
        return self.ask("CommitTransaction", TransactionId=self.id, CommitDigest=sent)

    def run(self, *statements: tuple[Any, ...]) -> list[Any]:
        """Run statements in a transaction of their own; give the last one's first page."""
        self.begin()
        page: list[Any] = []
        for statement, *parameters in statements:
            got = self.execute(statement, *parameters)
            assert got.status == 200, got
            page = rows(got.body["ExecuteStatement"]["FirstPage"])
        assert self.commit().status == 200
        return page


def rows(page: Mapping[str, Any]) -> list[Any]:
    """Decode a page's rows."""
    return [loads(b64decode(value["IonBinary"])) for value in page["Values"]]


def to_base64(data: bytes) -> str:
    """Write base64."""
    return b64encode(data).decode()


def to_json(value: object) -> bytes:
    """Write JSON."""
    return json.dumps(value).encode()

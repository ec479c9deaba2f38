"""How requests are signed, and what a server's answers mean: a server of the test's own answers."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import QldbStreamError, SinkUnavailableError, UsageError
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from tests.reconcile.contents import BLOCKS, STRAND


@attrs.define
class Answers:
    """What the server answers to every request, and the headers that it has seen."""

    url: str = ""
    status: int = 404
    body: Any = attrs.field(factory=lambda: {"found": False})
    seen: list[dict[str, str]] = attrs.field(factory=list)
    server: ThreadingHTTPServer | None = None

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        assert self.server is not None
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = self.url.replace("opensearch+http:", "opensearch+https:")


@pytest.fixture
def server() -> Iterator[Answers]:
    """A server that answers as it is told."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answers.seen.append({name.lower(): text for name, text in self.headers.items()})
            body = answers.body
            is_bulk = self.path.startswith("/_bulk") and isinstance(body, dict)
            said = body["bulk"] if is_bulk and "bulk" in body else body
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(200 if is_bulk and "bulk" in body else answers.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data if self.command != "HEAD" else b"")

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 - as the library calls them

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    answers.server = made
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    answers.url = f"opensearch+http://127.0.0.1:{made.server_address[1]}/cars"
    yield answers
    made.shutdown()
    made.server_close()
    thread.join()


def test_a_certificate_must_be_trusted(server: Answers, tmp_path: Path) -> None:
    """It is by the option ca, and not without; checks cannot be turned off."""
    cert, key = _make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.use_tls(context)
    with pytest.raises(UsageError, match="not trusted"):
        ask(server)
    ask(server, f"?ca={cert}")
    assert server.seen


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [*new, *names, "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    return cert, key


def ask(answers: Answers, options: str = "") -> None:
    """Ask for a position."""
    sink = open_sink(answers.url + options)
    try:
        sink.position(STRAND)
    finally:
        sink.close()


def test_user_and_password_come_from_the_environment(
    server: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sent as basic authentication."""
    monkeypatch.setenv("QLDB_STREAM_OPENSEARCH_USER", "me")
    monkeypatch.setenv("QLDB_STREAM_OPENSEARCH_PASSWORD", "secret")
    ask(server)
    sent = server.seen[-1]["authorization"]
    assert b"me:secret" == base64.b64decode(sent.removeprefix("Basic "))


def test_requests_are_signed(server: Answers, aws: str) -> None:
    """Signature Version 4, for the service es in the region."""
    ask(server, "?auth=sigv4&region=eu-north-1")
    sent = server.seen[-1]["authorization"]
    assert sent.startswith("AWS4-HMAC-SHA256 Credential=testing/")
    assert "/eu-north-1/es/aws4_request" in sent


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "security_exception", UsageError),
        (403, "security_exception", UsageError),
        (403, "cluster_block_exception", SinkUnavailableError),
        (400, "illegal_argument_exception", UsageError),
        (429, "circuit_breaking_exception", SinkUnavailableError),
        (500, "exception", SinkUnavailableError),
        (503, "unavailable_shards_exception", SinkUnavailableError),
    ],
)
def test_errors_are_translated(
    server: Answers, status: int, kind: str, error: type[QldbStreamError]
) -> None:
    """Rights are for people to mend; what passes by itself may be tried again."""
    server.status = status
    server.body = {"error": {"type": kind, "reason": "secret"}, "status": status}
    with pytest.raises(error, match=str(status)) as info:
        ask(server)
    assert "secret" not in str(info.value)


@pytest.mark.parametrize(("status", "error"), [(501, SinkUnavailableError), (405, UsageError)])
def test_a_page_that_answers_is_not_shown(
    server: Answers, status: int, error: type[QldbStreamError]
) -> None:
    """It is of whoever answers in OpenSearch's place, and may quote what was asked."""
    server.status, server.body = status, b"<html>\n<p>secret</p>\n</html>"
    with pytest.raises(error, match=f"{status} without an error of OpenSearch's") as info:
        ask(server)
    assert "secret" not in str(info.value)


def test_without_opensearch_py_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a usage error, as with every other sink."""
    monkeypatch.setitem(sys.modules, "opensearchpy", None)
    for name in ("_client", "_sink", "_read"):
        monkeypatch.delitem(sys.modules, f"qldb_stream.sinks.opensearch.{name}", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'qldb-stream\[opensearch\]'"):
        open_sink("opensearch+http://127.0.0.1:9200/cars")


def test_an_answer_that_is_none_is_unavailable(server: Answers) -> None:
    """Something else answers there, or half an answer came."""
    server.status, server.body = 200, b"no JSON"
    with pytest.raises(SinkUnavailableError, match="no answer of OpenSearch"):
        ask(server)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (429, "rejected_execution_exception", SinkUnavailableError),
        (503, "unavailable_shards_exception", SinkUnavailableError),
        (403, "cluster_block_exception", SinkUnavailableError),
        (403, "security_exception", UsageError),
        (401, "security_exception", UsageError),
        (404, "index_not_found_exception", SinkUnavailableError),
        (400, "what goes again is answered once too often", SinkUnavailableError),
    ],
)
def test_what_becomes_of_one_action_is_translated(
    server: Answers, status: int, kind: str, error: type[QldbStreamError]
) -> None:
    """A bulk request succeeds as such; what became of each action may be no fault of its block."""
    block = next(block for block in BLOCKS if block.revisions)
    (count,) = {2 * sum(r.metadata is not None for r in block.revisions)}
    one = {"index": {"status": status, "error": {"type": kind, "reason": "secret"}}}
    server.body = {"found": False, "bulk": {"errors": True, "items": [one] * count}}
    sink = open_sink(server.url)
    server.status = 404
    sink._made.update(_every_index())  # type: ignore[attr-defined]  # noqa: SLF001 - it is there
    try:
        with pytest.raises(error) as info:
            sink.apply([block], Position(STRAND, -1, b"", start=0).at(block), 1)
    finally:
        sink.close()
    assert "secret" not in str(info.value)


def _every_index() -> set[str]:
    tables = {r.table.table_name.lower() for b in BLOCKS for r in b.revisions if r.table}
    own = {"cars-qldb-history", "cars-qldb-position"}
    return own | {f"cars-qldb-current-{table}" for table in tables}

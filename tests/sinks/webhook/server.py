"""A web server on loopback that takes webhooks, as a receiver of them would: verified, in order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests alone").decode()


@attrs.frozen
class Said:
    """What the server answers."""

    status: int = 204
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""


@attrs.define
class Receiver:
    """
    What the server took, by path, and what it answers next.

    Attributes:
        port: where it listens.
        taken: by path, headers and bodies of what was answered with 2xx.
        asked: paths of all requests.
        answers: what is answered next, before it answers with 204.
    """

    port: int = 0
    taken: dict[str, list[tuple[dict[str, str], Any]]] = attrs.field(factory=dict)
    asked: list[str] = attrs.field(factory=list)
    answers: list[Said] = attrs.field(factory=list)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Said:
        """Verify and keep a request."""
        self.asked.append(path)
        check_signature(SECRET, headers, body)
        said = self.answers.pop(0) if self.answers else Said()
        if said.status < 300:
            self.taken.setdefault(path, []).append((headers, json.loads(body)))
        return said

    def bodies(self, path: str) -> list[Any]:
        """Give the bodies that were taken."""
        return [body for _, body in self.taken.get(path, ())]


def check_signature(secret: str, headers: dict[str, str], body: bytes) -> None:
    """Verify as the specification tells receivers to, with code of our own."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split(" ")


@contextmanager
def run_receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """Run a server, over TLS where there is a certificate."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = receiver.take(self.path, headers, body)
            self.send_response(said.status)
            for name, value in (said.headers | {"content-length": str(len(said.body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing: a client that is killed breaks its connection."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(path: Path) -> Path:
    """Write a certificate for loopback that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path

"""The least that a client of the session API can be: a socket and bytes."""

from __future__ import annotations

import base64
import json
import socket
import time
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from qldb_stream.hashing import dot
from qldb_stream.ion import dumps, ion_hash

_HEAD: Final = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n"
    b"X-Amz-Target: QLDBSession.SendCommand\r\nContent-Length: %d\r\n\r\n"
)
_STATEMENT: Final = "INSERT INTO T ?"


class BareClient:
    """One session on one connection; what it does outside of a call is not timed."""

    def __init__(self, url: str, ledger: str) -> None:
        place = urlsplit(url)
        self._socket: Final = socket.create_connection((place.hostname or "", place.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = self._call({"StartSession": {"LedgerName": ledger}})
        self._token: Final = answer["StartSession"]["SessionToken"]
        self._times: dict[str, float] = {}

    def insert(self, times: int) -> dict[str, float]:
        """Insert documents, one a transaction; give the seconds that each kind of call took."""
        self._times = {}
        hashed = ion_hash(dumps(_STATEMENT))
        for n in range(times):
            parameter = dumps({"n": n, "name": "x"})
            digest = dot(hashed, ion_hash(parameter))
            begun = self._command("StartTransaction", {})
            transaction = {"TransactionId": begun["TransactionId"]}
            holder = {"IonBinary": base64.b64encode(parameter).decode()}
            statement = {**transaction, "Statement": _STATEMENT, "Parameters": [holder]}
            self._command("ExecuteStatement", statement)
            commit = dot(ion_hash(dumps(begun["TransactionId"])), digest)
            encoded = base64.b64encode(commit).decode()
            self._command("CommitTransaction", {**transaction, "CommitDigest": encoded})
        return self._times

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _command(self, name: str, members: dict[str, Any]) -> Any:
        return self._call({"SessionToken": self._token, name: members}, name)[name]

    def _call(self, command: dict[str, Any], name: str | None = None) -> Any:
        body = json.dumps(command).encode()
        request = _HEAD % len(body) + body
        began = time.perf_counter()
        self._socket.sendall(request)
        answer = self._receive()
        if name is not None:
            self._times[name] = self._times.get(name, 0.0) + time.perf_counter() - began
        return json.loads(answer)

    def _receive(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        assert b" 200 " in status, head + body
        (length,) = (
            int(line.partition(b":")[2])
            for line in lines
            if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += self._socket.recv(65536)
        return body

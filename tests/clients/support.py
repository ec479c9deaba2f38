"""A client of AWS's whose requests end here: each is remembered and answered from a list."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import attrs
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from qldb_stream.clients import boto3_session


@attrs.frozen
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, **_options: object) -> list[bytes]:
        """Give all of it at once."""
        return [self.read()]


class Wire:
    """Where the requests of a client end instead of a socket."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[tuple[int, Mapping[str, str], Any]] = []

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        """Answer one more request so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, {"x-amzn-RequestId": "r-1"} | named, body))

    def connect(self, client: Any) -> None:
        """Let a client's requests end here."""
        client.meta.events.register("before-send", self._send)

    def _send(self, request: Any, **_more: object) -> AWSResponse:
        path = request.url.partition("://")[2].partition("/")[2]
        text = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        body = json.loads(request.body) if request.body else None
        self.requests.append(Request(request.method, f"/{path}", text, body))
        status, headers, said = self.answers.pop(0)
        return AWSResponse(request.url, status, headers, Raw(json.dumps(said).encode()))


def make_client(service: str, wire: Wire) -> Any:
    """Make a client of a service from our models, wired to `wire`."""
    session = boto3_session(
        region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    once = Config(retries={"total_max_attempts": 1})
    client = session.client(service, endpoint_url="http://ledger.test", config=once)
    wire.connect(client)
    return client

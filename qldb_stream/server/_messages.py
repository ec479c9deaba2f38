"""A whole HTTP request, and the answer to it: plain values, no socket."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from qldb_stream.server._faults import Fault

__all__ = ["Answer", "Request", "answer_fault", "answer_json"]

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


@attrs.frozen(eq=False)
class Request:
    """
    A request that has been read to its end.

    Attributes:
        request_id: 22 characters, ours; also the id of a session that it starts.
        method: GET, POST, ...
        path: as it came, percent-encoded.
        query: what follows the question mark, as it came.
        headers: names in lower case, with values, as they came.
        body: all of it.
    """

    request_id: str
    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = b""

    def header(self, name: bytes) -> str | None:
        """Give a header's first value, trimmed; None when there is none."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1").strip()
        return None


@attrs.frozen
class Answer:
    """
    A response.

    Attributes:
        status: of HTTP.
        body: JSON.
        error: the service's name for what failed; None when nothing did.
        closes: whether the connection ends with it.
        note: ids and counts for the log, never contents.
    """

    status: int
    body: bytes
    error: str | None = None
    closes: bool = False
    note: str = ""

    def headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """List the headers that SDKs and drivers look for (facts 6.1 and 6.4)."""
        found = [
            (b"content-type", b"application/x-amz-json-1.0"),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-amzn-requestid", request_id.encode()),
        ]
        if self.error is not None:
            found.append((b"x-amzn-errortype", self.error.encode()))
        if self.closes:
            found.append((b"connection", b"close"))
        return found


def answer_json(value: Mapping[str, Any], note: str = "") -> Answer:
    """Answer with a result."""
    return Answer(200, _encode(value).encode(), note=note)


def answer_fault(fault: Fault) -> Answer:
    """
    Answer with an error.

    There is no member `Code`: what the service wrote there is not known, and SDKs that find
    one may take it for the error's name.
    """
    body = {"__type": fault.name, "Message": fault.message, **fault.members}
    return Answer(fault.status, _encode(body).encode(), fault.name, fault.closes)

"""An operation's input, and the readers of its members; every refusal names the member."""

from __future__ import annotations

import binascii
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import attrs

from qldb_stream.ledger import Environment
from qldb_stream.server._faults import invalid_parameter
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._service import SessionService

__all__ = ["Call", "Plane", "flag", "ledger_arn", "make_token", "max_results", "read_token"]

# There is no account and no region: an ARN must only look like one, as a stream's does.
_ARN: Final = "arn:aws:qldb:us-east-1:000000000000:ledger/{name}"
_MOST_RESULTS: Final = 100


@attrs.frozen
class Plane:
    """What operations work on: the ledgers, their sessions, the time."""

    ledgers: Ledgers
    service: SessionService
    environment: Environment


@attrs.frozen
class Call:
    """
    What an operation is called with.

    Attributes:
        body: members of the JSON body, those that are null left out.
        query: parameters of the query.
        path: what the path's places hold.
    """

    body: Mapping[str, Any]
    query: Mapping[str, list[str]]
    path: Mapping[str, str]

    @property
    def name(self) -> str:
        """Give the ledger's name, from the path."""
        return self.path["name"]


def ledger_arn(name: str) -> str:
    """Give a ledger's ARN."""
    return _ARN.format(name=name)


def flag(call: Call, name: str, *, default: bool) -> bool:
    """
    Read a member that is true or false.

    Raises:
        Fault: it is something else.
    """
    value = call.body.get(name, default)
    if not isinstance(value, bool):
        raise invalid_parameter(name, f"{name} is true or false")
    return value


def max_results(call: Call) -> int:
    """
    Read how many entries a page may have.

    Raises:
        Fault: it is no number from 1 to 100.
    """
    text = call.query.get("max_results", [str(_MOST_RESULTS)])[0]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0  # noqa: PLR2004 - digits enough
    if not 1 <= number <= _MOST_RESULTS:
        raise invalid_parameter("MaxResults", f"MaxResults is from 1 to {_MOST_RESULTS}")
    return number


def make_token(last: str) -> str:
    """Write the token of the page that begins after an entry."""
    return b64encode(b"after:" + last.encode()).decode("ascii")


def read_token(call: Call) -> str:
    """
    Read which entry a page begins after; the empty text when it is the first page.

    Raises:
        Fault: it is no token of this server's.
    """
    token = call.query.get("next_token", [""])[0]
    if not token:
        return ""
    try:
        kind, _, last = binascii.a2b_base64(token, strict_mode=True).decode().partition(":")
    except ValueError:
        kind, last = "", ""
    if kind != "after":
        raise invalid_parameter("NextToken", "NextToken is none that this server gave")
    return last

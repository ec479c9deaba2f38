"""An operation's input, and the readers of its members; every refusal names the member."""

from __future__ import annotations

import binascii
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from qldb_stream.ledger import Environment
from qldb_stream.server._faults import invalid_parameter
from qldb_stream.server._jobs import Jobs
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._service import SessionService
from qldb_stream.server._targets import Targets

__all__ = ["Call", "Plane", "flag", "ledger_arn", "page_of", "stream_arn"]

T = TypeVar("T")

# There is no account and no region: an ARN must only look like one, as a stream's does.
_ARN: Final = "arn:aws:qldb:us-east-1:000000000000"
_MOST_RESULTS: Final = 100


@attrs.frozen
class Plane:
    """What operations work on: the ledgers, their sessions and jobs, the time, what is allowed."""

    ledgers: Ledgers
    service: SessionService
    jobs: Jobs
    environment: Environment
    targets: Targets = attrs.field(factory=Targets)


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
    return f"{_ARN}:ledger/{name}"


def stream_arn(name: str, stream_id: str) -> str:
    """Give a stream's ARN, as its records have it."""
    return f"{_ARN}:stream/{name}/{stream_id}"


def flag(members: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """
    Read a member that is true or false.

    Raises:
        Fault: it is something else.
    """
    value = members.get(name, default)
    if not isinstance(value, bool):
        raise invalid_parameter(name, f"{name} is true or false")
    return value


def page_of(
    call: Call, entries: Sequence[T], place: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, str]]:
    """
    Give the page of a list that is asked for, and the member `NextToken` when there are more.

    Args:
        call: its query has max_results and next_token.
        entries: all of them, in order of their places.
        place: gives an entry's place, different for each.

    Raises:
        Fault: a number or a token that is none.
    """
    most, after = _max_results(call), _read_token(call)
    left = [entry for entry in entries if place(entry) > after]
    page = left[:most]
    return page, {"NextToken": _make_token(place(page[-1]))} if len(left) > most else {}


def _max_results(call: Call) -> int:
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


def _make_token(last: str) -> str:
    """Write the token of the page that begins after an entry."""
    return b64encode(b"after:" + last.encode()).decode("ascii")


def _read_token(call: Call) -> str:
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

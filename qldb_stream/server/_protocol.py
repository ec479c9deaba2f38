"""
`qldb-session`, SendCommand: JSON to commands, results to JSON (facts 6.2); pure functions.

A body is an object with `SessionToken` (but for StartSession) and exactly one sub-command.
Members that are null count as absent, unknown ones are passed over, as AWS's protocols do.
Parameters stay as they came until the session is found: reading Ion is the dear part, and
nobody without a session may ask for it.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

import attrs

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IonSlice, iter_text, load_slice
from qldb_stream.server._faults import Fault, bad_request

__all__ = [
    "AbortTransaction",
    "Command",
    "CommitTransaction",
    "EndSession",
    "ExecuteStatement",
    "FetchPage",
    "SendCommand",
    "StartSession",
    "StartTransaction",
    "page_json",
    "parse_object",
    "parse_send_command",
    "read_parameters",
]

# Facts 6.2: what a ValueHolder, a token and an id may be.
_ION_BINARY_BYTES: Final = 131_072
# QLDB took 1,048,576 characters (facts 6.2). Ion text is read in Python, 37 s for as many, and no
# driver sends any (facts 6.1): this many, in all parameters of a statement, take a second or two.
_ION_TEXT_CHARACTERS: Final = 65_536
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=-]{4,1024}")
_DIGEST_BYTES: Final = 32
# More `?` than this do not fit into a statement that anybody writes.
_PARAMETERS: Final = 10_000

T = TypeVar("T")


@attrs.frozen
class StartSession:
    """Begin a session on a ledger."""

    ledger_name: str


@attrs.frozen
class StartTransaction:
    """Begin a transaction."""


@attrs.frozen
class ExecuteStatement:
    """Run a statement; its parameters are ValueHolders as they came, for `read_parameters`."""

    transaction_id: str
    statement: str
    parameters: tuple[Any, ...]


@attrs.frozen
class FetchPage:
    """Ask for more rows."""

    transaction_id: str
    next_page_token: str


@attrs.frozen
class CommitTransaction:
    """Commit, if the digest is the server's too; the digest has 32 bytes."""

    transaction_id: str
    commit_digest: bytes


@attrs.frozen
class AbortTransaction:
    """Give the open transaction up, if there is one."""


@attrs.frozen
class EndSession:
    """End the session."""


Command = (
    StartSession
    | StartTransaction
    | ExecuteStatement
    | FetchPage
    | CommitTransaction
    | AbortTransaction
    | EndSession
)


@attrs.frozen
class SendCommand:
    """A request: which session (None for StartSession), and what to do."""

    session_token: str | None
    command: Command


def parse_object(body: bytes) -> dict[str, Any]:
    """
    Read a body as a JSON object.

    Raises:
        Fault: SerializationException, as AWS's services say it.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:  # UnicodeDecodeError is a ValueError
        raise Fault("SerializationException", "the body is not JSON") from exc
    if not isinstance(value, dict):
        raise Fault("SerializationException", "the body is not a JSON object")
    return value


def parse_send_command(body: bytes) -> SendCommand:
    """
    Read the body of a SendCommand.

    Args:
        body: JSON.

    Raises:
        Fault: BadRequestException; SerializationException when it is not JSON at all.
    """
    members = {name: value for name, value in parse_object(body).items() if value is not None}
    given = [name for name in _COMMANDS if name in members]
    if len(given) != 1:
        raise bad_request(f"a request has exactly one command; this one has {len(given)}")
    fields = members[given[0]]
    if not isinstance(fields, dict):
        raise bad_request(f"{given[0]} is not an object")
    token = _session_token(members.get("SessionToken"), given[0])
    return SendCommand(token, _COMMANDS[given[0]](fields))


def page_json(rows: Iterable[bytes], next_page_token: str | None) -> dict[str, Any]:
    """Write a page: each row an Ion stream of its own; `Values` is there even when empty."""
    page: dict[str, Any] = {
        "Values": [{"IonBinary": b64encode(row).decode("ascii")} for row in rows]
    }
    if next_page_token is not None:
        page["NextPageToken"] = next_page_token
    return page


def _session_token(token: object, command: str) -> str | None:
    if command == "StartSession":
        if token is not None:
            raise bad_request("StartSession takes no SessionToken")
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise bad_request("The parameter SessionToken is not valid")
    return token


def _member(fields: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = fields.get(name)
    if not isinstance(value, kind):
        raise bad_request(f"The parameter {name} is not valid")
    return value


def _start_session(fields: Mapping[str, Any]) -> Command:
    return StartSession(_member(fields, "LedgerName", str))


def _execute_statement(fields: Mapping[str, Any]) -> Command:
    statement = _member(fields, "Statement", str)
    if not statement:
        raise bad_request("The parameter Statement is not valid")
    holders = fields.get("Parameters") or []
    if not isinstance(holders, list) or len(holders) > _PARAMETERS:
        raise bad_request("The parameter Parameters is not valid")
    return ExecuteStatement(_member(fields, "TransactionId", str), statement, tuple(holders))


def _fetch_page(fields: Mapping[str, Any]) -> Command:
    token = _member(fields, "NextPageToken", str)
    return FetchPage(_member(fields, "TransactionId", str), token)


def _commit(fields: Mapping[str, Any]) -> Command:
    digest = _base64(_member(fields, "CommitDigest", str), "CommitDigest")
    if len(digest) != _DIGEST_BYTES:
        raise bad_request("The parameter CommitDigest is not valid")
    return CommitTransaction(_member(fields, "TransactionId", str), digest)


_COMMANDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Command]]] = {
    "StartSession": _start_session,
    "StartTransaction": lambda _fields: StartTransaction(),
    "EndSession": lambda _fields: EndSession(),
    "CommitTransaction": _commit,
    "AbortTransaction": lambda _fields: AbortTransaction(),
    "ExecuteStatement": _execute_statement,
    "FetchPage": _fetch_page,
}


def read_parameters(holders: Sequence[Any], *, limits: bool) -> list[IonSlice]:
    """
    Read a statement's parameters, each a ValueHolder.

    Args:
        holders: `ExecuteStatement.parameters`.
        limits: whether IonBinary is limited as QLDB's was; IonText always is, at 65,536
            characters in all of them.

    Raises:
        Fault: BadRequestException; one is not one Ion value, or too large.
    """
    texts = [holder.get("IonText") for holder in holders if isinstance(holder, dict)]
    characters = sum(len(text) for text in texts if isinstance(text, str))
    if characters > _ION_TEXT_CHARACTERS:
        raise bad_request(
            f"{characters} characters of IonText in a statement's parameters; the limit is "
            f"{_ION_TEXT_CHARACTERS}: send IonBinary"
        )
    return [_ion_value(holder, limits=limits) for holder in holders]


def _ion_value(holder: object, *, limits: bool) -> IonSlice:
    """Read a ValueHolder: IonBinary or IonText, one value in it."""
    given = holder if isinstance(holder, dict) else {}
    binary, text = given.get("IonBinary"), given.get("IonText")
    if isinstance(binary, str) and text is None:
        return _ion_binary(binary, limits=limits)
    if isinstance(text, str) and binary is None:
        return _ion_text(text)
    raise bad_request("a parameter has either IonBinary or IonText")


def _ion_binary(text: str, *, limits: bool) -> IonSlice:
    data = _base64(text, "IonBinary")
    if limits and len(data) > _ION_BINARY_BYTES:
        raise bad_request(
            f"{len(data)} bytes in a parameter's IonBinary; the limit is {_ION_BINARY_BYTES}"
        )
    try:
        return load_slice(data)
    except IonDecodeError as exc:
        raise bad_request(f"a parameter is not one Ion value: {exc}") from exc


def _ion_text(text: str) -> IonSlice:
    try:
        values = list(islice(iter_text(text), 2))
    except IonDecodeError as exc:
        raise bad_request(f"a parameter is not one Ion value: {exc}") from exc
    if len(values) != 1:
        raise bad_request("a parameter is not one Ion value")
    return values[0]


def _base64(text: str, name: str) -> bytes:
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as exc:  # UnicodeEncodeError and binascii.Error are ValueErrors
        raise bad_request(f"The parameter {name} is not valid base64") from exc

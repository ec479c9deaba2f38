"""
What a client is told when something fails: names, messages and statuses of the service.

Strategy: a `Fault` is an answer on its way out, raised where it is found and made a body in one
place; it never leaves this room, which is why it is no leaf of `errors.py`. Errors of the ledger
become faults here, by a table (facts 6.4 and 7). A fault's message may quote the client's own
request; it never says what is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import attrs

from qldb_stream.errors import (
    IonDecodeError,
    IonEncodeError,
    LedgerError,
    LedgerFileError,
    OccConflictError,
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    QldbStreamError,
    ReadOnlyTransactionError,
    StatementError,
    TransactionClosedError,
    UnsupportedPartiqlError,
)
from qldb_stream.ledger import service_message

__all__ = [
    "Fault",
    "access_denied",
    "bad_request",
    "fault_of",
    "internal_failure",
    "invalid_parameter",
    "invalid_session",
    "no_such_ledger",
    "not_found",
    "over_capacity",
    "precondition_not_met",
    "unusable",
    "using",
]

_BAD_REQUESTS: Final = (
    PartiqlParseError,
    PartiqlSemanticError,
    PartiqlEvaluationError,
    UnsupportedPartiqlError,
    StatementError,
    IonDecodeError,
    IonEncodeError,
)
_SHOWN_CHARACTERS: Final = 40

_log: Final = logging.getLogger("qldb_stream.server")


@attrs.frozen
class Fault(Exception):  # noqa: N818 - an answer on its way; it never leaves this room
    """
    One of the service's errors.

    Attributes:
        name: the service's name for it; SDKs make their exception class of it.
        message: what the client is told.
        status: of HTTP.
        members: what the error's shape has besides, such as `ParameterName`.
        closes: whether the connection is of no more use.
    """

    name: str
    message: str
    status: int = 400
    members: Mapping[str, str] = attrs.field(factory=dict)
    closes: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def bad_request(message: str) -> Fault:
    """Make the session API's error for what it cannot carry out."""
    return Fault("BadRequestException", message)


def invalid_session(message: str) -> Fault:
    """Make the error after which drivers begin anew on another session."""
    return Fault("InvalidSessionException", message)


def invalid_parameter(name: str, message: str) -> Fault:
    """Make the control plane's error for a member that is missing or wrong."""
    return Fault("InvalidParameterException", message, 400, {"ParameterName": name})


def no_such_ledger(name: str) -> Fault:
    """Make the control plane's error for a ledger that is not there."""
    message = f"The Ledger with name {name} is not found"
    members = {"ResourceType": "Ledger", "ResourceName": name}
    return Fault("ResourceNotFoundException", message, 404, members)


def not_found(kind: str, name: str) -> Fault:
    """Make the control plane's error for an export or a stream that is not there."""
    shown = name[:_SHOWN_CHARACTERS]
    members = {"ResourceType": kind, "ResourceName": shown}
    return Fault("ResourceNotFoundException", f"The {kind} {shown} is not found", 404, members)


def precondition_not_met(name: str, message: str) -> Fault:
    """Make the control plane's error for a ledger that is not in the state that this needs."""
    members = {"ResourceType": "Ledger", "ResourceName": name}
    return Fault("ResourcePreconditionNotMetException", message, 412, members)


def unusable(name: str) -> Fault:
    """
    Make the control plane's error for a ledger whose file cannot be used.

    SDKs and drivers try InternalFailure again for long, and nothing of this mends itself. What
    it is names files of the server's machine, so the log says it, and the client is told where.
    """
    return precondition_not_met(
        name,
        f"the ledger {name} cannot be used: its file is damaged, held by another process or out "
        "of reach; the server's log says which",
    )


@contextmanager
def using(name: str) -> Iterator[None]:
    """
    Use a ledger's file.

    Raises:
        Fault: it cannot be used; the log says why.
    """
    try:
        yield
    except LedgerFileError as exc:
        _log.error("the ledger %s cannot be used: %s", name, exc)
        raise unusable(name) from exc


def over_capacity(message: str, *, closes: bool = False) -> Fault:
    """Make the error that drivers try again after (facts 6.4)."""
    return Fault("CapacityExceededException", message, 503, {}, closes)


def access_denied(message: str) -> Fault:
    """Make the error for a key that may not do this."""
    return Fault("AccessDeniedException", message, 403)


def internal_failure(message: str) -> Fault:
    """Make the error for what is not the client's doing; drivers try again after it."""
    return Fault("InternalFailure", message, 500)


def fault_of(error: QldbStreamError) -> Fault:
    """
    Translate an error of the ledger.

    One of a file becomes an internal failure: where it is a ledger's, and its name is known,
    `using` has made another of it.
    """
    if isinstance(error, ReadOnlyTransactionError):
        return access_denied("this key may only read; the statement is no SELECT")
    if isinstance(error, OccConflictError):
        return Fault("OccConflictException", str(error))
    message = service_message(error) if isinstance(error, LedgerError) else str(error)
    if isinstance(error, TransactionClosedError):
        expired = message.endswith("has expired")
        return invalid_session(message) if expired else bad_request(message)
    if isinstance(error, LedgerFileError):
        return internal_failure(message)
    if isinstance(error, _BAD_REQUESTS):
        return bad_request(message)
    return internal_failure(type(error).__name__)

"""What pyqldb and botocore raise, as this package's own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from qldb_stream.errors import (
    EndpointError,
    LambdaAbortedError,
    LedgerError,
    OccConflictError,
    StatementError,
    TransactionClosedError,
    UsageError,
)

__all__ = ["translated_errors"]

# The wording that the official drivers match on (facts 6.4).
_EXPIRED: Final = re.compile(r"Transaction (\S+) has expired")

_BAD_REQUEST: Final = "BadRequestException"
_CONFLICT: Final = "OccConflictException"

# botocore's errors, by name: importing their classes would bring all of botocore.
_TRANSPORT: Final = {
    "ConnectTimeoutError": "nothing answers there",
    "ConnectionClosedError": "it closed the connection without an answer",
    "EndpointConnectionError": "nothing answers there",
    "NoCredentialsError": "it needs credentials, and none are configured",
    "ReadTimeoutError": "it does not answer in time",
    "SSLError": "no TLS with it: its certificate is not trusted here (AWS_CA_BUNDLE names a file "
    "of those that are), or it speaks plain http",
}


@contextmanager
def translated_errors(endpoint: str) -> Iterator[None]:
    """
    Turn what pyqldb and botocore raise inside a `with` into errors of this package.

    Args:
        endpoint: where the server is, for messages.

    Raises:
        StatementError: the service refused a request, with its own message, or pyqldb
            found that a result cannot be right.
        OccConflictError: another transaction changed what this one read.
        TransactionClosedError: the transaction has expired.
        LambdaAbortedError: the function that ran in the transaction aborted it.
        UsageError: botocore found that a request cannot be sent, as a name too long.
        EndpointError: the server cannot be reached, or refuses to work now.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
    from pyqldb import errors

    try:
        yield
    except errors.LambdaAbortedError as exc:
        raise LambdaAbortedError("") from exc
    except (errors.IllegalStateError, errors.SessionPoolEmptyError) as exc:
        raise StatementError(str(exc)) from exc
    except ClientError as exc:
        raise _of_service(exc.response, endpoint) from exc
    except ParamValidationError as exc:
        raise UsageError(" ".join(str(exc).split())) from exc
    except BotoCoreError as exc:
        name = type(exc).__name__
        raise EndpointError(endpoint, _TRANSPORT.get(name, f"botocore says {name}")) from exc


def _of_service(response: dict[str, Any], endpoint: str) -> LedgerError:
    """Translate an error that the service answered with."""
    said = response.get("Error", {})
    code, message = str(said.get("Code")), str(said.get("Message") or said.get("message") or "")
    if code == _CONFLICT:
        return OccConflictError("")
    if expired := _EXPIRED.search(message):
        return TransactionClosedError(expired[1], "has expired")
    if code == _BAD_REQUEST:
        return StatementError(message)
    return EndpointError(endpoint, f"{code}: {message}" if message else code)

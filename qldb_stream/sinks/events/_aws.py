"""boto3, at the edge: clients that wait for a while and no longer, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from qldb_stream import boto
from qldb_stream.errors import SinkUnavailableError, UsageError

__all__ = ["is_denied", "make_client", "translated"]

_CONNECT_S: Final = 5
_READ_S: Final = 30
_TRIES: Final = 3  # botocore's, for what never reached the service; the pipeline has its own

_DENIED: Final = (
    "AccessDenied",
    "NotAuthorized",
    "Forbidden",
    "KMS",
    "Kms",
    "Disabled",
    "NotFound",
)


def make_client(sink: str, service: str) -> Any:
    """
    Make a boto3 client.

    Raises:
        UsageError: boto3 is not installed, no region is known, or the endpoint is no URL.
    """
    return boto.make_client(
        service,
        lack=f"{sink} needs boto3",
        failed=f"{sink}: no client of {service} can be made",
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
    )


@contextmanager
def translated(sink: str) -> Iterator[None]:
    """
    Let nothing of botocore's out.

    Raises:
        SinkUnavailableError: throttled, a failure of the service's own, or no connection.
        UsageError: anything else: access is denied, something is not there, no credentials.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as exc:
        if boto.may_pass(exc):
            raise SinkUnavailableError(sink, boto.told(exc)) from exc
        raise UsageError(
            f"{sink}: {boto.told(exc)}; check that it is there and may be used"
        ) from exc


def is_denied(code: str) -> bool:
    """Say whether an error's code speaks of rights and settings, and not of an event."""
    return any(part in code for part in _DENIED)

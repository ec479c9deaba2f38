"""
Calls of AWS: clients, waits between attempts, and our errors in place of botocore's.

A call that waiting can mend is repeated with full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), a bounded number of
times; botocore itself does not repeat, so that nobody waits twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qldb_stream import boto
from qldb_stream.boto import code_of
from qldb_stream.errors import InboxUnavailableError
from qldb_stream.inbox.dynamodb._problems import is_transient, reasons_of, translate
from qldb_stream.ledger import Environment

__all__ = ["ATTEMPTS", "Calls", "FailedConditionError", "make_client"]

ATTEMPTS: Final = 10
"""Waits are 4.6 seconds together on average, 9.2 at most; the pipeline tries again after that."""

_BASE_S: Final = 0.05
_CAP_S: Final = 2.0
_CONNECT_TIMEOUT_S: Final = 3
_READ_TIMEOUT_S: Final = 10  # a transaction of 4 MB takes less than one

_CONDITIONAL: Final = "ConditionalCheckFailed"


class FailedConditionError(Exception):
    """A condition that did not hold; `failed` are the indexes of a transaction's actions."""

    def __init__(self, failed: tuple[int, ...] = (0,)) -> None:
        super().__init__(failed)
        self.failed: Final = failed


def make_client(service: str, *, region: str | None, endpoint_url: str | None) -> Any:
    """
    Make a boto3 client that leaves retries to us.

    Raises:
        UsageError: as `qldb_stream.boto.make_client` says.
    """
    return boto.make_client(
        service,
        lack="a dynamodb: inbox needs boto3",
        failed=f"cannot make a client for {service}",
        region=region,
        endpoint_url=endpoint_url,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
    )


class Calls:
    """
    Makes calls for one inbox, from any number of threads.

    Args:
        name: the inbox's, for messages.
        environment: how it waits.
    """

    def __init__(self, name: str, environment: Environment) -> None:
        self.name: Final = name
        self._environment: Final = environment

    def call(self, function: Callable[..., Any], operation: str, **arguments: Any) -> Any:
        """
        Call a client's method until it answers.

        Raises:
            FailedConditionError: a condition of it did not hold.
            InboxUnavailableError: it failed again and again.
            InboxFileError: it is refused: no table, no permission.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        attempt = 1
        while True:
            try:
                return function(**arguments)
            except (BotoCoreError, ClientError) as exc:
                failed = _failed_conditions(exc)
                if failed:
                    raise FailedConditionError(failed) from exc
                if attempt == ATTEMPTS or not is_transient(exc):
                    raise translate(self.name, operation, exc, _place(function)) from exc
            self.pause(attempt)
            attempt += 1

    def pause(self, attempt: int) -> None:
        """Wait before the attempt after this one, the first being 1."""
        wait_s = min(_CAP_S, _BASE_S * 2 ** (attempt - 1))
        self._environment.sleep(self._environment.jitter() * wait_s)

    def busy(self, what: str) -> InboxUnavailableError:
        """Give the error for what others changed again and again."""
        return InboxUnavailableError(self.name, f"others change {what} all the time; repeat")

    def now_s(self) -> float:
        """Give the time, for what is no method's argument."""
        return self._environment.now_ms() / 1000

    def new_id(self) -> str:
        """Give a new id."""
        return self._environment.new_id()


def _place(function: Callable[..., Any]) -> str:
    """Say where a client's method asks; nothing for what only calls one, for an object's bytes."""
    client = getattr(function, "__self__", None)
    return "" if client is None else boto.place_of(client)


def _failed_conditions(exc: Exception) -> tuple[int, ...]:
    """Give the actions whose conditions did not hold, unless waiting may mend the rest."""
    if code_of(exc) == "ConditionalCheckFailedException":
        return (0,)
    if is_transient(exc):
        return ()
    reasons = reasons_of(exc)
    return tuple([n for n, reason in enumerate(reasons) if reason == _CONDITIONAL])

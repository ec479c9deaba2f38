"""
Putting a batch on Kinesis until every record of it is acknowledged.

A call can fail as a whole, or for some of its records, most often because a shard is busy;
only what failed is sent again. Before each attempt but the first comes a wait with full
jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The order
of records within the stream is nobody's promise, QLDB's neither (facts 1.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from qldb_stream.boto import code_of, may_pass, told
from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.ledger import Environment

__all__ = ["KinesisClient", "put_batch"]

_BASE_S: Final = 0.1
_CAP_S: Final = 20.0
MAX_ATTEMPTS: Final = 12
"""About a minute and a half of waiting on average, then the caller hears of it."""


class KinesisClient(Protocol):
    """What is used of boto3's client."""

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> Any:  # noqa: N803 - boto3's names
        """Put records on a stream; say which failed."""


def put_batch(
    client: KinesisClient, stream: str, entries: Sequence[Any], environment: Environment
) -> int:
    """
    Put records on a stream, all of them.

    Args:
        client: boto3's, or anything with its `put_records`.
        stream: the data stream's name.
        entries: records in the API's form, within its limits.
        environment: how it waits.

    Returns:
        How many records had to be sent again.

    Raises:
        UsageError: the stream is not there, or may not be written.
        SinkUnavailableError: some records were refused again and again; others may be there.
    """
    repeated = 0
    problem = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            wait_s = min(_CAP_S, _BASE_S * 2 ** (attempt - 1))
            environment.sleep(environment.jitter() * wait_s)
            repeated += len(entries)
        entries, problem = _put_once(client, stream, entries)
        if not entries:
            return repeated
    raise SinkUnavailableError(
        f"kinesis:{stream}", f"{len(entries)} records were refused {MAX_ATTEMPTS} times: {problem}"
    )


def _put_once(
    client: KinesisClient, stream: str, entries: Sequence[Any]
) -> tuple[Sequence[Any], str]:
    """Give what is to be sent again, and why."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client.put_records(StreamName=stream, Records=entries)
    except (BotoCoreError, ClientError) as exc:
        if may_pass(exc):
            return entries, told(exc)
        raise UsageError(f"kinesis:{stream} cannot be written: {_why(exc)}") from exc
    return _failed(entries, answer)


def _failed(entries: Sequence[Any], answer: Any) -> tuple[Sequence[Any], str]:
    results = answer["Records"]
    failed = [
        (entry, result["ErrorCode"])
        for entry, result in zip(entries, results, strict=True)
        if result.get("ErrorCode")
    ]
    codes = sorted({code for _, code in failed})
    return [entry for entry, _ in failed], ", ".join(codes)


def _why(exc: Any) -> str:
    """Say why a call is refused, or why it cannot be made."""
    error = getattr(exc, "response", {}).get("Error")
    return str(exc) if error is None else f"{code_of(exc)}: {error.get('Message', '')}"

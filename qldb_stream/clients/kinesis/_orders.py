"""
Streams that somebody else starts and ends: what a server of ledgers needs of Kinesis.

The server may not see this room, nor this room the server (they are of one layer); each says what
it takes, and the command puts them together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from qldb_stream.clients.kinesis._connect import connect_kinesis
from qldb_stream.clients.kinesis._put import KinesisClient
from qldb_stream.clients.kinesis._stream import StreamChoice, stream_journal
from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.ledger import Environment, Ledger

__all__ = ["KinesisStreams", "StreamOrder"]

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:kinesis:([a-z0-9-]{1,32}):[0-9]{12}:stream/([A-Za-z0-9_.-]{1,128})"
)
# Kinesis's codes, and what the service called them (facts 1.7).
_CAUSES: Final = {
    "ResourceNotFoundException": "KINESIS_STREAM_NOT_FOUND",
    "AccessDeniedException": "IAM_PERMISSION_REVOKED",
}


class StreamOrder(Protocol):
    """What is to be streamed, and where to."""

    @property
    def stream_id(self) -> str:
        """Give the stream's id, 22 characters."""

    @property
    def stream_arn(self) -> str:
        """Give the ARN of the Kinesis data stream."""

    @property
    def start_time(self) -> datetime:
        """Give the earliest blockTimestamp, aware."""

    @property
    def end_time(self) -> datetime | None:
        """Give what blockTimestamp stays below, aware; None for ever."""

    @property
    def aggregated(self) -> bool:
        """Tell whether a block's records are joined."""

    @property
    def position(self) -> Path:
        """Give the file that keeps how far it has come."""


class KinesisStreams:
    """
    All data streams of a Kinesis that the server's owner lets it put records on.

    Args:
        endpoint_url: where Kinesis is; AWS's own place when None.

    Raises:
        UsageError: boto3 is not installed, or the endpoint is no URL.
    """

    def __init__(self, endpoint_url: str | None = None) -> None:
        self._endpoint_url: Final = endpoint_url
        self._connect("us-east-1")  # what is missing or wrong is said before a stream begins

    def _connect(self, region: str) -> KinesisClient:
        return connect_kinesis(endpoint_url=self._endpoint_url, region=region)

    def stream(
        self,
        ledger: Ledger,
        order: StreamOrder,
        environment: Environment,
        should_stop: Callable[[], bool],
        on_sent: Callable[[], None],
    ) -> bool:
        """
        Put a ledger's journal on a data stream until its end, or until it is to stop.

        Args:
            ledger: open to read.
            order: what is streamed, and where to.
            environment: time, ids and waiting, which ends when it is to stop.
            should_stop: asked after each block.
            on_sent: called when Kinesis has answered.

        Returns:
            Whether the stream has reached its end.

        Raises:
            QldbStreamError: as `stream_journal` does; the position says what was acknowledged.
        """
        region, name = _parse_arn(order.stream_arn)
        report = stream_journal(
            ledger,
            _Told(self._connect(region), on_sent),
            StreamChoice(name, order.start_time, order.end_time, order.aggregated),
            order.position,
            follow=True,
            stream_id=order.stream_id,
            environment=environment,
            should_stop=should_stop,
        )
        return report.completed

    def is_arn(self, text: str) -> bool:
        """Tell whether a text is the ARN of a data stream."""
        return _ARN.fullmatch(text) is not None

    def cause(self, error: QldbStreamError) -> str | None:
        """Give the service's name for why a stream cannot go on, if it had one."""
        response = getattr(error.__cause__, "response", None) or {}
        return _CAUSES.get(response.get("Error", {}).get("Code"))


class _Told:
    """A client that says when it was answered."""

    def __init__(self, client: KinesisClient, on_sent: Callable[[], None]) -> None:
        self._client: Final = client
        self._on_sent: Final = on_sent

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> Any:  # noqa: N803 - boto3's names
        """Put records on a stream; say which failed."""
        answer = self._client.put_records(StreamName=StreamName, Records=Records)
        self._on_sent()
        return answer


def _parse_arn(text: str) -> tuple[str, str]:
    """Give region and name of a data stream."""
    found = _ARN.fullmatch(text)
    if found is None:
        raise UsageError("that is not the ARN of a Kinesis data stream")
    return found[1], found[2]

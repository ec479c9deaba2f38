"""Making a Kinesis client."""

from __future__ import annotations

from qldb_stream import boto
from qldb_stream.clients.kinesis._put import KinesisClient

__all__ = ["connect_kinesis"]

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30


def connect_kinesis(*, endpoint_url: str | None = None, region: str | None = None) -> KinesisClient:
    """
    Make a boto3 client for Kinesis that leaves retries to us.

    Args:
        endpoint_url: where Kinesis is; AWS's own place when None.
        region: AWS's region; what boto3 finds in environment and files when None.

    Raises:
        UsageError: boto3 is not installed, no region is known, or the URL is none.
    """
    client: KinesisClient = boto.make_client(
        "kinesis",
        lack="Kinesis needs boto3",
        failed="cannot make a client for Kinesis",
        region=region,
        endpoint_url=endpoint_url,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
    )
    return client

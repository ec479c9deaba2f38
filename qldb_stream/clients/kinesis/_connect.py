"""Making a Kinesis client; the only place here that imports boto3."""

from __future__ import annotations

from qldb_stream.clients.kinesis._put import KinesisClient
from qldb_stream.errors import UsageError

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
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise UsageError("Kinesis needs boto3: pip install 'qldb-stream[aws]'") from exc
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
    )
    try:
        client: KinesisClient = boto3.client(
            "kinesis", endpoint_url=endpoint_url, region_name=region, config=config
        )
    except (BotoCoreError, ValueError) as exc:  # ValueError: an endpoint that is no URL
        raise UsageError(f"cannot make a client for Kinesis: {exc}") from exc
    return client

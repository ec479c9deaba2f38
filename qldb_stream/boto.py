"""
Making boto3's clients, in one place: what is missing, and what cannot be, is said as a mistake.

boto3 is imported when a client is made and not before: few need it, and it is slow to load.
"""

from __future__ import annotations

from typing import Any

from qldb_stream.errors import UsageError

__all__ = ["make_client"]


def make_client(
    service: str,
    *,
    lack: str,
    failed: str,
    region: str | None = None,
    endpoint_url: str | None = None,
    **settings: Any,
) -> Any:
    """
    Make a boto3 client; no request is sent.

    Args:
        service: boto3's name of it.
        lack: who needs what, for where boto3 is not installed.
        failed: what cannot be made, for where there is no region, or no such endpoint.
        region: AWS's region; what boto3 finds in environment and files when None.
        endpoint_url: where the service is; what boto3 finds when None.
        settings: what `botocore.config.Config` takes; without any, boto3's own.

    Raises:
        UsageError: boto3 is not installed, no region is known, or the URL is none.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise UsageError(f"{lack}: pip install 'qldb-stream[aws]'") from exc
    try:
        config = Config(**settings) if settings else None
        return boto3.client(service, region_name=region, endpoint_url=endpoint_url, config=config)
    except (BotoCoreError, ValueError) as exc:  # ValueError: an endpoint that is no URL
        raise UsageError(f"{failed}: {exc}") from exc

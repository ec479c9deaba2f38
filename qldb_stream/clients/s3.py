"""
A bucket of S3, as the place that an export is written to.

It needs the extra `aws`. Credentials, region and endpoint are boto3's business: its chain of
profiles, variables and roles, `AWS_ENDPOINT_URL_S3` included.
"""

from __future__ import annotations

from typing import Any, Final

from qldb_stream.errors import ExportError, UsageError

__all__ = ["S3Bucket"]


class S3Bucket:
    """
    Puts objects into a bucket; S3 stores each whole or not at all.

    Args:
        bucket: its name; it must be there.
        client: a boto3 client of S3; None makes one.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """

    def __init__(self, bucket: str, client: Any = None) -> None:
        self.bucket: Final = bucket
        self._client: Final = _make_client() if client is None else client

    def put(self, key: str, data: bytes) -> None:
        """
        Store an object, replacing one of that key.

        Raises:
            ExportError: S3 refused it, or could not be reached after boto3's own retries.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data)
        except (BotoCoreError, ClientError, Boto3Error) as exc:
            raise ExportError(f"s3://{self.bucket}/{key}", str(exc)) from exc


def _make_client() -> Any:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError as exc:
        problem = "S3 needs the extra `aws`: pip install 'qldb-stream[aws]'"
        raise UsageError(problem) from exc
    try:
        return boto3.client("s3")
    except (BotoCoreError, ValueError) as exc:  # ValueError: an endpoint that is no URL
        raise UsageError(f"no client of S3 can be made: {exc}") from exc

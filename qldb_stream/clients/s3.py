"""
A bucket of S3, as the place that an export is written to.

It needs the extra `aws`. Credentials, region and endpoint are boto3's business: its chain of
profiles, variables and roles, `AWS_ENDPOINT_URL_S3` included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qldb_stream import boto
from qldb_stream.errors import ExportError

__all__ = ["S3Bucket", "S3Buckets", "make_client"]


# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
_ENCRYPTIONS: Final = {"SSE_S3": "AES256", "SSE_KMS": "aws:kms"}


class S3Bucket:
    """
    Puts objects into a bucket; S3 stores each whole or not at all.

    Args:
        bucket: its name; it must be there.
        client: a boto3 client of S3; None makes one.
        options: what else `put_object` is told of each object, as how to encrypt it.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """

    def __init__(
        self, bucket: str, client: Any = None, options: Mapping[str, str] | None = None
    ) -> None:
        self.bucket: Final = bucket
        self._client: Final = make_client(None) if client is None else client
        self._options: Final = dict(options or {})

    def put(self, key: str, data: bytes) -> None:
        """
        Store an object, replacing one of that key.

        Raises:
            ExportError: S3 refused it, or could not be reached after boto3's own retries.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data, **self._options)
        except (BotoCoreError, ClientError, Boto3Error) as exc:
            raise ExportError(f"s3://{self.bucket}/{key}", str(exc)) from exc


class S3Buckets:
    """
    All buckets of an S3 that the server's owner lets it export to.

    Args:
        endpoint_url: where S3 is; boto3's own configuration when None.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """

    def __init__(self, endpoint_url: str | None = None) -> None:
        self._client: Final = make_client(endpoint_url)

    def __call__(self, bucket: str, encryption: str, kms_key_arn: str | None) -> S3Bucket:
        """
        Give a bucket.

        Args:
            bucket: its name; whether it is there, the first object shows.
            encryption: SSE_S3, SSE_KMS or NO_ENCRYPTION (facts 3.1).
            kms_key_arn: of SSE_KMS; S3's own key when None.
        """
        options = {}
        if encryption in _ENCRYPTIONS:
            options["ServerSideEncryption"] = _ENCRYPTIONS[encryption]
        if kms_key_arn is not None:
            options["SSEKMSKeyId"] = kms_key_arn
        return S3Bucket(bucket, self._client, options)


def make_client(endpoint_url: str | None, **settings: Any) -> Any:
    """
    Make a boto3 client of S3.

    Args:
        endpoint_url: where S3 is; boto3's own configuration when None.
        settings: what `botocore.config.Config` takes; without any, boto3's own.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """
    return boto.make_client(
        "s3",
        lack="S3 needs the extra `aws`",
        failed="no client of S3 can be made",
        endpoint_url=endpoint_url,
        **settings,
    )

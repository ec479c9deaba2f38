"""
The objects of one bucket, with S3's conditional writes: what `_bucket` needs of boto3.

S3 stores an object whole or not at all, and what was stored is what is read next
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel). With
If-None-Match it stores one only where none is, with If-Match only over the one that was seen
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs

from qldb_stream.boto import code_of, may_pass
from qldb_stream.clients.s3 import make_client
from qldb_stream.errors import SinkUnavailableError, UsageError

__all__ = ["NO_CONDITIONS", "Objects", "StoredObject"]

NO_CONDITIONS: Final = (
    "stores objects without heeding If-None-Match and If-Match, so nothing keeps a second writer "
    "out; where there is only one, say so by the option conditional=no"
)

_LOST: Final = frozenset({404, 409, 412})  # of a conditional write: another one was faster


@attrs.frozen
class StoredObject:
    """An object's bytes, what If-Match wants of it, and what it says of itself."""

    data: bytes = attrs.field(repr=False)
    etag: str
    metadata: Mapping[str, str]


class Objects:
    """
    The objects of a bucket.

    Args:
        sink: what messages call whoever writes.
        bucket: its name; it must be there.
        is_conditional: whether writes depend on what is there.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """

    def __init__(self, sink: str, bucket: str, *, is_conditional: bool) -> None:
        self._sink: Final = sink
        self._bucket: Final = bucket
        self._is_conditional: Final = is_conditional
        self._client: Final = make_client(None)

    def get(self, key: str) -> StoredObject | None:
        """
        Read an object; None where there is none.

        Raises:
            UsageError: S3 refuses: no such bucket, no right, no credentials.
            SinkUnavailableError: S3 cannot be reached, or not now.
        """
        with self._translated():
            found = self._maybe(self._client.get_object, key)
            if found is None:
                return None
            return StoredObject(found["Body"].read(), found["ETag"], found["Metadata"])

    def head(self, key: str) -> StoredObject | None:
        """
        Read what an object says of itself, without its bytes; None where there is none.

        Raises:
            UsageError: S3 refuses: no such bucket, no right, no credentials.
            SinkUnavailableError: S3 cannot be reached, or not now.
        """
        with self._translated():
            found = self._maybe(self._client.head_object, key)
            return None if found is None else StoredObject(b"", found["ETag"], found["Metadata"])

    def put(
        self, key: str, data: bytes, etag: str | None, metadata: Mapping[str, str] | None = None
    ) -> str | None:
        """
        Store an object over the one that was seen, or, without `etag`, where none is.

        Returns:
            The new object's etag; None when another one is there.

        Raises:
            UsageError: the store does not know conditional writes, or refuses.
            SinkUnavailableError: S3 cannot be reached, or not now.
        """
        from botocore.exceptions import ClientError

        condition: dict[str, str] = {}
        if self._is_conditional:
            condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            with self._translated():
                answer = self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    Metadata=dict(metadata or {}),
                    **condition,
                )
        except (SinkUnavailableError, UsageError) as exc:
            cause = exc.__cause__
            if not condition or not isinstance(cause, ClientError):
                raise
            status = _status(cause)
            if status == 501:  # noqa: PLR2004 - HTTP's "not implemented"
                raise UsageError(f"{self._sink}: the bucket {NO_CONDITIONS}") from cause
            # A bucket that is not there answers 404 as well, whatever was asked.
            if status in _LOST and code_of(cause) != "NoSuchBucket":
                return None
            raise
        return str(answer["ETag"])

    def iter_keys(self, prefix: str) -> Iterator[str]:
        """
        Iterate over the keys that start with a prefix, in order.

        Raises:
            UsageError: S3 refuses: no such bucket, no right, no credentials.
            SinkUnavailableError: S3 cannot be reached, or not now.
        """
        with self._translated():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                yield from (str(entry["Key"]) for entry in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        """
        Remove an object; one that is not there is no error.

        Raises:
            UsageError: S3 refuses: no such bucket, no right, no credentials.
            SinkUnavailableError: S3 cannot be reached, or not now.
        """
        with self._translated():
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def _maybe(self, ask: Any, key: str) -> Any:
        from botocore.exceptions import ClientError

        try:
            return ask(Bucket=self._bucket, Key=key)
        except ClientError as exc:
            if code_of(exc) in ("NoSuchKey", "404"):
                return None
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as exc:
            if may_pass(exc) or isinstance(exc, Boto3Error):
                raise SinkUnavailableError(self._sink, str(exc)) from exc
            raise UsageError(
                f"{self._sink}: {exc}; check the bucket, the credentials and what they may do"
            ) from exc


def _status(exc: Any) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))

"""
Objects of a bucket: which ones an event or a prefix names, and their bytes in a local file.

S3's errors end here. What may pass is a `SourceError`; what needs a person (no right, no bucket)
is a `UsageError` that says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.clients.s3 import make_client
from qldb_stream.errors import SourceError, UsageError

__all__ = ["Bucket", "MissingObjectError", "StoredObject", "is_passed_over"]

# Lambda's /tmp has 512 MB at least and 10 GB at most; an object of Firehose has 128 MB.
MAX_OBJECT_BYTES: Final = 8 << 30
_CHUNK_BYTES: Final = 1 << 20
_CLIENT: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 5},
}
_GONE: Final = ("NoSuchKey", "NoSuchVersion", "404")
_FOR_GOOD: Final = ("AccessDenied", "AllAccessDisabled", "NoSuchBucket", "403", "InvalidBucketName")
_FROZEN: Final = "InvalidObjectState"


@attrs.frozen
class StoredObject:
    """An object of S3; `version` where the event names one."""

    bucket: str
    key: str
    version: str | None = None

    @property
    def name(self) -> str:
        """Name it for messages."""
        return f"s3://{self.bucket}/{self.key}"


class MissingObjectError(Exception):
    """The object is not there any more: a lifecycle rule or a person has removed it."""


def is_passed_over(key: str) -> bool:
    """Say whether an object is none of a journal: a folder's mark, or hidden as in folders."""
    return key.endswith("/") or key.rpartition("/")[2].startswith(".")


class Bucket:
    """
    Reads objects; one client for all buckets.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """

    def __init__(self) -> None:
        self._client: Final = make_client(None, **_CLIENT)

    def download(self, found: StoredObject, path: Path) -> str:
        """
        Write an object into a file.

        Returns:
            Its entity tag, which is another one when the object is.

        Raises:
            MissingObjectError: it is gone.
            UsageError: it may not be read, is frozen in an archive class, or too large.
            SourceError: S3 cannot be reached or broke off, or there is no room for the file.
        """
        which = {} if found.version is None else {"VersionId": found.version}
        with _translated(found.name):
            answer = self._client.get_object(Bucket=found.bucket, Key=found.key, **which)
            size = int(answer["ContentLength"])
            if size > MAX_OBJECT_BYTES:
                raise UsageError(f"{found.name} has {size} bytes, more than {MAX_OBJECT_BYTES}")
            try:
                with path.open("wb") as file:
                    for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                        file.write(chunk)
            except OSError as exc:
                raise SourceError(found.name, f"finds no room: {exc.strerror}") from exc
        if path.stat().st_size != size:
            raise SourceError(found.name, "was cut off on its way")
        return str(answer.get("ETag", ""))

    def iter_keys(self, bucket: str, prefix: str, after: str) -> Iterator[str]:
        """
        Iterate over the keys below a prefix, in order, behind one of them.

        Raises:
            UsageError: it may not be listed, or there is no such bucket.
            SourceError: S3 cannot be reached.
        """
        more: Mapping[str, Any] = {"StartAfter": after} if after else {}
        while True:
            with _translated(f"s3://{bucket}/{prefix}"):
                answer = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
            yield from (each["Key"] for each in answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}


@contextmanager
def _translated(name: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise MissingObjectError(name) from exc
        if code in _FOR_GOOD:
            raise UsageError(
                f"{name} may not be read ({code}): the bucket must exist, and this function's role "
                "may GetObject, ListBucket and, with a key of the owner's, Decrypt"
            ) from exc
        if code == _FROZEN:
            raise UsageError(f"{name} is in an archive class: restore it first") from exc
        raise SourceError(name, f"was not given out ({code})") from exc
    except BotoCoreError as exc:
        raise SourceError(name, f"cannot be reached ({type(exc).__name__})") from exc

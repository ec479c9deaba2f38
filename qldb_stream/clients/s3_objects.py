"""
Objects of S3 buckets, for whoever reads them: found by prefix, and put into local files.

S3's errors end here. What may pass is a `SourceError`; what needs a person (no right, no
bucket) is a `UsageError` that says what to do.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.boto import code_of, may_pass
from qldb_stream.clients.s3 import make_client
from qldb_stream.errors import DeniedObjectError, SourceError, UsageError

__all__ = ["BucketReader", "MissingObjectError", "StoredObject", "is_passed_over"]

_CHUNK_BYTES: Final = 1 << 20
_CLIENT: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 5},
}
_ATTEMPTS: Final = 5  # to read on where a body broke off, which boto3 does not try again
_PAUSE_S: Final = 0.2
_GONE: Final = ("NoSuchKey", "NoSuchVersion", "404")
_FOR_GOOD: Final = ("AccessDenied", "AllAccessDisabled", "NoSuchBucket", "403", "InvalidBucketName")
_FROZEN: Final = "InvalidObjectState"
_CHANGED: Final = ("PreconditionFailed", "412")


@attrs.frozen
class StoredObject:
    """
    An object of S3; `version` where an event names one.

    `size` (bytes) and `etag` are what a listing said, None where none was made.
    """

    bucket: str
    key: str
    version: str | None = None
    size: int | None = None
    etag: str | None = None

    @property
    def name(self) -> str:
        """Name it for messages."""
        return f"s3://{self.bucket}/{self.key}"


class MissingObjectError(Exception):
    """The object is not there any more: a lifecycle rule or a person has removed it."""


def is_passed_over(key: str) -> bool:
    """Say whether an object is none of a journal: a folder's mark, or hidden as in folders."""
    return key.endswith("/") or key.rpartition("/")[2].startswith(".")


class BucketReader:
    """
    Reads objects; one client for all buckets, which threads may share.

    Args:
        max_object_bytes: the longest object that is taken; None for any.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """

    def __init__(self, max_object_bytes: int | None = None) -> None:
        self._client: Final = make_client(None, **_CLIENT)
        self._max_object_bytes: Final = max_object_bytes

    def download(
        self, found: StoredObject, path: Path, tell: Callable[[int], None] = lambda _: None
    ) -> str:
        """
        Write an object into a file; where its body breaks off, go on from there.

        `tell` is told how many more bytes have come; what it raises, a SourceError apart, ends
        the download.

        Returns:
            Its entity tag, which is another one when the object is.

        Raises:
            MissingObjectError: it is gone.
            DeniedObjectError: it may not be read, or is frozen in an archive class.
            UsageError: it is too large, or there is no such bucket.
            SourceError: it changed since it was listed, S3 cannot be reached or broke off
                again and again, or there is no room for the file.
        """
        with _no_room(found.name), path.open("wb") as file:
            etag = found.etag
            for attempt in range(1, _ATTEMPTS + 1):
                answer, size = self._get(found, etag, file.tell())
                etag = str(answer.get("ETag", ""))
                try:
                    with _translated(found.name):
                        for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                            file.write(chunk)
                            tell(len(chunk))
                except SourceError:
                    if attempt == _ATTEMPTS:
                        raise
                if file.tell() == size:
                    return etag
                if attempt < _ATTEMPTS:
                    time.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311 - a pause
        raise SourceError(found.name, "was cut off on its way")

    def iter_keys(self, bucket: str, prefix: str, after: str) -> Iterator[str]:
        """
        Iterate over the keys below a prefix, in order, behind one of them.

        Raises:
            UsageError: it may not be listed, or there is no such bucket.
            SourceError: S3 cannot be reached.
        """
        for each in self._iter_pages(bucket, prefix, after):
            yield each["Key"]

    def iter_objects(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """Iterate like `iter_keys`, from the first on, with what the listing says of each."""
        for each in self._iter_pages(bucket, prefix, ""):
            etag = each.get("ETag")
            yield StoredObject(bucket, each["Key"], None, int(each["Size"]), etag)

    def _iter_pages(self, bucket: str, prefix: str, after: str) -> Iterator[Mapping[str, Any]]:
        more: Mapping[str, Any] = {"StartAfter": after} if after else {}
        while True:
            with _translated(f"s3://{bucket}/{prefix}", is_listing=True):
                answer = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
            yield from answer.get("Contents", ())
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def _get(self, found: StoredObject, etag: str | None, start: int) -> tuple[Any, int]:
        """Ask for an object, or for what is left of it; give the answer and the whole length."""
        which = {} if found.version is None else {"VersionId": found.version}
        if etag:
            which["IfMatch"] = etag
        if start:
            which["Range"] = f"bytes={start}-"
        with _translated(found.name):
            answer = self._client.get_object(Bucket=found.bucket, Key=found.key, **which)
        size = start + int(answer["ContentLength"])
        if self._max_object_bytes is not None and size > self._max_object_bytes:
            raise UsageError(f"{found.name} has {size} bytes, more than {self._max_object_bytes}")
        return answer, size


@contextmanager
def _no_room(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SourceError(name, f"finds no room: {os.strerror(exc.errno or 0)}") from exc


@contextmanager
def _translated(name: str, *, is_listing: bool = False) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise _error_of(name, exc, is_listing=is_listing) from exc
    except BotoCoreError as exc:
        if may_pass(exc):
            raise SourceError(name, f"cannot be reached ({code_of(exc)})") from exc
        raise UsageError(f"{name} cannot be read: {exc}") from exc


def _error_of(name: str, exc: Any, *, is_listing: bool) -> Exception:
    code = code_of(exc)
    if code in _GONE:
        return MissingObjectError(name)
    if code in _CHANGED:
        return SourceError(name, "changed while it was read")
    if code == _FROZEN:
        return DeniedObjectError(f"{name} is in an archive class: restore it first")
    if may_pass(exc):
        return SourceError(name, f"was not given out ({code})")
    if code not in _FOR_GOOD:
        return UsageError(f"{name} is not given out ({code}): check credentials and region")
    message = (
        f"{name} may not be read ({code}): the bucket must exist, and whoever reads may GetObject, "
        "ListBucket and, with a key of the owner's, Decrypt"
    )
    is_one_object = not is_listing and "Bucket" not in code
    return DeniedObjectError(message) if is_one_object else UsageError(message)

"""Objects of buckets are found and fetched, and S3's errors are ours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from qldb_stream.clients import s3_objects
from qldb_stream.clients.s3_objects import BucketReader, MissingObjectError, StoredObject
from qldb_stream.errors import DeniedObjectError, SourceError, UsageError

NUMBERS = count()


@pytest.fixture
def bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the test's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    name = f"objects-{next(NUMBERS)}"
    region = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=region)
    return name


def put(bucket: str, key: str, data: bytes) -> str:
    """Store an object, and give its version."""
    answer = boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    return str(answer.get("VersionId"))


def refusing(code: str) -> BucketReader:
    """S3 that answers with an error."""
    from botocore.exceptions import ClientError

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    reader = BucketReader()
    reader._client.meta.events.register("before-call.s3.GetObject", refuse)  # noqa: SLF001 - boto3's
    return reader


class Breaking:
    """A body that breaks off after each piece, as a connection does."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        """Give one piece of three bytes."""
        from botocore.exceptions import ReadTimeoutError

        yield self._body.read(3)
        raise ReadTimeoutError(endpoint_url="s3")


def breaking() -> BucketReader:
    """S3 whose bodies break off."""
    reader = BucketReader()

    def break_off(parsed: dict[str, Any], **_: object) -> None:
        if "Body" in parsed:
            parsed["Body"] = Breaking(parsed["Body"])

    reader._client.meta.events.register("after-call.s3.GetObject", break_off)  # noqa: SLF001 - boto3's
    return reader


@pytest.mark.parametrize(
    ("code", "expected", "says"),
    [
        ("AccessDenied", DeniedObjectError, "may not be read .AccessDenied.: the bucket must"),
        ("InvalidObjectState", DeniedObjectError, "is in an archive class: restore it first"),
        ("SlowDown", SourceError, "was not given out .SlowDown."),
        ("InvalidAccessKeyId", UsageError, "check credentials and region"),
        ("NoSuchKey", MissingObjectError, "s3://b/key"),
        ("PreconditionFailed", SourceError, "s3://b/key changed while it was read"),
    ],
)
def test_refusals(
    code: str, expected: type[Exception], says: str, aws: str, tmp_path: Path
) -> None:
    """What needs a person, what may pass, and what is gone are told apart."""
    assert aws
    with pytest.raises(expected, match=says):
        refusing(code).download(StoredObject("b", "key"), tmp_path / "object")


def test_buckets_that_are_not_there(bucket: str, tmp_path: Path) -> None:
    """A missing bucket is for a person, whatever is asked of it."""
    there_is_none = StoredObject(f"{bucket}-not", "key")
    with pytest.raises(UsageError, match="NoSuchBucket"):
        BucketReader().download(there_is_none, tmp_path / "object")
    with pytest.raises(UsageError, match="NoSuchBucket"):
        list(BucketReader().iter_keys(there_is_none.bucket, "", ""))


def test_bounds(bucket: str, tmp_path: Path) -> None:
    """An object that is too long, or finds no room, is one clear error."""
    put(bucket, "key", b"data")
    with pytest.raises(SourceError, match="finds no room"):
        BucketReader().download(StoredObject(bucket, "key"), tmp_path)
    with pytest.raises(UsageError, match="has 4 bytes, more than 3"):
        BucketReader(3).download(StoredObject(bucket, "key"), tmp_path / "object")


def test_an_s3_that_is_away(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at the endpoint may pass."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr(s3_objects, "_CLIENT", {"retries": {"total_max_attempts": 1}})
    with pytest.raises(SourceError, match="cannot be reached"):
        BucketReader().download(StoredObject(bucket, "key"), tmp_path / "object")


def test_a_body_that_breaks_off_is_read_on(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came is kept, and the rest asked for, a few times; then it is an error."""
    monkeypatch.setattr(s3_objects, "_PAUSE_S", 0)
    put(bucket, "short", b"0123456789")
    put(bucket, "long", b"0123456789" * 2)
    told: list[int] = []
    breaking().download(StoredObject(bucket, "short"), tmp_path / "object", told.append)

    assert b"0123456789" == (tmp_path / "object").read_bytes()
    assert [3, 3, 3, 1] == told
    with pytest.raises(SourceError, match="ReadTimeoutError"):
        breaking().download(StoredObject(bucket, "long"), tmp_path / "object")


def test_a_download_that_is_given_up_ends_at_once(bucket: str, tmp_path: Path) -> None:
    """What the one raises who is told of the bytes is no error of S3's, and not tried again."""
    put(bucket, "key", b"0123456789")
    told: list[int] = []

    def give_up(count: int) -> None:
        told.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BucketReader().download(StoredObject(bucket, "key"), tmp_path / "object", give_up)
    assert [10] == told


def test_an_object_that_becomes_another(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is made of pieces of two objects."""
    monkeypatch.setattr(s3_objects, "_PAUSE_S", 0)
    put(bucket, "key", b"0123456789")

    def replace(_count: int) -> None:
        put(bucket, "key", b"abcdefghij")

    with pytest.raises(SourceError, match="changed while it was read"):
        breaking().download(StoredObject(bucket, "key"), tmp_path / "object", replace)


def test_long_listings(bucket: str) -> None:
    """Listings of more than a page are read to their end, behind the given key."""
    for n in range(5):
        put(bucket, f"p/{n}", b"")
    reader = BucketReader()
    reader._client.meta.events.register(  # noqa: SLF001 - pages of two
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 2}
    )

    assert [f"p/{n}" for n in range(1, 5)] == list(reader.iter_keys(bucket, "p/", "p/0"))


def test_versions(bucket: str, tmp_path: Path) -> None:
    """An event that names a version gets this version."""
    versioned = {"Status": "Enabled"}
    boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioned)
    version = put(bucket, "key", b"first")
    put(bucket, "key", b"second")
    BucketReader().download(StoredObject(bucket, "key", version), tmp_path / "object")

    assert b"first" == (tmp_path / "object").read_bytes()

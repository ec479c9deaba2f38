"""By an index no more objects of S3 are fetched than those that answers stand in."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import boto3
import pytest

from qldb_stream.archive.evidence import make_evidence, maybe_find_by_index
from qldb_stream.archive.history import archive_over, open_archive
from qldb_stream.errors import SourceError
from qldb_stream.sources import open_source
from qldb_stream.testing import make_export, make_journal
from tests.archive.evidence.support import saved

JOURNAL = make_journal(5, blocks=60)
NUMBERS = count()
OBJECTS = 12
DOCUMENT = next(
    revision.document_id or ""
    for block in JOURNAL
    if block.address.sequence_no > 30
    for revision in block.revisions
    if revision.data_ion is not None
)


@pytest.fixture
def bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with a journal in twelve objects of five blocks each."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    name = f"fetched-{next(NUMBERS)}"
    region = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=region)
    made = make_export(JOURNAL, "ion-binary", object_blocks=5)
    for key, data in made.objects.items():
        put(name, key, data)
    return name


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that temporary folders are made in."""
    folder = tmp_path / "room"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def put(bucket: str, key: str, data: bytes, storage: str = "STANDARD") -> None:
    """Store an object."""
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=data, StorageClass=storage)


def keys(bucket: str) -> list[str]:
    """The keys of data objects."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    return [each["Key"] for each in listed if not each["Key"].endswith("manifest")]


def fetched(room: Path) -> Iterator[int]:
    """The numbers of objects that are on disk."""
    return (int(path.name) for path in room.glob("qldb-stream-*/*"))


def test_one_document(bucket: str, room: Path, tmp_path: Path) -> None:
    """Nothing is fetched to open an index, and for a document what its revisions stand in."""
    index = tmp_path / "index"
    with open_archive(f"s3://{bucket}/", index=index) as archive:
        expected = [entry.row() for entry in archive.history(document_id=DOCUMENT)]
        assert len(list(fetched(room))) >= OBJECTS
    assert [] == list(fetched(room))
    with open_archive(f"s3://{bucket}/", index=index) as archive:
        assert not archive.is_fresh
        assert [] == list(fetched(room))
        assert expected == [entry.row() for entry in archive.history(document_id=DOCUMENT)]
        assert 0 < len(list(fetched(room))) < OBJECTS
    assert [] == list(fetched(room))


def test_everything(bucket: str, room: Path, tmp_path: Path) -> None:
    """A question for everything fetches everything, and answers the same."""
    index = tmp_path / "index"
    for _ in range(2):
        with open_archive(f"s3://{bucket}/", index=index) as archive:
            found = [entry.revision.hash for entry in archive.history()]
            assert [r.hash for b in JOURNAL for r in b.revisions if r.metadata] == found
    with open_archive(f"s3://{bucket}/", index=index) as archive:
        assert not archive.is_fresh


def test_a_proof(bucket: str, room: Path, tmp_path: Path) -> None:
    """A proof takes the objects of its block, and holds."""
    index, url = tmp_path / "index", f"s3://{bucket}/"
    with open_archive(url, index=index):
        pass
    with archive_over(open_source(url), index) as archive:
        found = maybe_find_by_index(archive, DOCUMENT, saved(JOURNAL))
        assert found is not None
        assert make_evidence(found, b"").proven["ok"]
        assert len(list(fetched(room))) <= 3


def test_files_and_objects(bucket: str, room: Path, tmp_path: Path) -> None:
    """Local files come first in the index, and cost no object."""
    make_export(list(JOURNAL)[:30], "ion-text").write(tmp_path / "local")
    paths: list[str | Path] = [tmp_path / "local", f"s3://{bucket}/"]
    index = tmp_path / "index"
    with open_archive(paths, index=index) as archive:
        expected = [entry.row() for entry in archive.history(document_id=DOCUMENT)]
    with open_archive(paths, index=index) as archive:
        assert not archive.is_fresh
        assert expected == [entry.row() for entry in archive.history(document_id=DOCUMENT)]
        assert len(list(fetched(room))) < OBJECTS


def test_an_object_that_changes_after_the_listing(bucket: str, tmp_path: Path) -> None:
    """What is fetched is what was listed: another object of that key is an error."""
    index, url = tmp_path / "index", f"s3://{bucket}/"
    with open_archive(url, index=index):
        pass
    with open_archive(url, index=index) as archive:
        for key in keys(bucket):
            put(bucket, key, b"something else")
        with pytest.raises(SourceError, match="changed while it was read"):
            list(archive.history(document_id=DOCUMENT))
    with open_archive(url, index=index) as archive:
        assert archive.is_fresh
        assert "has changed since" in archive.notes[0]


def test_an_object_that_goes_after_the_listing(bucket: str, tmp_path: Path) -> None:
    """One that is removed is an error, not a wrong index."""
    index, url = tmp_path / "index", f"s3://{bucket}/"
    with open_archive(url, index=index):
        pass
    with open_archive(url, index=index) as archive:
        for key in keys(bucket):
            boto3.client("s3").delete_object(Bucket=bucket, Key=key)
        with pytest.raises(SourceError, match="removed while it was read"):
            list(archive.history(document_id=DOCUMENT))


def test_an_object_that_may_not_be_read(bucket: str, room: Path, tmp_path: Path) -> None:
    """Where one was left out the index counts the others, and all are fetched as ever."""
    data = boto3.client("s3").get_object(Bucket=bucket, Key=keys(bucket)[0])["Body"].read()
    put(bucket, keys(bucket)[0], data, "GLACIER")
    index, url = tmp_path / "index", f"s3://{bucket}/"
    with open_archive(url, index=index) as archive:
        expected = [entry.row() for entry in archive.history(document_id=DOCUMENT)]
    with open_archive(url, index=index) as archive:
        assert not archive.is_fresh
        assert len(list(fetched(room))) >= OBJECTS - 1
        assert expected == [entry.row() for entry in archive.history(document_id=DOCUMENT)]


def test_an_object_that_is_frozen_later(bucket: str, tmp_path: Path) -> None:
    """One that may not be read any more is an error that says so."""
    index, url = tmp_path / "index", f"s3://{bucket}/"
    with open_archive(url, index=index):
        pass
    client = boto3.client("s3")
    with open_archive(url, index=index) as archive:
        for key in keys(bucket):
            client.copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": key},
                StorageClass="GLACIER",
            )
        with pytest.raises(SourceError, match="archive class"):
            list(archive.history(document_id=DOCUMENT))


def test_an_index_that_points_elsewhere(bucket: str, tmp_path: Path) -> None:
    """A place in a file that there is not, or another one, is a wrong index: it is built anew."""
    index, url = tmp_path / "index", f"s3://{bucket}/"
    with open_archive(url, index=index) as archive:
        expected = [entry.row() for entry in archive.history(document_id=DOCUMENT)]
    for number in ("99", "(file + 1) % 12"):
        with closing(sqlite3.connect(index)) as database:
            database.execute(f"UPDATE part SET file = {number}")
            database.commit()
        with open_archive(url, index=index) as archive:
            assert not archive.is_fresh
            assert expected == [e.row() for e in archive.history(document_id=DOCUMENT)]
            assert archive.is_fresh
            assert "leads astray" in archive.notes[0]

"""Objects of S3 are asked as files are; an index of them is kept where one says."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import boto3
import pytest

from qldb_stream.archive.history import open_archive
from qldb_stream.testing import firehose_object, make_journal

JOURNAL = make_journal(5, blocks=20)
NUMBERS = count()


@pytest.fixture
def url(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with a journal in three objects."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    name = f"history-{next(NUMBERS)}"
    region = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=region)
    records = list(JOURNAL.iter_records())
    for number in range(3):
        boto3.client("s3").put_object(
            Bucket=name, Key=f"a/{number}", Body=firehose_object(records[number::3])
        )
    return f"s3://{name}/a/"


def test_objects_are_asked_as_files_are(url: str, tmp_path: Path) -> None:
    """The index knows them by name, size and entity tag, though they are fetched each time."""
    expected = [r.hash for block in JOURNAL for r in block.revisions if r.metadata is not None]
    index = tmp_path / "index"
    for is_fresh in (True, False):
        with open_archive(url, index=index) as archive:
            assert is_fresh == archive.is_fresh
            assert expected == [entry.revision.hash for entry in archive.history()]
    with open_archive(url) as archive:
        assert archive.is_fresh
    bucket = url.split("/")[2]
    boto3.client("s3").put_object(Bucket=bucket, Key="a/0", Body=b"")
    with open_archive(url, index=index) as archive:
        assert archive.is_fresh
        assert "has changed since" in archive.notes[0]

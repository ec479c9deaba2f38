"""Objects of S3 are a source as files are, and mix with them."""

from __future__ import annotations

import gzip
from itertools import count
from pathlib import Path

import boto3
import pytest

from qldb_stream.cli import main
from qldb_stream.errors import SourceError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.pipeline import verify_source
from qldb_stream.sources import open_source
from qldb_stream.testing import firehose_object, make_journal
from qldb_stream.typing import Item

JOURNAL = make_journal(5, blocks=30)
RECORDS = list(JOURNAL.iter_records())
NUMBERS = count()

# Keys are any text; these have everything that a path or URL would not.
KEYS = ("2024/05/06/a b", "2024/05/06/ä?x=1#y", "2024/05/06/C:\\d%20e", "2024/05/07/%2f..gz")


@pytest.fixture
def bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with a journal in four objects, a folder's mark, and a hidden object."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    name = f"source-{next(NUMBERS)}"
    region = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=region)
    for number, key in enumerate(KEYS):
        data = firehose_object(RECORDS[number :: len(KEYS)])
        put(name, key, gzip.compress(data) if key.endswith(".gz") else data)
    put(name, "2024/05/06/", b"")
    put(name, "2024/.hidden", b"not ours")
    return name


def put(bucket: str, key: str, data: bytes) -> None:
    """Store an object."""
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=data)


def read(*paths: str | Path) -> list[Item]:
    """Read everything that some paths hold."""
    return list(open_source(paths).items())


def write_whole(folder: Path) -> Path:
    """Put the whole journal into one file."""
    path = folder / "whole"
    path.write_bytes(firehose_object(RECORDS))
    return path


def test_a_bucket_is_read_as_files_are(bucket: str, tmp_path: Path) -> None:
    """The events of a prefix are those of the same bytes on disk; keys keep their names."""
    source = open_source(f"s3://{bucket}/2024/")

    assert read(write_whole(tmp_path)) == list(source.items())
    assert {f"s3://{bucket}/{key}" for key in KEYS} == set(source.names)
    assert 2 == source.passed_over


def test_files_and_objects_mix(bucket: str, tmp_path: Path) -> None:
    """One source of a file, a prefix and an object, each of which has a part."""
    path = tmp_path / "part"
    path.write_bytes(firehose_object(RECORDS[0::4]))
    mixed = read(
        path, f"s3://{bucket}/{KEYS[1]}", f"s3://{bucket}/2024/05/06/C", f"s3://{bucket}/2024/05/07"
    )

    assert read(write_whole(tmp_path)) == mixed


def test_every_object_tells_the_url_that_named_it(bucket: str, tmp_path: Path) -> None:
    """Carriers count what was named, files and URLs mixed; each item has a carrier's name."""
    path = write_whole(tmp_path)
    urls = (f"s3://{bucket}/2024/05/06/", f"s3://{bucket}/2024/05/06/C")
    source = open_source([urls[0], path, urls[1]])
    arguments = {found.name: found.argument for found in source.carriers}

    assert {name: 1 if name == str(path) else 2 * (urls[1] in name) for name in arguments} == (
        arguments
    )
    assert {0, 1, 2} == set(arguments.values())
    assert arguments.keys() == {name for name, _, _ in source.located_items()}


def test_an_object_is_named_by_its_key(bucket: str) -> None:
    """A key that is there names this object alone, also where others begin with it, and once."""
    put(bucket, f"{KEYS[0]}.1", firehose_object(RECORDS))
    url = f"s3://{bucket}/{KEYS[0]}"

    assert (url,) == open_source([url, url]).names
    assert 2 == len(open_source(f"s3://{bucket}/2024/05/06/a").names)


def test_nothing_there(bucket: str) -> None:
    """A prefix without keys, and a bucket that is none, are mistakes of the call."""
    with pytest.raises(UsageError, match="no key of the bucket begins with this"):
        open_source(f"s3://{bucket}/2025")
    with pytest.raises(UsageError, match="NoSuchBucket"):
        open_source(f"s3://{bucket}-not/2025")
    with pytest.raises(UsageError, match="names no bucket"):
        open_source("s3:///2025")


def test_changes_between_listing_and_reading(bucket: str) -> None:
    """What was listed is what is read: an object that is another one, or gone, ends the reading."""
    source = open_source(f"s3://{bucket}/2024/")
    put(bucket, KEYS[0], b"another one")
    with pytest.raises(SourceError, match="a b changed while it was read"):
        list(source.items())
    boto3.client("s3").delete_object(Bucket=bucket, Key=KEYS[0])
    with pytest.raises(SourceError, match="a b was removed while it was read"):
        list(source.items())


def test_an_object_that_may_not_be_read_costs_the_rest_nothing(bucket: str) -> None:
    """A frozen object is a problem of its own, named with its bytes."""
    client = boto3.client("s3")
    data = firehose_object(RECORDS)
    client.put_object(Bucket=bucket, Key="2024/ice", Body=data, StorageClass="GLACIER")
    undecodable, *rest = open_source(f"s3://{bucket}/2024/").items()

    assert isinstance(undecodable, Undecodable)
    assert (f"s3://{bucket}/2024/ice", len(data)) == (undecodable.source, undecodable.length)
    assert "restore it first" in str(undecodable.error)
    assert read(f"s3://{bucket}/2024/05") == rest


def test_nothing_is_left_on_disk(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects lie in a temporary folder while they are read, also when the reading is given up."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    items = open_source(f"s3://{bucket}/2024/").items()
    next(items)
    assert 1 == len(list(tmp_path.glob("qldb-stream-*")))
    items.close()  # type: ignore[attr-defined]  # it is a generator

    assert [] == list(tmp_path.iterdir())


def test_progress(bucket: str) -> None:
    """Fetching is a stage of its own, told in bytes."""
    told: list[tuple[int, int, str]] = []
    source = open_source(f"s3://{bucket}/2024/", progress=lambda *args: told.append(args))
    assert verify_source(source).ok
    done, total, _ = [each for each in told if "fetch" == each[2]][-1]

    assert ["fetch", "index", "read"] == list(dict.fromkeys(stage for _, _, stage in told))
    assert done == total > 0


def test_verify_takes_urls(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line reads objects as it reads files."""
    assert 0 == main(["verify", f"s3://{bucket}/2024/"])
    assert "30" in capsys.readouterr().out
    assert 2 == main(["verify", f"s3://{bucket}/2025/"])
    assert f"cannot read s3://{bucket}/2025/" in capsys.readouterr().err

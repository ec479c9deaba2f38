"""`ion:` and `jsonl:` in a bucket: whole objects, once, one writer, against moto's server."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError, StaleTokenError, UsageError
from qldb_stream.events import Block, Filtered
from qldb_stream.pipeline import Pipeline, verify_source
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks._archive._bucket import BucketArchive
from qldb_stream.sources import open_source
from qldb_stream.testing.journals import JournalShape, make_journal
from qldb_stream.typing import ErasingSink, Sink

JOURNAL = make_journal(11, blocks=40, shape=JournalShape(redactions=0.2, deletes=0.1))
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())
STRAND = JOURNAL.strand_id
NUMBERS = itertools.count()

pytestmark = pytest.mark.parametrize("scheme", ["ion", "jsonl"])


@pytest.fixture
def client(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of S3 on loopback, as boto3 makes one from the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return boto3.client("s3")


@pytest.fixture
def bucket(client: Any) -> str:
    """A bucket of this test's own."""
    name = f"archive-{os.getpid()}-{next(NUMBERS)}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.fixture
def url(scheme: str, bucket: str) -> str:
    """The URL of an archive in it."""
    return f"{scheme}:s3://{bucket}/journals/cars"


def open_archive(url: str, **options: str) -> BucketArchive:
    """Open an archive in a bucket."""
    sink = open_sink(url, **options)
    assert isinstance(sink, BucketArchive)
    return sink


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash, start=0)


def apply(sink: BucketArchive, blocks: Sequence[Block], token: int = 0) -> Position:
    """Apply a run of blocks, to the position of its last."""
    return sink.apply(blocks, position_at(blocks[-1]), token)


def keys(client: Any, bucket: str) -> list[str]:
    """Name all objects of a bucket."""
    found = client.list_objects_v2(Bucket=bucket).get("Contents", ())
    return [entry["Key"] for entry in found]


def blocks_of(client: Any, bucket: str, folder: Path) -> list[Block]:
    """Download everything, verify it, and give the blocks."""
    for key in keys(client, bucket):
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    source = open_source(folder)
    assert 1 == source.passed_over  # .position.json
    found = verify_source(source)
    assert found.ok
    with_sink = open_sink("memory:")
    assert Pipeline(with_sink).run(source).ok
    held: Iterator[Block] = iter(with_sink.blocks)  # type: ignore[attr-defined]  # it is a MemorySink
    return list(held)


def test_it_reads_back_as_it_was(
    url: str, client: Any, bucket: str, scheme: str, tmp_path: Path
) -> None:
    """Runs become numbered objects; downloaded, they are an archive with every block once."""
    for end in (10, 10, 25, 40):
        report = Pipeline(url, batch_blocks=10).run(BLOCKS[:end])
        assert report.ok
        assert () == report.redactions_pending
    sink = open_archive(url)
    assert isinstance(sink, Sink)
    assert isinstance(sink, ErasingSink)
    assert position_at(BLOCKS[-1]) == sink.position(STRAND)
    assert position_at(BLOCKS[-1]) == apply(sink, BLOCKS[:7])
    assert None is sink.position("another")
    sink.close()
    folder = f"journals/cars/{STRAND}/"
    expected = [f"{folder}{number:012d}.{scheme}" for number in range(1, 6)]
    assert [f"{folder}.position.json", *expected] == keys(client, bucket)
    assert ERASED == blocks_of(client, bucket, tmp_path)


def test_objects_are_bounded(url: str, client: Any, bucket: str, tmp_path: Path) -> None:
    """A long run becomes several objects, cut between blocks."""
    sink = open_archive(f"{url}?object_bytes=20000")
    apply(sink, BLOCKS)
    sizes = [x["Size"] for x in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(sizes) > 4
    assert ERASED == blocks_of(client, bucket, tmp_path)


def test_a_lower_token_is_refused(url: str) -> None:
    """Also by a sink that is opened later, and for erasing."""
    apply(open_archive(url), BLOCKS[:2], 7)
    sink = open_archive(url)
    with pytest.raises(StaleTokenError):
        apply(sink, BLOCKS[2:3], 6)
    with pytest.raises(StaleTokenError):
        sink.erase(BLOCKS[:2], 6)


def test_a_writer_that_was_replaced_changes_nothing(
    url: str, client: Any, bucket: str, tmp_path: Path
) -> None:
    """Whoever writes first becomes the writer; the one before is told, and may begin again."""
    old, new = open_archive(url), open_archive(url)
    apply(old, BLOCKS[:5])
    apply(new, BLOCKS[5:10])
    with pytest.raises(SinkUnavailableError, match="another writer has taken over"):
        apply(old, BLOCKS[5:20])
    assert position_at(BLOCKS[9]) == old.position(STRAND)
    apply(old, BLOCKS[5:20])
    with pytest.raises(SinkUnavailableError, match="another writer has taken over"):
        apply(new, BLOCKS[10:15])
    apply(new, BLOCKS)
    assert ERASED == blocks_of(client, bucket, tmp_path)


def test_what_a_crash_left_is_not_believed(
    url: str, client: Any, bucket: str, scheme: str, tmp_path: Path
) -> None:
    """Objects that no position counts are removed, or overwritten when they come later."""
    apply(open_archive(url), BLOCKS[:5])
    folder = f"journals/cars/{STRAND}/"
    for number in (2, 3, 9):
        client.put_object(Bucket=bucket, Key=f"{folder}{number:012d}.{scheme}", Body=b"left")
    sink = open_archive(url)
    apply(sink, BLOCKS[5:10])
    assert 3 == len(keys(client, bucket))
    client.put_object(Bucket=bucket, Key=f"{folder}{3:012d}.{scheme}", Body=b"late")
    apply(sink, BLOCKS[10:])
    assert ERASED == blocks_of(client, bucket, tmp_path)


@pytest.mark.parametrize("is_later", [False, True])
def test_redactions_take_the_data_out(
    url: str, client: Any, bucket: str, tmp_path: Path, *, is_later: bool
) -> None:
    """By a block that redacts, or by redacted copies; what is not there is passed over."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    sink = open_archive(url)
    for block in BLOCKS[:last]:
        apply(sink, [block])
    if is_later:
        sink.erase(ERASED, 0)
        sink.erase(ERASED, 0)
        assert ERASED[:last] == blocks_of(client, bucket, tmp_path)
    apply(sink, BLOCKS[last:])
    assert ERASED == blocks_of(client, bucket, tmp_path)


def test_a_writer_with_a_lower_token_is_told_so(url: str) -> None:
    """Whoever finds himself replaced by a higher token need not try again."""
    old, new = open_archive(url), open_archive(url)
    apply(old, BLOCKS[:5], 1)
    apply(new, BLOCKS[5:10], 2)
    with pytest.raises(StaleTokenError):
        apply(old, BLOCKS[5:20], 1)
    apply(new, BLOCKS[10:15], 2)


def test_without_conditions_there_is_one_writer(
    url: str, client: Any, bucket: str, tmp_path: Path
) -> None:
    """The owner's word stands for the store's; a change that shows is told all the same."""
    sink = open_archive(url, conditional="no")
    apply(sink, BLOCKS[:5])
    apply(sink, BLOCKS[5:10])
    apply(open_archive(url, conditional="no"), BLOCKS[10:20])
    with pytest.raises(SinkUnavailableError, match="another writer has taken over"):
        apply(sink, BLOCKS[10:20])
    apply(sink, BLOCKS)
    assert ERASED == blocks_of(client, bucket, tmp_path)


def test_a_store_without_conditions_is_found_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ignores them and one that does not know them: no second writer is kept out."""
    sink = open_archive(url)
    client = sink._objects._client  # noqa: SLF001 - a third party's, made to forget
    real = client.put_object

    def forgetful(**given: Any) -> Any:
        conditions = {"IfNoneMatch", "IfMatch"}
        return real(**{name: value for name, value in given.items() if name not in conditions})

    monkeypatch.setattr(client, "put_object", forgetful)
    with pytest.raises(UsageError, match="say so by the option conditional=no"):
        apply(sink, BLOCKS[:5])

    def not_known(**_: object) -> None:
        answer = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}
        raise client.exceptions.ClientError(answer, "PutObject")

    monkeypatch.setattr(client, "put_object", not_known)
    with pytest.raises(UsageError, match="say so by the option conditional=no"):
        apply(open_with(sink, url, client), BLOCKS[:5])


def open_with(_: BucketArchive, url: str, client: Any) -> BucketArchive:
    """Open another sink on a client that is there."""
    sink = open_archive(url)
    sink._objects._client = client  # type: ignore[misc]  # noqa: SLF001 - as above
    return sink


def test_what_makes_no_sense_is_told(
    url: str, scheme: str, client: Any, bucket: str, tmp_path: Path
) -> None:
    """No bucket, odd options, options of s3:// for a file, somebody else's position."""
    with pytest.raises(UsageError, match="names no bucket"):
        open_archive(f"{scheme}:s3://")
    for given in ("0", "x"):
        with pytest.raises(UsageError, match="object_bytes is a number from 1"):
            open_archive(url, object_bytes=given)
    with pytest.raises(UsageError, match="conditional is one of s3:// alone"):
        open_sink(f"{scheme}:{tmp_path}/x", conditional="no")
    with pytest.raises(UsageError, match=r"NoSuchBucket.*check the bucket"):
        apply(open_archive(f"{scheme}:s3://nobody-has-this/x"), BLOCKS[:1])
    apply(open_archive(url), BLOCKS[:2])
    other = url.replace(scheme, {"ion": "jsonl", "jsonl": "ion"}[scheme], 1)
    with pytest.raises(UsageError, match="is no position of"):
        open_archive(other).position(STRAND)
    key = f"journals/cars/{STRAND}/.position.json"
    data = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    client.put_object(Bucket=bucket, Key=key, Body=data.replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(UsageError, match="has version 2 of the format"):
        open_archive(url).position(STRAND)
    client.put_object(Bucket=bucket, Key=key, Body=b"[")
    with pytest.raises(UsageError, match="is damaged; restore it"):
        open_archive(url).position(STRAND)


def test_filtered_blocks_are_refused(url: str, client: Any, bucket: str) -> None:
    """Nothing is written then."""
    block = Block(BLOCKS[0].summary, BLOCKS[0].revisions, Filtered({}))
    with pytest.raises(SinkRefusedError, match="a filter changed it"):
        apply(open_archive(url), [block])
    assert [] == keys(client, bucket)


def test_damaged_or_lost_objects_are_not_written_anew(
    url: str, client: Any, bucket: str, scheme: str
) -> None:
    """A redaction that meets them is told, and no damage is laundered."""
    last = next(i for i, b in enumerate(BLOCKS) if b.summary.redaction_info is not None)
    sink = open_archive(url)
    apply(sink, BLOCKS[:last])
    key = f"journals/cars/{STRAND}/{1:012d}.{scheme}"
    found = client.get_object(Bucket=bucket, Key=key)
    data = bytearray(found["Body"].read())
    middle = len(data) // 2
    for damaged in (bytes(data[:middle]), b"x", bytes(data[:middle]) + b"~" + bytes(data[middle:])):
        client.put_object(Bucket=bucket, Key=key, Body=damaged, Metadata=found["Metadata"])
        with pytest.raises(SinkUnavailableError, match="is damaged; restore it"):
            apply(sink, BLOCKS[last:])
    client.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(SinkUnavailableError, match="is gone; restore it"):
        apply(sink, BLOCKS[last:])


KILL = """
import os, signal, sys
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.testing.journals import JournalShape, make_journal

url, left = sys.argv[1], int(sys.argv[2])
blocks = list(make_journal(11, blocks=40, shape=JournalShape(redactions=0.2, deletes=0.1)))
sink = open_sink(url)
client = sink._objects._client

def dying(real):
    def call(**given):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(**given)
        if left == -1:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    return call

client.put_object = dying(client.put_object)
for start in range(0, 40, 10):
    run = blocks[start : start + 10]
    last = run[-1]
    at = Position(last.address.strand_id, last.address.sequence_no, last.block_hash, start=0)
    sink.apply(run, at, 0)
"""


def test_a_kill_at_any_request_loses_nothing_and_repeats_nothing(
    url: str, client: Any, bucket: str, tmp_path: Path
) -> None:
    """Killed before or after a request, and started again until it ends, it is like a clean run."""
    small = f"{url}?object_bytes=20000"
    for step in (1, 2, 3, 0, 4, 2):
        done = subprocess.run([sys.executable, "-c", KILL, small, str(step)], check=False)
        assert done.returncode in (0, -signal.SIGKILL)
    done = subprocess.run([sys.executable, "-c", KILL, url, "9999"], check=False)
    assert 0 == done.returncode
    assert ERASED == blocks_of(client, bucket, tmp_path)

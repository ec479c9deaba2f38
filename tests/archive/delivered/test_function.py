"""The same five parts in a bucket, delivered by the archive's Lambda function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from qldb_stream.aws import archive
from qldb_stream.ledger import Ledger
from tests.archive.delivered.places import Place, compared
from tests.archive.parts import BLOCKS
from tests.aws.events import Context, metric_lines

Deploy = Callable[..., None]


@pytest.fixture
def keys(s3: Any, bucket: str, parts: Path) -> list[str]:
    """The keys of the archive's objects in the bucket, the manifests' too."""
    files = sorted(file for file in parts.rglob("*") if file.is_file())
    found = [file.relative_to(parts).as_posix() for file in files]
    for key, file in zip(found, files, strict=True):
        s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    return found


def created(bucket: str, key: str) -> dict[str, Any]:
    """What S3 tells of an object, by EventBridge."""
    return {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key, "version-id": ""}},
    }


def take(bucket: str, keys: list[str]) -> int:
    """Tell the function of objects, one after the other; count the blocks that it applied."""
    with metric_lines():
        answers = [archive.handler(created(bucket, key), Context()) for key in keys]
    return sum(answer["applied"] for answer in answers)


@pytest.mark.parametrize("place", ["sqlite", "mirrored"], indirect=True)
def test_object_by_object(
    deploy: Deploy, place: Place, bucket: str, keys: list[str], ledger: Ledger
) -> None:
    """Objects in any order, each of them twice, those in JSON at last: all is there, as it was."""
    deploy(SINK=place.url)
    order = [*keys, *keys]
    Random(3).shuffle(order)
    order.sort(key=lambda key: key.startswith("json/"))
    assert BLOCKS == take(bucket, order)
    place.check(ledger)


def test_what_only_json_had_by_then(
    deploy: Deploy, sqlite: Place, bucket: str, keys: list[str], ledger: Ledger, scratch: Path
) -> None:
    """A block is not held back for a better copy: then one document is what JSON says of it."""
    deploy(SINK=sqlite.url)
    order = sorted(keys, key=lambda key: not key.startswith("json/"))
    assert BLOCKS == take(bucket, order)
    found = compared(sqlite.url, ledger, scratch).differences
    assert {("altered", 32), ("current_altered", 32)} == {
        (one.code.value, one.sequence_no) for one in found
    }


@pytest.mark.parametrize(
    ("place", "name"), [("mirrored", "json/"), ("sqlite", "0/")], indirect=["place"]
)
def test_a_whole_prefix(
    deploy: Deploy, place: Place, s3: Any, bucket: str, keys: list[str], ledger: Ledger, name: str
) -> None:
    """
    A run over everything below a prefix delivers it, and another one finds nothing to do.

    Whatever the objects in JSON are called, they come last.
    """
    for key in keys:
        if key.startswith("json/") and name != "json/":
            source = {"Bucket": bucket, "Key": key}
            s3.copy_object(Bucket=bucket, Key=key.replace("json/", name, 1), CopySource=source)
            s3.delete_object(Bucket=bucket, Key=key)
    deploy(SINK=place.url)
    with metric_lines():
        answers = [archive.handler({"bucket": bucket, "prefix": ""}, Context()) for _ in range(2)]
    assert [(True, True, len(keys), BLOCKS), (True, True, len(keys), 0)] == [
        (answer["done"], answer["ok"], answer["objects"], answer["applied"]) for answer in answers
    ]
    place.check(ledger)


def test_a_prefix_in_many_calls(
    deploy: Deploy, mirrored: Place, bucket: str, keys: list[str], ledger: Ledger
) -> None:
    """A call without time takes one object; the next goes on, in either round."""
    deploy(SINK=mirrored.url)
    answer: dict[str, Any] = {"bucket": bucket, "prefix": ""}
    calls = 0
    with metric_lines():
        while answer.get("objects", 0) < len(keys):
            answer = archive.handler(answer, Context(0))
            calls += 1
        answer = archive.handler(answer, Context())
    assert (len(keys), True, BLOCKS) == (calls, answer["done"], answer["applied"])
    mirrored.check(ledger)

"""Exports: the objects that ExportJournalToS3 wrote, and that the parsers read them back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import ExportError, LedgerFileError, UsageError
from qldb_stream.events import Block
from qldb_stream.ion import iter_text, loads
from qldb_stream.ledger import ExportSummary, Ledger, ObjectStore, _export
from qldb_stream.ledger._export_folder import Folder
from qldb_stream.parsers.export import parse_export
from qldb_stream.verification import ChainVerifier
from tests.ledger.support import Clock, make_cars, memory, run

HOUR_MS = 3_600_000
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
ION = ["ion-text", "ion-binary"]


def make_ledger() -> Ledger:
    """Blocks 0 to 2 at noon, 3 and 4 at one o'clock, 5 to 7 at two; every kind of revision."""
    clock = Clock()
    ledger = memory(clock, name="cars")
    (first,) = make_cars(ledger, "A")
    clock.now_ms += HOUR_MS
    run(ledger, "INSERT INTO Car ?", {"vin": "B", "price": 12})
    run(ledger, "UPDATE Car SET vin = 'C' WHERE vin = 'A'")
    clock.now_ms += HOUR_MS
    run(ledger, "DELETE FROM Car WHERE vin = 'B'")
    (table_id,) = run(ledger, "SELECT VALUE tableId FROM information_schema.user_tables")
    address = {"strandId": ledger.strand_id, "sequenceNo": 2}
    run(ledger, "EXEC REDACT_REVISION ?, ?, ?", address, table_id, first)
    run(ledger, "CREATE TABLE Van")
    return ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Such a ledger."""
    with make_ledger() as made:
        yield made


class Bucket:
    """An object store that keeps what is put, in order; the n-th put fails where asked."""

    bucket = "my-bucket"

    def __init__(self, fails_at: int | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self._fails_at = fails_at

    def put(self, key: str, data: bytes) -> None:
        """Keep an object."""
        if len(self.objects) == self._fails_at:
            raise ExportError(key, "no room")
        self.objects[key] = data


def read_manifest(data: bytes, output_format: str) -> Any:
    """Read a manifest in the format of its export."""
    if output_format == "json":
        return json.loads(data)
    if output_format == "ion-binary":
        return loads(data)
    (value,) = iter_text(data)
    return value.decode()


def read_blocks(bucket: Bucket, summary: ExportSummary, output_format: str) -> list[Block]:
    """Read what the final manifest lists."""
    manifest = read_manifest(bucket.objects[summary.manifest_key], output_format)
    return [block for key in manifest["keys"] for block in parse_export(bucket.objects[key])]


@pytest.mark.parametrize("output_format", [*ION, "json"])
def test_names_and_manifests(ledger: Ledger, output_format: str) -> None:
    """Keys and manifests are those of facts 3.2; the final manifest comes last."""
    bucket = Bucket()
    summary = ledger.export(bucket, output_format=output_format, prefix="out/")
    extension = "json" if output_format == "json" else "ion"
    strand_id, export_id = ledger.strand_id, summary.export_id
    data_keys = [
        f"out/2024/05/06/12/{strand_id}.0-2.{extension}",
        f"out/2024/05/06/13/{strand_id}.3-4.{extension}",
        f"out/2024/05/06/14/{strand_id}.5-7.{extension}",
    ]
    final_key = f"out/{export_id}.{strand_id}.completed.manifest"
    assert [f"out/{export_id}.started.manifest", *data_keys, final_key] == list(bucket.objects)
    assert all(re.fullmatch(r"^.*\.[0-9]*-[0-9]*\.[a-zA-Z0-9]*$", key) for key in data_keys)

    started = read_manifest(bucket.objects[f"out/{export_id}.started.manifest"], output_format)
    assert [
        "ledgerName",
        "exportId",
        "inclusiveStartTime",
        "exclusiveEndTime",
        "bucket",
        "prefix",
        "objectEncryptionType",
        "outputFormat",
    ] == list(started)
    names = {"ion-text": "ION_TEXT", "ion-binary": "ION_BINARY", "json": "JSON"}
    assert ("cars", export_id, "my-bucket", "out/", "NO_ENCRYPTION", names[output_format]) == (
        started["ledgerName"],
        started["exportId"],
        started["bucket"],
        started["prefix"],
        started["objectEncryptionType"],
        started["outputFormat"],
    )
    assert {"keys": data_keys} == read_manifest(bucket.objects[final_key], output_format)
    sizes = sum(len(bucket.objects[key]) for key in data_keys)
    assert ExportSummary(export_id, 8, 0, 7, 3, sizes, final_key) == summary
    assert (True, 8) == (summary.as_json()["ok"], summary.as_json()["blocks"])


@pytest.mark.parametrize("output_format", ION)
def test_what_is_written_is_read_back(ledger: Ledger, output_format: str) -> None:
    """The parsers give the ledger's own blocks, which verify up to its digest."""
    bucket = Bucket()
    summary = ledger.export(bucket, output_format=output_format)
    blocks = read_blocks(bucket, summary, output_format)
    assert list(ledger.blocks()) == blocks
    verifier = ChainVerifier()
    assert all(verifier.feed(block).ok for block in blocks)
    assert ledger.digest().digest == verifier.digest(ledger.strand_id)


def test_json_is_one_block_a_line(ledger: Ledger) -> None:
    """Hashes are base64, times are strings, a redacted revision has dataHash and no data."""
    bucket = Bucket()
    ledger.export(bucket, output_format="json")
    data = [data for key, data in bucket.objects.items() if key.endswith(".json")]
    blocks = [json.loads(line) for one in data for line in one.decode().splitlines()]
    assert list(range(8)) == [block["blockAddress"]["sequenceNo"] for block in blocks]
    assert "2024-05-06T12:00:00.000Z" == blocks[0]["blockTimestamp"]
    assert [44] * 8 == [len(block["blockHash"]) for block in blocks]
    assert ["blockAddress", "hash", "dataHash", "metadata"] == list(blocks[2]["revisions"][0])
    assert {"vin": "B", "price": 12} == blocks[3]["revisions"][0]["data"]
    assert "redactionInfo" in blocks[6]


@pytest.mark.parametrize(
    ("expected", "start", "end"),
    [
        (range(8), None, None),
        (range(3, 8), NOON + timedelta(microseconds=1), None),
        (range(8), NOON, None),
        (range(3), None, NOON + timedelta(hours=1)),
        (range(3, 5), NOON + timedelta(hours=1), NOON + timedelta(hours=2)),
        (range(5), None, NOON + timedelta(hours=1, microseconds=1)),
        (range(0), NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)),
        (range(0), NOON - timedelta(days=2), NOON - timedelta(days=1)),
    ],
)
def test_a_range_is_half_open(
    ledger: Ledger, expected: range, start: datetime | None, end: datetime | None
) -> None:
    """The start is included, the end is not; an empty range has a manifest without keys."""
    bucket = Bucket()
    summary = ledger.export(bucket, output_format="ion-binary", start=start, end=end)
    blocks = read_blocks(bucket, summary, "ion-binary")
    assert list(expected) == [block.address.sequence_no for block in blocks]
    assert (min(expected, default=None), max(expected, default=None)) == (
        summary.first,
        summary.last,
    )
    assert (summary.objects == 0) == (not expected)


def test_an_empty_ledger_has_an_empty_export() -> None:
    """Two manifests, the second without keys."""
    with memory() as ledger:
        bucket = Bucket()
        summary = ledger.export(bucket)
        assert (0, 2) == (summary.blocks, len(bucket.objects))
        assert {"keys": []} == read_manifest(bucket.objects[summary.manifest_key], "ion-text")


def test_objects_are_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object is closed as soon as it is long enough, whatever the hour."""
    monkeypatch.setattr(_export, "_OBJECT_BYTES", 1)
    bucket = Bucket()
    summary = ledger.export(bucket, output_format="ion-binary")
    assert (8, 10) == (summary.objects, len(bucket.objects))
    assert list(ledger.blocks()) == read_blocks(bucket, summary, "ion-binary")


def test_a_folder_stands_for_a_bucket(ledger: Ledger, tmp_path: Path) -> None:
    """Keys are paths in it; its name is the bucket's; nothing else is left behind."""
    folder = tmp_path / "made" / "archive"
    summary = ledger.export(folder, prefix="p-")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    strand_id = ledger.strand_id
    assert [
        f"p-{summary.export_id}.{strand_id}.completed.manifest",
        f"p-{summary.export_id}.started.manifest",
        f"p-2024/05/06/12/{strand_id}.0-2.ion",
        f"p-2024/05/06/13/{strand_id}.3-4.ion",
        f"p-2024/05/06/14/{strand_id}.5-7.ion",
    ] == files
    (started,) = iter_text((folder / f"p-{summary.export_id}.started.manifest").read_bytes())
    assert "archive" == started.decode()["bucket"]
    assert isinstance(Bucket(), ObjectStore)


def test_an_object_that_cannot_be_stored(ledger: Ledger, tmp_path: Path) -> None:
    """The export ends there, without a final manifest, and leaves no half-written file."""
    bucket = Bucket(fails_at=2)
    with pytest.raises(ExportError, match="no room"):
        ledger.export(bucket)
    assert not any(key.endswith("completed.manifest") for key in bucket.objects)

    (tmp_path / "2024").write_text("in the way")
    with pytest.raises(ExportError, match="2024/05/06/12"):
        ledger.export(tmp_path)
    assert not list(tmp_path.glob("*completed*"))

    blocked = tmp_path / "blocked"
    Folder(blocked).put("x", b"data")
    with pytest.raises(ExportError):
        Folder(blocked).put("x/y", b"data")
    assert ["x"] == [path.name for path in blocked.iterdir()]

    (tmp_path / "folder" / "key").mkdir(parents=True)
    (tmp_path / "folder" / "key" / "inside").touch()
    with pytest.raises(ExportError):
        Folder(tmp_path / "folder").put("key", b"data")
    assert ["key"] == [path.name for path in (tmp_path / "folder").iterdir()]


@pytest.mark.parametrize(
    ("problem", "settings"),
    [
        ("formats are ion-text, ion-binary, json, not 'xml'", {"output_format": "xml"}),
        ("a prefix", {"prefix": "/etc/"}),
        ("a prefix", {"prefix": "a/../../b"}),
        ("a prefix", {"prefix": "./a"}),
        ("a prefix", {"prefix": "a//b"}),
        ("a prefix", {"prefix": "x" * 129}),
        ("needs a time zone", {"start": datetime(2024, 5, 6)}),  # noqa: DTZ001 - what is refused
        ("needs a time zone", {"end": datetime(2024, 5, 6)}),  # noqa: DTZ001 - what is refused
        ("before its end", {"start": NOON, "end": NOON}),
        ("not in the future", {"end": NOON + timedelta(hours=3)}),
    ],
)
def test_what_makes_no_sense_is_refused(
    ledger: Ledger, problem: str, settings: dict[str, Any]
) -> None:
    """Before anything is written."""
    bucket = Bucket()
    with pytest.raises(UsageError, match=problem):
        ledger.export(bucket, **settings)
    assert {} == bucket.objects


def test_a_closed_ledger_is_not_exported(ledger: Ledger) -> None:
    """It says so."""
    ledger.close()
    with pytest.raises(LedgerFileError, match="closed"):
        ledger.export(Bucket())

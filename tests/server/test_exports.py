"""Exports over the control plane: what a client may ask for, and what it then finds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from qldb_stream.errors import ExportError
from qldb_stream.ion import iter_text
from qldb_stream.ledger import ObjectStore
from qldb_stream.parsers.export import parse_export
from qldb_stream.server import Targets
from qldb_stream.server._jobs import KEPT_MS
from qldb_stream.server._metadata import EXPORT, Job
from tests.server.at_work import ROLE, everywhere, serving, until
from tests.server.support import READER, Desk, Got, Talk

EXPORTS = "/ledgers/{name}/journal-s3-exports"
ALL = "/journal-s3-exports"
BODY: dict[str, Any] = {
    "InclusiveStartTime": 0,
    "ExclusiveEndTime": 1_714_996_800,
    "RoleArn": ROLE,
    "S3ExportConfiguration": {
        "Bucket": "archive",
        "Prefix": "cars/",
        "EncryptionConfiguration": {"ObjectEncryptionType": "NO_ENCRYPTION"},
    },
}


def changed(**members: Any) -> dict[str, Any]:
    """The request with other members; those of the configuration by their own names."""
    configuration = dict(BODY["S3ExportConfiguration"])
    inner = {name: members.pop(name) for name in tuple(members) if name in configuration}
    return {**BODY, "S3ExportConfiguration": configuration | inner, **members}


def encrypted(kind: Any, **more: Any) -> dict[str, Any]:
    """An EncryptionConfiguration."""
    return {"ObjectEncryptionType": kind, **more}


def status_of(desk: Desk, job_id: str) -> str:
    """An export's status."""
    got = desk.call("GET", f"{EXPORTS}/{{id}}", name="cars", id=job_id)
    return str(got.body["ExportDescription"]["Status"])


def wrong(got: Got) -> tuple[int, str]:
    """The status and the parameter that an answer names."""
    return got.status, got.body["ParameterName"]


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """The folder that the owner allows."""
    return tmp_path / "exports"


@pytest.fixture
def desk(tmp_path: Path, exports: Path) -> Iterator[Desk]:
    """A server without sockets that may export, with a ledger `cars` of two blocks."""
    (tmp_path / "ledgers").mkdir()
    desk = Desk(tmp_path / "ledgers", targets=Targets(exports))
    desk.make_ledger()
    talk = Talk(desk)
    talk.run(("CREATE TABLE Car",))
    talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    desk.clock.now_ms += 1000
    yield desk
    desk.close()


# --- with boto3 ----------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", [None, "ION_TEXT", "ION_BINARY", "JSON"])
def test_a_folder_stands_for_a_bucket(
    tmp_path: Path, exports: Path, output_format: str | None
) -> None:
    """The journal is there in the format asked for, under the export's id, and is described."""
    with serving(tmp_path, Targets(exports)) as client:
        wanted = {
            "InclusiveStartTime": datetime(2020, 1, 1, tzinfo=UTC),
            "ExclusiveEndTime": datetime.now(UTC),
            "RoleArn": ROLE,
            "S3ExportConfiguration": {
                "Bucket": "archive",
                "Prefix": "old/",
                "EncryptionConfiguration": encrypted("SSE_S3"),
            },
        }
        if output_format is not None:
            wanted["OutputFormat"] = output_format
        job_id = client.export_journal_to_s3(Name="cars", **wanted)["ExportId"]

        def describe() -> Any:
            found = client.describe_journal_s3_export(Name="cars", ExportId=job_id)
            return found["ExportDescription"]

        until(lambda: describe()["Status"], "COMPLETED")
        told = describe()
        assert ("cars", job_id) == (told["LedgerName"], told["ExportId"])
        for name in ("RoleArn", "S3ExportConfiguration", "InclusiveStartTime"):
            assert wanted[name] == told[name]
        assert output_format == told.get("OutputFormat")
        assert [told] == client.list_journal_s3_exports_for_ledger(Name="cars")["JournalS3Exports"]
        assert [told] == client.list_journal_s3_exports()["JournalS3Exports"]
    manifest = exports / "archive/old" / f"{job_id}.started.manifest"
    if output_format != "ION_BINARY":
        (started,) = iter_text(manifest.read_text())
        assert "SSE_S3" == started.decode()["objectEncryptionType"]
    if output_format != "JSON":
        numbers = [
            block.address.sequence_no
            for data in sorted((exports / "archive/old").rglob("*.ion"))
            for block in parse_export(data.read_bytes())
        ]
        # botocore cuts a time to its second, and the ledger was made in this one or the last
        assert numbers == list(range(len(numbers)))


def test_s3_is_written_with_the_encryption_asked_for(aws: str, tmp_path: Path) -> None:
    """Objects are in the bucket, and S3 says how they are encrypted."""
    import boto3

    s3 = boto3.client("s3", endpoint_url=aws)
    s3.create_bucket(
        Bucket="exported", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    with serving(tmp_path, everywhere(aws, tmp_path / "exports")) as client:

        def export(kind: str, **more: Any) -> str:
            configuration = {
                "Bucket": "exported",
                "Prefix": kind,
                "EncryptionConfiguration": encrypted(kind, **more),
            }
            answer = client.export_journal_to_s3(
                Name="cars",
                InclusiveStartTime=datetime(2020, 1, 1, tzinfo=UTC),
                ExclusiveEndTime=datetime.now(UTC),
                RoleArn=ROLE,
                S3ExportConfiguration=configuration,
            )
            until(
                lambda: client.describe_journal_s3_export(Name="cars", ExportId=answer["ExportId"])[
                    "ExportDescription"
                ]["Status"],
                "COMPLETED",
            )
            return f"{kind}{answer['ExportId']}.started.manifest"

        plain = s3.head_object(Bucket="exported", Key=export("NO_ENCRYPTION"))
        assert "aws:kms" != plain.get("ServerSideEncryption")
        assert (
            "AES256"
            == (s3.head_object(Bucket="exported", Key=export("SSE_S3"))["ServerSideEncryption"])
        )
        key = "arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012"
        found = s3.head_object(Bucket="exported", Key=export("SSE_KMS", KmsKeyArn=key))
        assert ("aws:kms", key) == (found["ServerSideEncryption"], found["SSEKMSKeyId"])
    assert not (tmp_path / "exports/exported").exists()


def test_a_folder_that_is_there_comes_before_s3(aws: str, tmp_path: Path) -> None:
    """Where both are allowed, a sub-folder's name is the folder."""
    folder = tmp_path / "exports" / "archive"
    folder.mkdir(parents=True)
    targets = everywhere(aws, tmp_path / "exports")
    desk = Desk(tmp_path, targets=targets)
    desk.make_ledger()
    desk.clock.now_ms += 1000
    job_id = desk.call("POST", EXPORTS, BODY, name="cars").body["ExportId"]
    until(lambda: status_of(desk, job_id), "COMPLETED")
    assert 2 == len(list((folder / "cars").iterdir()))
    desk.close()


def test_a_bucket_that_is_not_there_ends_the_export(
    aws: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is CANCELLED; the log says why."""
    desk = Desk(tmp_path, targets=everywhere(aws))
    desk.make_ledger()
    job_id = desk.call("POST", EXPORTS, changed(Bucket="nowhere"), name="cars").body["ExportId"]
    until(lambda: status_of(desk, job_id), "CANCELLED")
    assert "NoSuchBucket" in caplog.text
    desk.close()


def test_boto3_knows_the_refusals(tmp_path: Path) -> None:
    """An export that the owner has not allowed names the option."""
    with (
        serving(tmp_path, Targets()) as client,
        pytest.raises(ClientError, match="--exports DIR") as caught,
    ):
        client.export_journal_to_s3(Name="cars", **BODY)
    assert "InvalidParameterException" == caught.value.response["Error"]["Code"]


# --- what may be asked for -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (changed(InclusiveStartTime=None), "InclusiveStartTime"),
        (changed(InclusiveStartTime="2020-01-01"), "InclusiveStartTime"),
        (changed(InclusiveStartTime=True), "InclusiveStartTime"),
        (changed(InclusiveStartTime=1_714_996_800), "InclusiveStartTime"),
        (changed(InclusiveStartTime=-1e300), "InclusiveStartTime"),
        (changed(ExclusiveEndTime=1_714_996_802), "ExclusiveEndTime"),
        (changed(ExclusiveEndTime=10**400), "ExclusiveEndTime"),
        (changed(RoleArn="short"), "RoleArn"),
        (changed(RoleArn="a" * 1601), "RoleArn"),
        (changed(OutputFormat="CSV"), "OutputFormat"),
        (changed(S3ExportConfiguration=[]), "S3ExportConfiguration"),
        (changed(Bucket=None), "Bucket"),
        (changed(Bucket="../up"), "Bucket"),
        (changed(Bucket="a..b"), "Bucket"),
        (changed(Bucket="UPPER"), "Bucket"),
        (changed(Bucket="a/b/c"), "Bucket"),
        (changed(Prefix=None), "Prefix"),
        (changed(Prefix="../"), "Prefix"),
        (changed(Prefix="a/../../b"), "Prefix"),
        (changed(Prefix="/etc/"), "Prefix"),
        (changed(Prefix="c:x"), "Prefix"),
        (changed(Prefix="a\\b"), "Prefix"),
        (changed(Prefix="a\n"), "Prefix"),
        (changed(Prefix="a" * 129), "Prefix"),
        (changed(EncryptionConfiguration=None), "EncryptionConfiguration"),
        (changed(EncryptionConfiguration=encrypted("ROT13")), "ObjectEncryptionType"),
        (changed(EncryptionConfiguration=encrypted("SSE_KMS")), "ObjectEncryptionType"),
        (changed(EncryptionConfiguration=encrypted("SSE_S3", KmsKeyArn="a" * 20)), "KmsKeyArn"),
        (changed(EncryptionConfiguration=encrypted("SSE_KMS", KmsKeyArn="a")), "KmsKeyArn"),
    ],
)
def test_a_wrong_parameter_is_named(
    desk: Desk, exports: Path, body: dict[str, Any], parameter: str
) -> None:
    """Nothing is begun, and nothing is written."""
    got = desk.call("POST", EXPORTS, body, name="cars")
    assert (400, parameter) == wrong(got)
    assert {"JournalS3Exports": []} == desk.call("GET", ALL).body
    assert not exports.exists()


def test_a_ledger_must_be_there(desk: Desk) -> None:
    """Before anything else is looked at."""
    assert 404 == desk.call("POST", EXPORTS, BODY, name="none").status
    assert 404 == desk.call("GET", f"{EXPORTS}/{{id}}", name="none", id="x").status


def test_a_key_that_may_only_read_starts_nothing(tmp_path: Path) -> None:
    """It may list and describe, as the table of operations says."""
    desk = Desk(tmp_path, keys={READER.access_key: READER}, targets=Targets(tmp_path / "exports"))
    desk.make_ledger()
    assert 403 == desk.call("POST", EXPORTS, BODY, name="cars").status
    desk.close()


# --- how many, and how long ------------------------------------------------------------------


class Gate:
    """A bucket whose objects wait until it is opened; stands for a slow S3."""

    bucket = "archive"

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.opened = threading.Event()
        self.keys: list[str] = []

    def put(self, key: str, _data: bytes) -> None:
        """Wait, then note the key."""
        self.reached.release()
        if not self.opened.wait(60):
            raise ExportError(key, "nobody opened the gate")
        self.keys.append(key)

    def open_bucket(self, _bucket: str, _encryption: str, _key: str | None) -> ObjectStore:
        """Be every bucket."""
        return self


@pytest.fixture
def gate() -> Gate:
    """A slow S3."""
    return Gate()


def make_desk(folder: Path, gate: Gate, **settings: Any) -> Desk:
    """A desk that exports to a gate."""
    desk = Desk(folder, targets=Targets(open_bucket=gate.open_bucket), **settings)
    if "cars" not in desk.ledgers.names():
        desk.make_ledger()
        desk.make_ledger("trucks")
    return desk


@pytest.mark.parametrize(("limits", "refused"), [("qldb", True), ("off", False)])
def test_a_ledger_has_two_at_once(tmp_path: Path, gate: Gate, limits: str, refused: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A third is refused, another ledger's is not, and one that ends makes room."""
    desk = make_desk(tmp_path, gate, limits=limits)
    first = [desk.call("POST", EXPORTS, BODY, name="cars").body["ExportId"] for _ in range(2)]
    third = desk.call("POST", EXPORTS, BODY, name="cars")
    assert (400 if refused else 200) == third.status
    if refused:
        assert ("LimitExceededException", "JournalS3Export") == (
            third.error[0],
            third.body["ResourceType"],
        )
    assert 200 == desk.call("POST", EXPORTS, BODY, name="trucks").status
    assert "IN_PROGRESS" == status_of(desk, first[0])
    gate.opened.set()
    for job_id in first:
        until(partial(status_of, desk, job_id), "COMPLETED")
    assert 200 == desk.call("POST", EXPORTS, BODY, name="cars").status
    desk.close()


@pytest.mark.parametrize("bound", ["MAX_JOBS", "MAX_KEPT"])
def test_a_server_has_its_own_bounds(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """Of those at work, and of those remembered."""
    monkeypatch.setattr(f"qldb_stream.server._jobs.{bound}", 1)
    desk = make_desk(tmp_path, gate, limits="off")
    assert 200 == desk.call("POST", EXPORTS, BODY, name="cars").status
    assert "LimitExceededException" == desk.call("POST", EXPORTS, BODY, name="trucks").error[0]
    gate.opened.set()
    desk.close()


def test_they_are_told_for_seven_days(desk: Desk) -> None:
    """Then nobody knows of it; the data stays."""
    job_id = desk.call("POST", EXPORTS, BODY, name="cars").body["ExportId"]
    until(lambda: status_of(desk, job_id), "COMPLETED")
    desk.clock.now_ms += KEPT_MS
    assert "COMPLETED" == status_of(desk, job_id)
    desk.clock.now_ms += 1
    assert 404 == desk.call("GET", f"{EXPORTS}/{{id}}", name="cars", id=job_id).status
    assert {"JournalS3Exports": []} == desk.call("GET", ALL).body


def test_they_are_listed_by_pages(desk: Desk) -> None:
    """Oldest first, of one ledger or of all."""
    desk.make_ledger("trucks")
    ids = []
    for ledger in ("cars", "trucks", "cars"):
        ids.append(desk.call("POST", EXPORTS, BODY, name=ledger).body["ExportId"])
        until(desk.jobs.count, 0)
        desk.clock.now_ms += 1

    def page(path: str, query: str, **places: str) -> tuple[list[str], str]:
        body = desk.call("GET", path, query=query, **places).body
        found = [export["ExportId"] for export in body["JournalS3Exports"]]
        return found, body.get("NextToken", "").replace("=", "%3D")

    first, token = page(ALL, "max_results=2")
    assert ids[:2] == first
    assert (ids[2:], "") == page(ALL, f"max_results=2&next_token={token}")
    assert ([ids[0], ids[2]], "") == page(EXPORTS, "", name="cars")


# --- ends before its end ---------------------------------------------------------------------


def test_a_stop_ends_an_export(tmp_path: Path, gate: Gate) -> None:
    """Before its next object; it is CANCELLED, and there is no final manifest."""
    desk = make_desk(tmp_path, gate)
    job_id = desk.call("POST", EXPORTS, BODY, name="cars").body["ExportId"]
    assert gate.reached.acquire(timeout=60)
    assert not desk.jobs.stop(0)
    refused = desk.call("POST", EXPORTS, BODY, name="trucks")
    assert "LimitExceededException" == refused.error[0]
    gate.opened.set()
    assert desk.jobs.stop(60)
    assert "CANCELLED" == status_of(desk, job_id)
    assert [f"cars/{job_id}.started.manifest"] == gate.keys
    desk.close()


def test_a_restart_gives_half_done_exports_up(tmp_path: Path, gate: Gate) -> None:
    """Nobody goes on with one whose server was killed."""
    desk = make_desk(tmp_path, gate)
    job = Job("E" * 22, EXPORT, "cars", desk.clock(), "IN_PROGRESS", {"start_ms": 0, "end_ms": 1})
    desk.ledgers.metadata.add_job(job)
    desk.jobs.resume()
    (found,) = desk.ledgers.metadata.jobs(EXPORT)
    assert ("CANCELLED", desk.clock()) == (found.status, found.ended_ms)
    desk.close()


def test_deleting_a_ledger_ends_its_exports(tmp_path: Path, gate: Gate) -> None:
    """They are forgotten with it."""
    desk = make_desk(tmp_path, gate)
    desk.call("PATCH", "/ledgers/{name}", {"DeletionProtection": False}, name="cars")
    desk.call("POST", EXPORTS, BODY, name="cars")
    assert gate.reached.acquire(timeout=60)
    gate.opened.set()
    assert 200 == desk.call("DELETE", "/ledgers/{name}", name="cars").status
    assert 0 == desk.jobs.count()
    assert {"JournalS3Exports": []} == desk.call("GET", ALL).body
    desk.close()


def test_a_bug_ends_an_export_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it happened, and nothing that it was about."""

    def break_off(bucket: str, _encryption: str, _key: str | None) -> ObjectStore:
        raise RuntimeError(bucket)

    desk = Desk(tmp_path, targets=Targets(open_bucket=break_off))
    desk.make_ledger()
    job_id = desk.call("POST", EXPORTS, BODY, name="cars").body["ExportId"]
    until(lambda: status_of(desk, job_id), "CANCELLED")
    assert "RuntimeError" in caplog.text
    assert "break_off" in caplog.text
    assert "archive" not in caplog.text
    desk.close()


def test_the_export_is_the_journal(desk: Desk, exports: Path) -> None:
    """Each block is there once, as the parsers read it."""
    job_id = desk.call("POST", EXPORTS, changed(ExclusiveEndTime=1_714_996_801), name="cars").body[
        "ExportId"
    ]
    until(lambda: status_of(desk, job_id), "COMPLETED")
    (data,) = (exports / "archive").rglob("*.ion")
    found = [block.summary.block_hash for block in parse_export(data.read_bytes())]
    wanted = [block.summary.block_hash for block in desk.ledgers.open("cars").blocks()]
    assert wanted == found
    assert 2 == len(found)

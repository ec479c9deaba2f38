"""Exports to S3 over the control plane (facts 3 and 7), and what carries one out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import UsageError
from qldb_stream.ledger import ObjectStore, check_prefix
from qldb_stream.server._call import Call, Plane, page_of
from qldb_stream.server._faults import invalid_parameter, not_found
from qldb_stream.server._jobs import Jobs, Run, Work
from qldb_stream.server._members import choice, moment, required_moment_ms, structure, text
from qldb_stream.server._metadata import EXPORT, Job
from qldb_stream.server._targets import Targets

__all__ = ["describe_export", "export_journal", "list_exports", "make_export_work"]

_FORMATS: Final = {"ION_TEXT": "ion-text", "ION_BINARY": "ion-binary", "JSON": "json"}
_ENCRYPTIONS: Final = ("SSE_S3", "SSE_KMS", "NO_ENCRYPTION")
_ARN_CHARACTERS: Final = (20, 1600)


def export_journal(plane: Plane, call: Call) -> dict[str, Any]:
    """Begin an export; it goes on when this has answered."""
    plane.ledgers.settings(call.name)
    job = Job(
        plane.environment.new_id(),
        EXPORT,
        call.name,
        plane.environment.now_ms(),
        "IN_PROGRESS",
        _read_request(plane, call),
    )
    plane.jobs.start(job)
    return {"ExportId": job.id}


def describe_export(plane: Plane, call: Call) -> dict[str, Any]:
    """Describe an export."""
    plane.ledgers.settings(call.name)
    job = plane.jobs.find(EXPORT, call.name, call.path["id"])
    if job is None:
        raise not_found("JournalS3Export", call.path["id"])
    return {"ExportDescription": _description(job)}


def list_exports(plane: Plane, call: Call) -> dict[str, Any]:
    """List the exports of a ledger, or of all, oldest first, a page at a time."""
    ledger = call.path.get("name")
    if ledger is not None:
        plane.ledgers.settings(ledger)
    jobs, token = page_of(call, plane.jobs.list(EXPORT, ledger), lambda job: job.place)
    return {"JournalS3Exports": [_description(job) for job in jobs], **token}


def make_export_work(targets: Targets) -> Work:
    """Make what carries an export out."""

    def work(jobs: Jobs, run: Run) -> str | None:
        request = run.job.request
        configuration = request["S3ExportConfiguration"]
        target = _Stoppable(targets.open_export(run.job), run)
        with jobs.ledgers.open_reader(run.job.ledger) as ledger:
            try:
                ledger.export(
                    target,
                    output_format=_FORMATS[request.get("OutputFormat", "ION_TEXT")],
                    prefix=configuration["Prefix"],
                    start=moment(request["start_ms"]),
                    end=moment(request["end_ms"]),
                    export_id=run.job.id,
                    encryption=configuration["EncryptionConfiguration"]["ObjectEncryptionType"],
                )
            except _Stopped:
                return "CANCELLED"
        return "COMPLETED"

    return work


class _Stopped(Exception):  # noqa: N818 - no error: the way out of an export that is to end
    pass


class _Stoppable:
    """An object store that takes no more objects when its export is to end."""

    def __init__(self, target: ObjectStore, run: Run) -> None:
        self._target: Final = target
        self._run: Final = run

    @property
    def bucket(self) -> str:
        """Give the bucket's name, as the manifest has it."""
        return self._target.bucket

    def put(self, key: str, data: bytes) -> None:
        """Store an object, unless the export is to end."""
        if self._run.stop.is_set():
            raise _Stopped
        self._target.put(key, data)


def _read_request(plane: Plane, call: Call) -> Mapping[str, Any]:
    """
    Check what is asked for.

    Raises:
        Fault: a member is missing or wrong, or the owner allows no such export.
    """
    plane.targets.check_exports()
    start_ms = required_moment_ms(call.body, "InclusiveStartTime")
    end_ms = required_moment_ms(call.body, "ExclusiveEndTime")
    if end_ms > plane.environment.now_ms():
        raise invalid_parameter("ExclusiveEndTime", "ExclusiveEndTime is not in the future")
    if start_ms >= end_ms:
        raise invalid_parameter("InclusiveStartTime", "it is before ExclusiveEndTime")
    request: dict[str, Any] = {
        "start_ms": start_ms,
        "end_ms": end_ms,
        "RoleArn": text(call.body, "RoleArn", *_ARN_CHARACTERS),
        "S3ExportConfiguration": _read_configuration(call),
    }
    if "OutputFormat" in call.body:
        request["OutputFormat"] = choice(call.body, "OutputFormat", tuple(_FORMATS))
    plane.targets.check_export(request["S3ExportConfiguration"])
    return request


def _read_configuration(call: Call) -> dict[str, Any]:
    given = structure(call.body, "S3ExportConfiguration")
    wanted = structure(given, "EncryptionConfiguration")
    kind = choice(wanted, "ObjectEncryptionType", _ENCRYPTIONS)
    encryption = {"ObjectEncryptionType": kind}
    if "KmsKeyArn" in wanted:
        if kind != "SSE_KMS":
            raise invalid_parameter("KmsKeyArn", "a key goes with SSE_KMS alone")
        encryption["KmsKeyArn"] = text(wanted, "KmsKeyArn", *_ARN_CHARACTERS)
    return {
        "Bucket": text(given, "Bucket", 3, 255),
        "Prefix": _read_prefix(given),
        "EncryptionConfiguration": encryption,
    }


def _read_prefix(given: Mapping[str, Any]) -> str:
    prefix = text(given, "Prefix", 0, 128)
    try:
        check_prefix(prefix)
    except UsageError as exc:
        raise invalid_parameter("Prefix", str(exc)) from exc
    return prefix


def _description(job: Job) -> dict[str, Any]:
    request = job.request
    shown = {
        "LedgerName": job.ledger,
        "ExportId": job.id,
        "ExportCreationTime": job.created_ms / 1000,
        "Status": job.status,
        "InclusiveStartTime": request["start_ms"] / 1000,
        "ExclusiveEndTime": request["end_ms"] / 1000,
        "S3ExportConfiguration": request["S3ExportConfiguration"],
        "RoleArn": request["RoleArn"],
    }
    if "OutputFormat" in request:
        shown["OutputFormat"] = request["OutputFormat"]
    return shown

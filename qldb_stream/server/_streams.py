"""Streams to Kinesis over the control plane (facts 1.7 and 7), and what carries one out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import attrs

from qldb_stream.errors import QldbStreamError, SinkUnavailableError
from qldb_stream.ledger import is_ledger_name
from qldb_stream.server._call import Call, Plane, flag, page_of, stream_arn
from qldb_stream.server._faults import Fault, invalid_parameter, not_found
from qldb_stream.server._jobs import Jobs, Run, Work
from qldb_stream.server._members import (
    moment,
    optional_moment_ms,
    required_moment_ms,
    structure,
    text,
)
from qldb_stream.server._metadata import STREAM, Job
from qldb_stream.server._tags import read_tags
from qldb_stream.server._targets import StreamRequest, Streams, Targets

__all__ = ["cancel_stream", "describe_stream", "list_streams", "make_stream_work", "stream_journal"]

_ACTIVE: Final = "ACTIVE"
_IMPAIRED: Final = "IMPAIRED"
_KIND: Final = "JournalKinesisStream"
_ARN_CHARACTERS: Final = (20, 1600)
# Until an impaired stream is tried again; Kinesis's own retries lie between.
RETRY_S: Final = 30.0


def stream_journal(plane: Plane, call: Call) -> dict[str, Any]:
    """Begin a stream; it goes on until its end, its cancellation or its ledger's."""
    plane.ledgers.settings(call.name)
    tags = read_tags(call.body.get("Tags", {}))
    job = Job(
        plane.environment.new_id(),
        STREAM,
        call.name,
        plane.environment.now_ms(),
        _ACTIVE,
        _read_request(plane, call),
    )
    plane.jobs.start(job)
    if tags:
        plane.ledgers.metadata.put_tags(f"{call.name}/{job.id}", tags)
    return {"StreamId": job.id}


def describe_stream(plane: Plane, call: Call) -> dict[str, Any]:
    """Describe a stream."""
    return {"Stream": _description(_find(plane, call))}


def list_streams(plane: Plane, call: Call) -> dict[str, Any]:
    """List a ledger's streams, oldest first, a page at a time."""
    plane.ledgers.settings(call.name)
    jobs, token = page_of(call, plane.jobs.list(STREAM, call.name), lambda job: job.place)
    return {"Streams": [_description(job) for job in jobs], **token}


def cancel_stream(plane: Plane, call: Call) -> dict[str, Any]:
    """End a stream for good, if it has not ended."""
    job = _find(plane, call)
    if job.ended_ms is not None:
        raise Fault(
            "ResourcePreconditionNotMetException",
            f"the stream is {job.status}, and only one that is active can be canceled",
            412,
            {"ResourceType": _KIND, "ResourceName": job.id},
        )
    plane.jobs.cancel(job)
    return {"StreamId": job.id}


def make_stream_work(targets: Targets) -> Work:
    """Make what carries a stream out."""

    def work(jobs: Jobs, run: Run) -> str | None:
        streams = targets.check_streams()
        request = _stream_request(jobs, run.job)
        with jobs.ledgers.open_reader(run.job.ledger) as ledger:
            health = _Health(jobs, run.job)
            environment = attrs.evolve(jobs.environment, sleep=partial(_wait, run))
            while not run.stop.is_set():
                try:
                    if streams.stream(
                        ledger, request, environment, run.stop.is_set, health.recover
                    ):
                        return "COMPLETED"
                except QldbStreamError as error:
                    health.impair(error, streams)
                    run.stop.wait(RETRY_S)
        return None

    return work


class _Health:
    """Whether a stream is ACTIVE or IMPAIRED; used by its own thread."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs: Final = jobs
        self._job: Final = job
        self._status = job.status

    def impair(self, error: QldbStreamError, streams: Streams) -> None:
        """
        Say that a stream waits until something is mended.

        Raises:
            QldbStreamError: nothing that waiting may mend.
        """
        cause = streams.cause(error)
        if cause is None and not isinstance(error, SinkUnavailableError):
            raise error
        self._status = _IMPAIRED
        self._jobs.change(self._job, _IMPAIRED, cause)

    def recover(self) -> None:
        """Say that a stream goes on."""
        if self._status != _ACTIVE:
            self._status = _ACTIVE
            self._jobs.change(self._job, _ACTIVE)


def _wait(run: Run, wait_s: float) -> None:
    run.stop.wait(wait_s)


def _stream_request(jobs: Jobs, job: Job) -> StreamRequest:
    request = job.request
    end_ms = request["end_ms"]
    return StreamRequest(
        job.id,
        request["KinesisConfiguration"]["StreamArn"],
        moment(request["start_ms"]),
        None if end_ms is None else moment(end_ms),
        request["KinesisConfiguration"]["AggregationEnabled"],
        jobs.ledgers.position_file(job.id),
    )


def _read_request(plane: Plane, call: Call) -> Mapping[str, Any]:
    """
    Check what is asked for.

    Raises:
        Fault: a member is missing or wrong, or the owner allows no streams.
    """
    streams = plane.targets.check_streams()
    name = call.body.get("StreamName")
    if not isinstance(name, str) or not is_ledger_name(name):
        raise invalid_parameter(
            "StreamName", "a stream's name has up to 32 letters, digits and single dashes"
        )
    start_ms = required_moment_ms(call.body, "InclusiveStartTime")
    end_ms = optional_moment_ms(call.body, "ExclusiveEndTime")
    if start_ms > plane.environment.now_ms():
        raise invalid_parameter("InclusiveStartTime", "InclusiveStartTime is not in the future")
    if end_ms is not None and start_ms >= end_ms:
        raise invalid_parameter("InclusiveStartTime", "it is before ExclusiveEndTime")
    return {
        "StreamName": name,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "RoleArn": text(call.body, "RoleArn", *_ARN_CHARACTERS),
        "KinesisConfiguration": _read_configuration(streams, call),
    }


def _read_configuration(streams: Streams, call: Call) -> dict[str, Any]:
    given = structure(call.body, "KinesisConfiguration")
    arn = text(given, "StreamArn", *_ARN_CHARACTERS)
    if not streams.is_arn(arn):
        raise invalid_parameter("StreamArn", "it is the ARN of a Kinesis data stream")
    aggregated = flag(given, "AggregationEnabled", default=True)
    return {"StreamArn": arn, "AggregationEnabled": aggregated}


def _find(plane: Plane, call: Call) -> Job:
    plane.ledgers.settings(call.name)
    job = plane.jobs.find(STREAM, call.name, call.path["id"])
    if job is None:
        raise not_found(_KIND, call.path["id"])
    return job


def _description(job: Job) -> dict[str, Any]:
    request = job.request
    shown = {
        "LedgerName": job.ledger,
        "StreamId": job.id,
        "StreamName": request["StreamName"],
        "Arn": stream_arn(job.ledger, job.id),
        "CreationTime": job.created_ms / 1000,
        "Status": job.status,
        "InclusiveStartTime": request["start_ms"] / 1000,
        "RoleArn": request["RoleArn"],
        "KinesisConfiguration": request["KinesisConfiguration"],
    }
    if request["end_ms"] is not None:
        shown["ExclusiveEndTime"] = request["end_ms"] / 1000
    if job.cause is not None:
        shown["ErrorCause"] = job.cause
    return shown

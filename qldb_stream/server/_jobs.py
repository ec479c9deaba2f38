"""
Exports and streams at work: each in a thread of its own, few of them, on a reader of its own.

Rules: what is known of a job is in the metadata before its thread begins, and outlives the server.
Starting again, the server goes on with the streams that were not ended, from the position that each
keeps (at least once), and calls exports that it finds half done CANCELLED: their final manifest is
missing, which is how readers know (facts 3.2). Stopping, it ends the streams and gives exports the
time that open transactions have. A job reads beside the ledger's transactions and never holds them
up.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from qldb_stream.errors import LedgerFileError, QldbStreamError
from qldb_stream.ledger import Environment
from qldb_stream.server._faults import Fault, invalid_parameter
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._metadata import EXPORT, STREAM, Job

__all__ = ["KEPT_MS", "MAX_JOBS", "MAX_KEPT", "Jobs", "Run", "Work"]

KEPT_MS: Final = 7 * 24 * 3600 * 1000
"""How long it is told what became of a job (facts 1.7 and 3.1)."""

MAX_JOBS: Final = 64
"""How many jobs may be at work in one server, whatever the ledgers' own limits."""

MAX_KEPT: Final = 10_000
"""How many jobs are remembered; more in seven days are refused."""

_AT_ONCE: Final = {EXPORT: 2, STREAM: 5}  # facts 5.8
_KINDS: Final = {EXPORT: "JournalS3Export", STREAM: "JournalKinesisStream"}
# What becomes of a job that fails; an export has no such status (facts 7), the log says why.
_FAILED: Final = {EXPORT: "CANCELLED", STREAM: "FAILED"}
_DELETION_S: Final = 5.0

_log: Final = logging.getLogger("qldb_stream.server")


class Run:
    """
    A job at work, in a thread that begins with it.

    Attributes:
        job: what it is.
        stop: set when it is to end.
    """

    def __init__(self, job: Job, work: Callable[[Run], None]) -> None:
        self.job: Final = job
        self.stop: Final = threading.Event()
        name = f"qldb-stream-{job.kind}-{job.id}"
        self._thread: Final = threading.Thread(target=work, args=(self,), name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; tell whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


Work = Callable[["Jobs", Run], str | None]
"""Carries a job out; gives the status in which it ended, None when it was stopped."""


class Jobs:
    """The exports and streams of a folder's ledgers; for any number of threads."""

    def __init__(
        self,
        ledgers: Ledgers,
        environment: Environment,
        works: Mapping[str, Work],
        *,
        limits: bool = True,
    ) -> None:
        self.ledgers: Final = ledgers
        self.environment: Final = environment
        self._works: Final = works
        self._limits: Final = limits
        self._runs: Final[dict[str, Run]] = {}
        self._lock: Final = threading.Lock()
        self._stopped = False

    def resume(self) -> None:
        """Go on with the streams that were not ended; give the exports up."""
        metadata = self.ledgers.metadata
        for job in metadata.jobs(EXPORT):
            if job.ended_ms is None:
                self.end(job.id, _FAILED[EXPORT])
        for job in metadata.jobs(STREAM):
            if job.ended_ms is None:
                with self._lock:
                    self._begin(job)

    def start(self, job: Job) -> None:
        """
        Keep a new job, and begin it.

        Raises:
            Fault: too many are at work, or were in the last days; an active stream of the
                ledger has the same name.
        """
        self.forget_old()
        with self._lock:
            self._check_room(job)
            self.ledgers.metadata.add_job(job)
            self._begin(job)

    def list(self, kind: str, ledger: str | None) -> list[Job]:
        """List the jobs of a ledger, or of all, that are at work or ended in the last days."""
        self.forget_old()
        return self.ledgers.metadata.jobs(kind, ledger)

    def find(self, kind: str, ledger: str, job_id: str) -> Job | None:
        """Give a ledger's job; None when there is none."""
        self.forget_old()
        job = self.ledgers.metadata.job(job_id)
        return job if job is not None and (job.kind, job.ledger) == (kind, ledger) else None

    def cancel(self, job: Job) -> None:
        """End a stream for good."""
        self.end(job.id, "CANCELED")
        with self._lock:
            run = self._runs.get(job.id)
        if run is not None:
            run.stop.set()

    def change(self, job: Job, status: str, cause: str | None = None) -> None:
        """Say how it stands with a job that goes on."""
        self.ledgers.metadata.change_job(job.id, status, cause=cause)

    def end(self, job_id: str, status: str, cause: str | None = None) -> None:
        """Say how a job ended, unless it had ended before."""
        now_ms = self.environment.now_ms()
        self.ledgers.metadata.change_job(job_id, status, ended_ms=now_ms, cause=cause)

    def end_of_ledger(self, ledger: str) -> None:
        """End a ledger's jobs and forget how far they came; it is about to be deleted."""
        with self._lock:
            runs = [run for run in self._runs.values() if run.job.ledger == ledger]
        _join(runs, _DELETION_S)
        for job in self.ledgers.metadata.jobs(STREAM, ledger):
            self._remove_position(job.id)

    def wind_down(self) -> None:
        """Begin nothing more, and end the streams; they go on when the server starts again."""
        with self._lock:
            self._stopped = True
            for run in self._runs.values():
                if run.job.kind == STREAM:
                    run.stop.set()

    def count(self) -> int:
        """Give how many are at work."""
        return len(self._runs)

    def stop(self, timeout_s: float) -> bool:
        """End all of them; tell whether that was so in time."""
        self.wind_down()
        with self._lock:
            runs = [*self._runs.values()]
        return _join(runs, timeout_s)

    def forget_old(self) -> None:
        """Forget what ended more than seven days ago."""
        before_ms = self.environment.now_ms() - KEPT_MS
        for job_id in self.ledgers.metadata.forget_jobs(before_ms):
            self._remove_position(job_id)

    def _check_room(self, job: Job) -> None:
        """Refuse a job when there are too many; the lock is held."""
        kept = self.ledgers.metadata.jobs(job.kind)
        active = [one for one in kept if one.ended_ms is None]
        of_ledger = [one for one in active if one.ledger == job.ledger]
        if job.kind == STREAM and any(_name(one) == _name(job) for one in of_ledger):
            raise invalid_parameter("StreamName", "another active stream has that name")
        if self._limits and len(of_ledger) >= _AT_ONCE[job.kind]:
            raise _too_many(job.kind, f"a ledger has at most {_AT_ONCE[job.kind]} at once")
        if self._stopped or len(self._runs) >= MAX_JOBS:
            raise _too_many(job.kind, f"the server has at most {MAX_JOBS} at work")
        if len(kept) >= MAX_KEPT:
            raise _too_many(job.kind, f"there were {MAX_KEPT} in the last seven days")

    def _begin(self, job: Job) -> None:
        """Give a job its thread; the lock is held."""
        run = self._runs[job.id] = Run(job, self._work)
        run.start()

    def _work(self, run: Run) -> None:
        """Carry a job out, whatever comes; the thread's whole life."""
        try:
            status = self._carry_out(run)
            if status is not None:
                self.end(run.job.id, status)
        except LedgerFileError as error:  # the metadata was closed by a stop that did not wait
            _log.error("%s %s: %s", run.job.kind, run.job.id, error)
        finally:
            with self._lock:
                self._runs.pop(run.job.id, None)

    def _carry_out(self, run: Run) -> str | None:
        job = run.job
        try:
            status = self._works[job.kind](self, run)
            _log.info("%s %s of %s: %s", job.kind, job.id, job.ledger, status or "stopped")
            return status
        except (QldbStreamError, Fault) as error:
            _log.error("%s %s of %s: %s", job.kind, job.id, job.ledger, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not leave a job at work for ever
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s %s: %s\n%s", job.kind, job.id, type(error).__name__, where)
        return _FAILED[job.kind]

    def _remove_position(self, stream_id: str) -> None:
        with suppress(OSError):  # what cannot be removed may stay
            self.ledgers.position_file(stream_id).unlink(missing_ok=True)


def _join(runs: list[Run], timeout_s: float) -> bool:
    """Tell threads to end, and wait for them; tell whether all did."""
    for run in runs:
        run.stop.set()
    deadline = time.monotonic() + timeout_s
    ended = [run.join(max(0.0, deadline - time.monotonic())) for run in runs]
    return all(ended)


def _name(job: Job) -> str:
    return str(job.request["StreamName"])


def _too_many(kind: str, message: str) -> Fault:
    return Fault("LimitExceededException", message, 400, {"ResourceType": _KINDS[kind]})

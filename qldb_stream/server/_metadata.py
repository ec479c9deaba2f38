"""
What the control plane keeps of ledgers that is not in their files: one SQLite file in the folder.

Strategy: `qldb-stream-server.db` holds creation time, permissions mode, deletion protection and
tags, by ledger name; a ledger file that was put into the folder by hand has QLDB's defaults. It
also holds what is known of exports and streams, which outlive a restart. The file is locked from
opening to closing, so that one server has the folder; a process that dies loses the lock with it.
The format has a version.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.errors import LedgerFileError

__all__ = ["EXPORT", "FILE_NAME", "STREAM", "Job", "LedgerSettings", "Metadata"]

FILE_NAME: Final = "qldb-stream-server.db"

_APPLICATION_ID: Final = 0x51535356  # "QSSV"
EXPORT: Final = "export"
STREAM: Final = "stream"

_VERSION: Final = 2
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = 1;
CREATE TABLE ledger (
    name TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    permissions_mode TEXT NOT NULL,
    deletion_protection INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tag (
    name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;
COMMIT;
"""
# From version 1 to 2: exports and streams.
_JOBS: Final = f"""
BEGIN IMMEDIATE;
PRAGMA user_version = {_VERSION};
CREATE TABLE job (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    ledger TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    status TEXT NOT NULL,
    ended_ms INTEGER,
    cause TEXT,
    request TEXT NOT NULL
) STRICT, WITHOUT ROWID;
COMMIT;
"""
_JOBS_OF: Final = """
SELECT id, kind, ledger, created_ms, status, ended_ms, cause, request FROM job
WHERE kind = ?1 AND (?2 IS NULL OR ledger = ?2) ORDER BY created_ms, id
"""
_ONE_JOB: Final = """
SELECT id, kind, ledger, created_ms, status, ended_ms, cause, request FROM job WHERE id = ?
"""
_ADD_JOB: Final = """
INSERT INTO job (id, kind, ledger, created_ms, status, ended_ms, cause, request)
VALUES (:id, :kind, :ledger, :created_ms, :status, :ended_ms, :cause, :request)
"""


@attrs.frozen
class Job:
    """
    An export or a stream.

    Attributes:
        id: its ExportId or StreamId, 22 characters.
        kind: EXPORT or STREAM.
        ledger: the ledger's name.
        created_ms: ms since 1970 UTC.
        status: as the control plane says it (facts 7).
        request: what was asked for, checked; values of JSON.
        ended_ms: ms since 1970 UTC; None while it is at work, or is to go on.
        cause: a stream's ErrorCause, when there is one.
    """

    id: str
    kind: str
    ledger: str
    created_ms: int
    status: str
    request: Mapping[str, Any]
    ended_ms: int | None = None
    cause: str | None = None

    @property
    def place(self) -> str:
        """Give its place among others, oldest first; a page's token names it."""
        return f"{self.created_ms:016d}-{self.id}"


@attrs.frozen
class LedgerSettings:
    """
    What a ledger is to the control plane.

    Attributes:
        created_ms: ms since 1970 UTC.
        permissions_mode: ALLOW_ALL or STANDARD; kept and told, and of no effect here.
        deletion_protection: whether DeleteLedger is refused.
    """

    created_ms: int
    permissions_mode: str = "ALLOW_ALL"
    deletion_protection: bool = True


class Metadata:
    """The file, open; for any number of threads."""

    def __init__(self, folder: Path) -> None:
        """
        Open the file of a folder, or make it.

        Raises:
            LedgerFileError: it cannot be opened, is something else, or another server has it.
        """
        self._path: Final = folder / FILE_NAME
        self._lock: Final = threading.Lock()
        with _translated(self._path):
            self._connection: Final = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
        try:
            with _translated(self._path):
                self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA synchronous = FULL")
        run("BEGIN EXCLUSIVE")  # with that mode the lock stays after the commit
        run("COMMIT")
        found = run("SELECT * FROM pragma_application_id, pragma_user_version").fetchone()
        if found == (0, 0) and not run("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            self._connection.executescript(_SCHEMA)
            self._connection.executescript(_JOBS)
        elif found == (_APPLICATION_ID, 1):
            self._connection.executescript(_JOBS)
        elif found != (_APPLICATION_ID, _VERSION):
            raise LedgerFileError(
                str(self._path), "it is no file of this server's version; move it away"
            )

    def settings(self, name: str) -> LedgerSettings | None:
        """Give a ledger's settings; None when nothing is kept of it."""
        row = self._ask(
            "SELECT created_ms, permissions_mode, deletion_protection FROM ledger WHERE name = ?",
            name,
        )
        if not row:
            return None
        created_ms, mode, protection = row[0]
        return LedgerSettings(created_ms, mode, bool(protection))

    def put_settings(self, name: str, settings: LedgerSettings) -> None:
        """Keep a ledger's settings; durable when this returns."""
        self._ask(
            "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?)",
            name,
            settings.created_ms,
            settings.permissions_mode,
            int(settings.deletion_protection),
        )

    def tags(self, name: str) -> dict[str, str]:
        """Give a ledger's tags, by key."""
        return dict(self._ask("SELECT key, value FROM tag WHERE name = ? ORDER BY key", name))

    def put_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Keep exactly these tags of a ledger."""
        with self._lock, _translated(self._path):
            run = self._connection.execute
            run("BEGIN")
            run("DELETE FROM tag WHERE name = ?", (name,))
            rows = [(name, key, value) for key, value in tags.items()]
            self._connection.executemany("INSERT INTO tag VALUES (?, ?, ?)", rows)
            run("COMMIT")

    def jobs(self, kind: str, ledger: str | None = None) -> list[Job]:
        """List the exports or streams of a ledger, or of all, oldest first."""
        return [_job(row) for row in self._ask(_JOBS_OF, kind, ledger)]

    def job(self, job_id: str) -> Job | None:
        """Give an export or a stream; None when nothing is kept of it."""
        rows = self._ask(_ONE_JOB, job_id)
        return _job(rows[0]) if rows else None

    def add_job(self, job: Job) -> None:
        """Keep a new export or stream; durable when this returns."""
        values = attrs.asdict(job) | {"request": json.dumps(dict(job.request))}
        self._ask(_ADD_JOB, **values)

    def change_job(
        self, job_id: str, status: str, *, ended_ms: int | None = None, cause: str | None = None
    ) -> None:
        """Say how it stands with an export or stream, unless that has ended."""
        self._ask(
            "UPDATE job SET status = ?, ended_ms = ?, cause = ? WHERE id = ? AND ended_ms IS NULL",
            status,
            ended_ms,
            cause,
            job_id,
        )

    def forget_jobs(self, before_ms: int) -> list[str]:
        """Forget what ended before a time; give the ids, whose tags are forgotten too."""
        rows = self._ask("DELETE FROM job WHERE ended_ms < ? RETURNING id, ledger", before_ms)
        for job_id, ledger in rows:
            self.put_tags(f"{ledger}/{job_id}", {})
        return [job_id for job_id, _ in rows]

    def forget(self, name: str) -> None:
        """Forget a ledger, its exports and its streams."""
        self.put_tags(name, {})
        self._ask("DELETE FROM tag WHERE name GLOB ?", f"{name}/*")
        self._ask("DELETE FROM job WHERE ledger = ?", name)
        self._ask("DELETE FROM ledger WHERE name = ?", name)

    def close(self) -> None:
        """Close the file, and let another server have the folder."""
        with self._lock:
            self._connection.close()

    def _ask(self, sql: str, *values: Any, **named: Any) -> list[Any]:
        with self._lock, _translated(self._path):
            return self._connection.execute(sql, named or values).fetchall()


def _job(row: tuple[Any, ...]) -> Job:
    job_id, kind, ledger, created_ms, status, ended_ms, cause, request = row
    return Job(job_id, kind, ledger, created_ms, status, json.loads(request), ended_ms, cause)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise LedgerFileError(str(path), "another server has this folder open") from exc
        raise LedgerFileError(str(path), str(exc)) from exc

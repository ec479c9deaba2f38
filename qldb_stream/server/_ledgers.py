"""
The ledgers of a folder: each `NAME.ledger` is one, opened when it is first asked for.

Rules: a name is QLDB's (facts 5.8), so that no name leads out of the folder; the file's name is
the ledger's, whatever it was called when it was made. An open ledger stays open: its file has one
writer, this server. Deleting is done under the lock that opening takes, so nobody gets a ledger
that is going.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

from qldb_stream.errors import LedgerFileError, QldbStreamError, UsageError
from qldb_stream.ledger import Environment, Ledger, is_ledger_name
from qldb_stream.server._faults import Fault, internal_failure, no_such_ledger, unusable
from qldb_stream.server._metadata import LedgerSettings, Metadata

__all__ = ["LEDGER_SUFFIX", "MAX_LEDGERS", "Ledgers"]

LEDGER_SUFFIX: Final = ".ledger"
MAX_LEDGERS: Final = 256
"""How many ledgers CreateLedger lets a folder have; QLDB had 5 per account, or more if asked."""

_POSITION: Final = "qldb-stream-server-stream-"
# What SQLite and the ledger keep beside the file while it is open (`Ledger.open`).
_BESIDE: Final = ("-wal", "-shm", "-journal", "-writer")

_log: Final = logging.getLogger("qldb_stream.server")


class Ledgers:
    """A folder's ledgers and what the control plane keeps of them; for any number of threads."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Environment,
        limits: str = "qldb",
        extensions: str = "off",
        journal_reads: str = "off",
    ) -> None:
        """
        Take a folder; no ledger is opened yet.

        Raises:
            LedgerFileError: another server has it, or its metadata cannot be read.
            UsageError: there is no such folder.
        """
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}")
        self.metadata: Final = Metadata(folder)
        self._folder: Final = folder
        self._limits: Final = limits
        self._extensions: Final = extensions
        self._journal_reads: Final = journal_reads
        self._environment: Final = environment
        self._open: Final[dict[str, Ledger]] = {}
        self._lock: Final = threading.RLock()

    def names(self) -> list[str]:
        """List the ledgers' names in order."""
        try:
            files = {file.stem for file in self._folder.iterdir() if file.suffix == LEDGER_SUFFIX}
        except OSError as exc:
            raise LedgerFileError(str(self._folder), f"{exc.strerror}") from exc
        return sorted(filter(is_ledger_name, files))

    def settings(self, name: str) -> LedgerSettings:
        """
        Give what the control plane keeps of a ledger, or QLDB's defaults.

        Raises:
            Fault: there is no such ledger.
        """
        file = self._file(name)
        try:
            changed_s = file.stat().st_mtime
        except OSError as exc:
            raise no_such_ledger(name) from exc
        return self.metadata.settings(name) or LedgerSettings(int(changed_s * 1000))

    def open(self, name: str) -> Ledger:
        """
        Give a ledger, opened now or before.

        Raises:
            Fault: there is none, or it cannot be opened; the log says why.
        """
        ledger = self._open.get(name)
        if ledger is not None:
            return ledger
        with self._lock:
            if name not in self._open:
                if not self._file(name).is_file():
                    raise no_such_ledger(name)
                self._open[name] = self._open_file(name)
            return self._open[name]

    def open_reader(self, name: str) -> Ledger:
        """
        Open a ledger once more, to read it at length beside its transactions.

        Raises:
            Fault: there is none, or it cannot be opened; the log says why.
            LedgerFileError: it cannot be opened to read.
        """
        self.open(name)  # a reader of ours is never alone with the file
        file = self._file(name)
        return Ledger.open(file, read_only=True, environment=self._environment)

    def position_file(self, stream_id: str) -> Path:
        """Give the file that says how far a stream has come."""
        return self._folder / f"{_POSITION}{stream_id}"

    def create(self, name: str, settings: LedgerSettings, tags: dict[str, str]) -> None:
        """
        Make a ledger.

        Raises:
            Fault: it is there already, there are too many, or it cannot be made.
        """
        with self._lock:
            if self._file(name).exists():
                raise Fault(
                    "ResourceAlreadyExistsException",
                    f"The Ledger with name {name} already exists",
                    409,
                    {"ResourceType": "Ledger", "ResourceName": name},
                )
            if len(self.names()) >= MAX_LEDGERS:
                message = f"there are {MAX_LEDGERS} ledgers, the most there may be"
                raise Fault("LimitExceededException", message, 400, {"ResourceType": "Ledger"})
            self._make_file(name)
            self._open[name] = self._open_file(name)
            self.metadata.put_settings(name, settings)
            self.metadata.put_tags(name, tags)

    def delete(self, name: str) -> None:
        """
        Close a ledger and remove its files; nobody may be using it.

        Raises:
            Fault: the file cannot be removed.
        """
        with self._lock:
            ledger = self._open.pop(name, None)
            if ledger is not None:
                ledger.close()
            file = self._file(name)
            try:
                for suffix in ("", *_BESIDE):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
            except OSError as exc:
                _log.error("ledger %s cannot be removed: %s", name, exc.strerror)
                raise internal_failure(f"the ledger {name} cannot be removed") from exc
            self.metadata.forget(name)

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()
            self.metadata.close()

    def _file(self, name: str) -> Path:
        if not is_ledger_name(name):
            raise no_such_ledger(name[:40])
        return self._folder / f"{name}{LEDGER_SUFFIX}"

    def _make_file(self, name: str) -> None:
        """Make an empty file: one that was not there would go again with an unused ledger."""
        try:
            self._file(name).touch(exist_ok=False)
        except OSError as exc:
            _log.error("ledger %s cannot be made: %s", name, exc.strerror)
            raise internal_failure(f"the ledger {name} cannot be made; see the log") from exc

    def _open_file(self, name: str) -> Ledger:
        file = self._file(name)
        try:
            is_new = not file.stat().st_size
            return Ledger.open(
                file,
                name=name if is_new else None,
                limits=self._limits,
                extensions=self._extensions,
                journal_reads=self._journal_reads,
                environment=self._environment,
            )
        except (QldbStreamError, OSError) as exc:
            _log.error("ledger %s cannot be opened: %s", name, exc)
            raise unusable(name) from exc

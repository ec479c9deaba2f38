"""The embedded ledger: one file, opened, and everything that is asked of it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Self

from qldb_stream.errors import LedgerFileError, UsageError
from qldb_stream.events import Block
from qldb_stream.holding import Found, HeldFile
from qldb_stream.ledger._blocks import iter_journal
from qldb_stream.ledger._driver import Driver
from qldb_stream.ledger._environment import Environment
from qldb_stream.ledger._explain import Explanation, explain_statement
from qldb_stream.ledger._file import connect_reader, connect_writer, hold_writer_lock, let_go
from qldb_stream.ledger._mirror import MirroredBlock
from qldb_stream.ledger._names import is_ledger_name
from qldb_stream.ledger._operations import Operations
from qldb_stream.ledger._options import Options, choose_options
from qldb_stream.ledger._reading import Reading
from qldb_stream.ledger._store import Store
from qldb_stream.ledger._stream import StreamPart, choose_range, iter_parts
from qldb_stream.ledger._transaction import Transaction
from qldb_stream.ledger._writing import Writing

__all__ = ["Ledger"]

_DEFAULT_NAME: Final = "ledger"
# No account and no region: a stream's ARN must only look like one.
_STREAM_ARN: Final = "arn:aws:qldb:us-east-1:000000000000:stream/{name}/{stream_id}"


class Ledger(Operations):
    """
    A QLDB-compatible ledger in a file; made by `Ledger.open`, closed by `close` or `with`.

    One process writes it, any number read it; within a process it is for any number of
    threads and of open transactions. What the control plane did is in `Operations`.
    """

    def __init__(self, journal: Writing | Reading, held: HeldFile | None, name: str) -> None:
        super().__init__(journal, name)
        self._held: Final = held

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        limits: str = "off",
        extensions: str = "off",
        journal_reads: str = "off",
        read_only: bool = False,
        environment: Environment | None = None,
    ) -> Ledger:
        """
        Open a ledger file; make it when there is none.

        Args:
            path: the file, or ":memory:" for a ledger that is gone when closed. Beside it
                stand `PATH-writer`, `PATH-wal` and `PATH-shm` while it is open, and nothing
                when it is closed; PATH is here the file that symlinks lead to.
            name: the ledger's name, "ledger" when it is made without; an existing ledger
                must have it.
            limits: "qldb" keeps QLDB's limits (facts 5.8), "off" none.
            extensions: "on" allows statements that QLDB did not: ORDER BY, LIMIT, OFFSET, GROUP
                BY, HAVING, DISTINCT and CASE; "off" refuses them as it did. It is not stored.
            journal_reads: "on" makes a block of every transaction that ran a statement, as
                QLDB most likely did (facts 2.3, an inference); "off" only of those that
                wrote.
            read_only: do not write, beside one process that may. Nothing is made or
                changed: there is no `PATH-writer`, an absent or empty file is refused, and
                `PATH-wal` and `PATH-shm` are gone again when the last reader closes. What a
                killed writer left in `PATH-wal` is read, and stays there. Where nothing can be
                made beside it, such as on read-only media, a file without a log is read as it
                is, without locks; nobody must write it meanwhile.
            environment: time, ids and waiting.

        Raises:
            LedgerFileError: it cannot be opened, is no ledger, is of a newer version, or
                another writer has it open.
            UsageError: a setting that there is not, or another ledger's name.
        """
        options = choose_options(
            limits=limits,
            extensions=extensions,
            journal_reads=journal_reads,
            read_only=read_only,
            environment=environment,
        )
        if name is not None and not is_ledger_name(name):
            raise UsageError(f"a ledger's name has letters, digits and single dashes: {name!r}")
        file = os.fspath(path)
        held = None if read_only else hold_writer_lock(file)
        journal, stored_name = _open_journal(file, name, options, held)
        return cls(journal, held, stored_name)

    @property
    def path(self) -> str:
        """Give the path that it was opened with."""
        return self._journal.store.path

    @property
    def read_only(self) -> bool:
        """Tell whether it was opened to read only."""
        return isinstance(self._journal, Reading)

    def start_transaction(self, *, read_only: bool = False) -> Transaction:
        """
        Begin a transaction; the caller commits or aborts it.

        Args:
            read_only: refuse whatever is no SELECT.

        Raises:
            LedgerFileError: the file cannot be read, or the ledger is closed.
        """
        self._check_open()
        return Transaction(self._journal, read_only=read_only)

    def driver(self) -> Driver:
        """Give a driver with pyqldb's interface."""
        return Driver(self.start_transaction, self._journal.environment)

    def explain(self, statement: str) -> Explanation:
        """
        Say how a statement would reach its documents, without running it.

        Args:
            statement: its text; parameters stay `?`.

        Returns:
            Per source: by document id, by which index, or by scanning (facts 5.7).

        Raises:
            PartiqlParseError: the text is not PartiQL.
            PartiqlSemanticError: it names a table that is not there, or what cannot be.
            UnsupportedPartiqlError: QLDB did not have it, and extensions do not allow it.
            LedgerFileError: the file cannot be read, or the ledger is closed.
        """
        self._check_open()
        journal = self._journal
        catalog = journal.state().catalog
        return explain_statement(statement, catalog, extensions=journal.extensions)

    def group_commit(self) -> AbstractContextManager[None]:
        """
        Let the transactions that commit inside a `with` become durable together.

        They are one SQLite commit, at the end of the block of code; a crash before loses all
        of them, never some. This thread sees them at once, others when they are durable.
        When the code raises, those that had committed are made durable all the same.

        Raises:
            LedgerFileError: on leaving: they could not be written, and all are lost; on
                entering: the ledger is closed or read-only.
        """
        self._check_open()
        return self._journal.group_commit()

    def mirror(self, block: Block, *, token: int = 0) -> MirroredBlock | None:
        """
        Store a block of another ledger's journal as it is: hashes, ids, times and all.

        Old digests and proofs verify against a mirror. It begins at block 0 of an empty
        ledger, which takes on the strand's id, and has no gaps. Transactions of its own
        continue the same chain; from the first one on it takes no more blocks. A redaction
        erases the older revision's data here too. A block that is there already is passed
        over, but for data that it shows as redacted, which is erased then. Inside
        `group_commit()` blocks become durable together.

        Args:
            block: the next one, or one that is there; verified, since only its place in the
                chain and what storing relies on are checked here.
            token: fencing token; a lower one than was used before is refused.

        Returns:
            What it came to; None when the block was there before.

        Raises:
            ReplayRefusedError: the ledger cannot take the block, and why.
            ChainBreakError: its previousBlockHash is not the last block's hash.
            HashMismatchError: its blockHash is not what it is built from.
            ConflictError: another block of that number is there.
            StaleTokenError: a higher token was used.
            LedgerFileError: it could not be written, or the ledger is open read-only.
                After any of these nothing of the block is left.
        """
        self._check_open()
        return self._journal.mirror(block, token)

    @property
    def mirrored_blocks(self) -> int:
        """Count the blocks that were mirrored; 0 in a ledger that is no mirror."""
        return self._journal.state().mirrored

    def blocks(self, start: int = 0) -> Iterator[Block]:
        """
        Iterate over the journal's blocks in order, from number `start` on.

        Ends with the last block of the moment at which the iteration began.

        Raises:
            LedgerFileError: the file cannot be read, or a block in it is damaged.
        """
        self._check_open()
        yield from iter_journal(self._journal.store, self._journal.state(), start)

    def stream_records(
        self,
        start: int = 0,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        aggregated: bool = True,
    ) -> Iterator[bytes]:
        """
        Iterate over what a QLDB stream would have put on Kinesis.

        First the control record CREATED, then for each block its summary and its revisions,
        up to the last block of the moment at which the iteration began; with an end time
        that has come, the control record COMPLETED.

        Args:
            start: the first block's number.
            start_time: the earliest blockTimestamp; aware.
            end_time: what blockTimestamp stays below; aware.
            aggregated: join a block's records into KPL frames, as QLDB's default was; a lone
                record stays as it is.

        Yields:
            A Kinesis record's data, at most 1 MiB when aggregated and its parts allow it.

        Raises:
            UsageError: a time without offset, a start in the future or not before the end.
            LedgerFileError: the file cannot be read.
        """
        for part in self.stream_parts(
            start, start_time=start_time, end_time=end_time, aggregated=aggregated
        ):
            yield from [record.data for record in part.records]

    def stream_parts(
        self,
        start: int = 0,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        aggregated: bool = True,
        stream_id: str | None = None,
    ) -> Iterator[StreamPart]:
        """
        Iterate over the same as `stream_records`, block by block and with partition keys.

        COMPLETED comes when no block before the end time can come any more: once a block
        of that time or later is there, or some seconds after it.

        Args:
            start: the first block's number.
            start_time: as for `stream_records`.
            end_time: as for `stream_records`.
            aggregated: as for `stream_records`.
            stream_id: goes into the stream's ARN; the ledger's own when None.

        Raises:
            UsageError: as for `stream_records`.
            LedgerFileError: the file cannot be read.
        """
        self._check_open()
        store, now_ms = self._journal.store, self._journal.environment.now_ms()
        chosen = choose_range(start, start_time, end_time, now_ms)
        stream_id = stream_id or store.settings()["stream_id"]
        arn = _STREAM_ARN.format(name=self.name, stream_id=stream_id)
        state = self._journal.state()  # after the time was taken
        yield from iter_parts(store, state, arn, chosen, now_ms=now_ms, aggregated=aggregated)

    def close(self) -> None:
        """Close the file; open transactions are lost. Closing again does nothing."""
        self._close(is_unused=False)

    @property
    def is_new(self) -> bool:
        """Tell whether opening it made it: there was no file, or an empty one."""
        return self._held is not None and self._held.found is not Found.CONTENT

    def discard(self) -> None:
        """
        Close a ledger that opening it made, and leave at its path what was there before.

        Its blocks are lost. A file that somebody else is reading stays.

        Raises:
            UsageError: the ledger was there before; it stays open, nothing is lost.
        """
        if not self.is_new:
            raise UsageError(f"ledger {self.path} was there before it was opened; close it")
        self._close(is_unused=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _close(self, *, is_unused: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._journal.close()
        let_go(self._journal.store.connection, self._held, is_unused=is_unused)


def _open_journal(
    path: str, name: str | None, options: Options, held: HeldFile | None
) -> tuple[Reading | Writing, str]:
    """Open the file and give its journal and name; when that fails, let go of it as it was."""
    connection: sqlite3.Connection | None = None
    try:
        if options.read_only:
            connection = connect_reader(path)
        else:
            connection = _connect(path, name, options.environment)
        store = Store(connection, path, threading.RLock())
        settings = store.settings()
        _check_settings(path, settings)
        _check_name(name, settings["name"])
        journal = Reading(store, options) if options.read_only else Writing(store, options)
    except BaseException:
        let_go(connection, held, is_unused=True)
        raise
    return journal, settings["name"]


def _connect(path: str, name: str | None, environment: Environment) -> sqlite3.Connection:
    return connect_writer(
        path,
        {
            "name": name or _DEFAULT_NAME,
            "strand_id": environment.new_id(),
            "stream_id": environment.new_id(),
        },
    )


def _check_name(given: str | None, stored: str) -> None:
    if given is not None and given != stored:
        raise UsageError(f"the file holds the ledger {stored!r}, not {given!r}")


def _check_settings(path: str, settings: Mapping[str, str]) -> None:
    missing = {"name", "strand_id", "stream_id"} - settings.keys()
    if missing:
        raise LedgerFileError(path, f"it is damaged: it has no {', '.join(sorted(missing))}")

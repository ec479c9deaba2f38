"""
One ledger to run statements on: a file in this process, or a server behind a URL.

Both are driven through the interface that pyqldb's driver has, because ours in this process
has it, too. What it lacks is a transaction that stays open between two inputs: that is an
`execute_lambda` in a thread of its own, whose function hands its transaction out and
waits to hear how it ends. Statements of it run in the caller's thread, so that Ctrl-C
reaches them.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import attrs

from qldb_stream.cli._ledgers import is_database
from qldb_stream.errors import LambdaAbortedError, QldbStreamError, StatementError, UsageError
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.ledger import Cursor, Ledger, is_ledger_name

__all__ = ["Connection", "Execute", "OpenTransaction", "is_url", "open_file", "open_url"]

T = TypeVar("T")

Execute = Callable[[str, Sequence[IonSlice]], Iterator[IonSlice]]
"""Runs a statement with its parameters and gives its rows."""

_COMMIT: Final = "commit"
_ABORT: Final = "abort"


@attrs.frozen
class _Side:
    """
    A driver, and what differs between the two.

    Attributes:
        driver: ours or pyqldb's.
        once: the option of `execute_lambda` that says not to try again.
        bind: makes a parameter that the driver takes.
        rows: gives a cursor's rows.
        translate: a context in which the driver's errors become ours.
        explain: says how a statement reaches its documents.
        close: closes what is behind it.
        give_up: does so after a failure; what was made for nothing is then gone.
    """

    driver: Any
    once: Mapping[str, Any]
    bind: Callable[[IonSlice], Any]
    rows: Callable[[Any], Iterator[IonSlice]]
    translate: Callable[[], AbstractContextManager[None]]
    explain: Callable[[str], str]
    close: Callable[[], None]
    give_up: Callable[[], None]

    def executor(self, txn: Any) -> Execute:
        """Give what executes statements in a transaction; errors are the driver's own."""
        return lambda statement, parameters: self.rows(
            txn.execute_statement(statement, *map(self.bind, parameters))
        )

    def translated(self, execute: Execute) -> Execute:
        """Give the same, with errors of this package."""

        def run(statement: str, parameters: Sequence[IonSlice]) -> Iterator[IonSlice]:
            with self.translate():
                rows = execute(statement, parameters)
            return self._iter_translated(rows)

        return run

    def hold(self, park: Callable[[Any], None]) -> None:
        """Run a function in a transaction, once."""
        with self.translate():
            self.driver.execute_lambda(park, **self.once)

    def _iter_translated(self, rows: Iterator[IonSlice]) -> Iterator[IonSlice]:
        with self.translate():
            yield from rows


class _InterruptedError(Exception):
    """Ctrl-C as pyqldb can bear it: it aborts a transaction only for an Exception."""


class Connection:
    """
    A ledger that is open, in this process or elsewhere; close it, or use it in a `with`.

    A `with` that ends in an error leaves no file that was made for nothing.
    """

    def __init__(self, name: str, side: _Side) -> None:
        self.name: Final = name
        self._side: Final = side

    def transact(self, function: Callable[[Execute], T], *, retry: bool = True) -> T:
        """
        Run a function in a transaction and commit it.

        Args:
            function: called with what executes statements; it must have read the rows that
                it wants when it returns. Called again from the start after a conflict. It
                lets errors of what it executes pass: the driver must see them.
            retry: call it again.

        Returns:
            What the function returned.

        Raises:
            LedgerError: a statement or the commit failed, and nothing was written; the
                server is not to be reached.
            KeyboardInterrupt: Ctrl-C; nothing was written unless the commit had begun.
        """
        side = self._side
        options = {} if retry else side.once

        def run(txn: Any) -> T:
            try:
                return function(side.executor(txn))
            except KeyboardInterrupt as exc:
                raise _InterruptedError from exc

        try:
            with side.translate():
                result: T = side.driver.execute_lambda(run, **options)
        except _InterruptedError:
            raise KeyboardInterrupt from None
        return result

    def begin(self) -> OpenTransaction:
        """
        Begin a transaction that stays open.

        Raises:
            LedgerError: it cannot be begun.
        """
        return OpenTransaction(self._side)

    def explain(self, statement: str) -> str:
        """
        Say how a statement would reach its documents, without running it.

        Raises:
            LedgerError: it is not PartiQL, or names what is not there.
            UsageError: the ledger is behind a URL; the session API has nothing for it.
        """
        return self._side.explain(statement)

    def close(self) -> None:
        """Close the ledger; an open transaction should have ended before."""
        self._side.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_exc: object) -> None:
        if kind is None:
            self.close()
        else:
            self._side.give_up()


class OpenTransaction:
    """
    A transaction that stays open until `commit` or `abort`.

    Attributes:
        execute: runs a statement in it.
    """

    def __init__(self, side: _Side) -> None:
        self._opened: Final[Future[Any]] = Future()
        self._end: Final[queue.SimpleQueue[str]] = queue.SimpleQueue()
        self._thread: Final = ThreadPoolExecutor(1, "transaction")
        self._over: Final = self._thread.submit(side.hold, self._park)
        wait([self._opened, self._over], return_when=FIRST_COMPLETED)
        if not self._opened.done():
            self._finish()  # raises: it could not even begin
        self.execute: Final = side.translated(side.executor(self._opened.result()))

    def commit(self) -> None:
        """
        Commit what was done.

        Raises:
            LedgerError: it could not be committed; the transaction is over.
        """
        self._end.put(_COMMIT)
        self._finish()

    def abort(self) -> None:
        """Drop what was done; nothing when it is over already."""
        self._end.put(_ABORT)
        try:
            self._finish()
        except LambdaAbortedError:
            pass  # what it does is just what was asked for
        except QldbStreamError:
            pass  # it was over already, and said so then

    def _park(self, txn: Any) -> None:
        if self._opened.done():
            # A driver begins anew when its session was lost; what was done in it is lost, too.
            raise StatementError("the session was lost, and the transaction with it")
        self._opened.set_result(txn)
        if self._end.get() == _ABORT:
            txn.abort()

    def _finish(self) -> None:
        try:
            self._over.result()
        finally:
            self._thread.shutdown()


def _no_explanation(_statement: str) -> str:
    raise UsageError(
        "a server cannot explain: name its ledger's file, with --read-only while it is served"
    )


def is_url(target: str) -> bool:
    """Tell whether a ledger is named by a URL, not by a path."""
    return target.startswith(("http://", "https://"))


def open_file(
    path: str,
    *,
    read_only: bool = False,
    create: bool = False,
    name: str | None = None,
    **settings: Any,
) -> Connection:
    """
    Open a ledger file in this process.

    Args:
        path: the file.
        read_only: only read it, beside a process that may write it.
        create: make it when there is none.
        name: the ledger's name, which an existing file must have; without, a new one is
            called as its file where that is a ledger's name, "ledger" else.
        settings: `extensions`, `limits` and `journal_reads`, as `Ledger.open` takes them.

    Raises:
        UsageError: there is no such file, its ledger has another name, or the settings
            contradict each other.
        LedgerFileError: it cannot be opened, is no ledger, or another writer has it open.
    """
    if not create and not is_database(path):
        if not Path(path).exists():
            raise UsageError(f"there is no ledger file {path}; --create makes one")
        raise UsageError(f"{path} is not a ledger file")
    if name is None and not Path(path).exists() and is_ledger_name(Path(path).stem):
        name = Path(path).stem  # what the server would call it
    ledger = Ledger.open(path, name=name, read_only=read_only, **settings)
    side = _Side(
        driver=ledger.driver(),
        once={"retry_limit": 0},
        bind=lambda parameter: parameter,
        rows=Cursor.iter_slices,
        translate=nullcontext,
        explain=lambda statement: str(ledger.explain(statement)),
        close=ledger.close,
        give_up=lambda: _give_up(ledger),
    )
    return Connection(ledger.name, side)


def _give_up(ledger: Ledger) -> None:
    """Close a ledger; one that opening it made, and that has no block, is gone then."""
    if ledger.is_new and not any(True for _ in ledger.blocks()):
        ledger.discard()
    else:
        ledger.close()


def open_url(url: str, name: str | None, *, region: str | None = None) -> Connection:
    """
    Connect to a ledger behind a URL, through pyqldb.

    Args:
        url: where the server is, http or https.
        name: the ledger's name; a server has many.
        region: the region to sign for.

    Raises:
        UsageError: no name, a URL that has a password or makes no sense, or the extra `qldb`
            is not installed.
    """
    from qldb_stream.clients import connect, translated_errors

    if name is None:
        raise UsageError("a server has many ledgers: name one with --ledger")
    if "@" in urlsplit(url).netloc:
        raise UsageError("no password in the URL: credentials are boto3's, see `aws configure`")
    driver = connect(name, endpoint_url=url, region_name=region)
    from pyqldb.config.retry_config import RetryConfig

    side = _Side(
        driver=driver,
        once={"retry_config": RetryConfig(retry_limit=0)},
        bind=IonSlice.decode,
        rows=lambda cursor: map(to_slice, cursor),
        translate=lambda: translated_errors(url),
        explain=_no_explanation,
        close=driver.close,
        give_up=driver.close,
    )
    return Connection(name, side)

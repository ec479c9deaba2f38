"""
A ledger open to read only, beside a writer in another process.

Strategy: transactions that are open at once share one snapshot of SQLite's, taken when the
first of them begins; it is never newer than what each may see, and it is consistent, so
nothing needs to be validated. It is let go with the last of them.
"""

from __future__ import annotations

import sqlite3
import weakref
from typing import Final, NoReturn

from qldb_stream.errors import LedgerFileError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.ledger._ddl import Numbers
from qldb_stream.ledger._occ import CommitLog
from qldb_stream.ledger._options import Options
from qldb_stream.ledger._problems import file_error
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import Store
from qldb_stream.ledger._transaction import Transaction
from qldb_stream.ledger._view import View

__all__ = ["Reading"]


class Reading:
    """A ledger open to read; implements the transactions' `Journal`."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store: Final = store
        self.environment = options.environment
        self.limits = options.limits
        self.extensions = options.extensions
        self.numbers = Numbers(self.environment.new_id, _refuse_number, _refuse_number)
        # Views, not transactions: a cursor whose transaction nobody keeps still reads its view.
        self._open: Final[weakref.WeakSet[View]] = weakref.WeakSet()
        self._nothing: Final = CommitLog()
        self._snapshot: State | None = None

    def state(self) -> State:
        """Read the state of the file; while transactions are open, that of their snapshot."""
        with self.store.lock:
            if self._snapshot is not None:
                return self._snapshot
            return self.store.state()

    def begin(self) -> View:
        """Give a new transaction its view."""
        with self.store.lock:
            self._let_go()
            if self._snapshot is None:
                self._execute("BEGIN")
                self._snapshot = self.store.state()
            view = View(
                self.store,
                self._nothing,
                None,
                self._snapshot,
                self.environment.now_ms,
            )
            self._open.add(view)
            return view

    def check_writable(self) -> NoReturn:
        """
        Refuse to write.

        Raises:
            LedgerFileError: always.
        """
        raise LedgerFileError(self.store.path, "it is open read-only")

    def commit(self, transaction: Transaction) -> BlockAddress | None:
        """End a transaction that only read: its snapshot was consistent."""
        assert not transaction.view.writes
        return None

    def end(self, transaction: Transaction) -> None:
        """Forget a transaction, and the snapshot with the last one."""
        with self.store.lock:
            self._open.discard(transaction.view)
            self._let_go()

    def _let_go(self) -> None:
        if self._snapshot is not None and not self._open:
            self._snapshot = None
            self._execute("COMMIT")

    def _execute(self, sql: str) -> None:
        try:
            self.store.connection.execute(sql)
        except sqlite3.Error as exc:
            raise file_error(self.store.path, exc) from exc

    def mirror(self, _block: Block, _token: int) -> NoReturn:
        """
        Refuse to mirror a block.

        Raises:
            LedgerFileError: always.
        """
        self.check_writable()

    def group_commit(self) -> NoReturn:
        """
        Refuse to group commits.

        Raises:
            LedgerFileError: always.
        """
        self.check_writable()

    def close(self) -> None:
        """Let the snapshot go."""
        with self.store.lock:
            self._open.clear()
            self._let_go()


def _refuse_number() -> int:
    raise AssertionError("a read-only ledger makes no tables")

"""
The one writer of a ledger file: commits in order, and what open transactions must know.

Strategy: a commit validates, seals and stores under one lock, so blocks follow each other
and a conflict is judged against everything before it. The ledger's state is a frozen
value that is replaced only after SQLite has committed: when that fails, nothing has
happened. In a group several blocks share one SQLite transaction; other threads neither
commit meanwhile nor see what is not durable yet, and a group that fails is lost whole.
Commits that wait for one another are such a group (`_turns`).

Locks, always taken in this order: `_commits` (who commits, or holds a group), then the
store's (who uses the connection, the state or the log).
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Final

import attrs

from qldb_stream.errors import LedgerFileError, OccConflictError, StaleTokenError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.ledger._append import append_block
from qldb_stream.ledger._changes import Changes, erasure_record, find_changes
from qldb_stream.ledger._damage import damaged, reading
from qldb_stream.ledger._ddl import Numbers
from qldb_stream.ledger._erase import clear_log, count_pending, erase
from qldb_stream.ledger._mirror import MirroredBlock, append_mirrored, find_erasures, mirror_block
from qldb_stream.ledger._occ import CommitLog
from qldb_stream.ledger._options import Options
from qldb_stream.ledger._pending import Draft, check_sealable
from qldb_stream.ledger._problems import file_error
from qldb_stream.ledger._recent import RecentKeys
from qldb_stream.ledger._seal import Sealed, seal
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import Store, StoredRevision
from qldb_stream.ledger._transaction import Transaction
from qldb_stream.ledger._turns import Line, Ticket, serve
from qldb_stream.ledger._view import View

__all__ = ["Writing"]

# The setting that keeps the highest fencing token that a mirror was written with.
_TOKEN: Final = "mirror_token"


@attrs.define(eq=False)
class _Group:
    """
    A run of commits that share one SQLite transaction.

    Attributes:
        before: the state that everybody else sees meanwhile.
        owner: the thread that commits in it.
        failed: whether it was rolled back.
        erased: whether data were erased beside any block, which everybody sees at once.
    """

    before: State
    owner: int
    failed: bool = False
    erased: bool = False


class Writing:
    """A ledger open to write; implements the transactions' `Journal`."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store: Final = store
        self.environment = options.environment
        self.limits = options.limits
        self.extensions = options.extensions
        self._journals_reads: Final = options.journals_reads
        self._state = store.state()
        catalog = self._state.catalog
        self.numbers = Numbers(
            self.environment.new_id,
            count(max(catalog.by_no, default=0) + 1).__next__,
            count(store.last_index_no() + 1).__next__,
        )
        self._log: Final = CommitLog()
        self._recent: Final = RecentKeys()
        # Views, not transactions: a cursor whose transaction nobody keeps still reads its view.
        self._open: Final[weakref.WeakSet[View]] = weakref.WeakSet()
        self._commits: Final = threading.RLock()
        self._line: Final = Line()
        self._group: _Group | None = None
        self._must_clear_log = count_pending(store) > 0
        self._clear_log()

    # --- transactions begin and end --------------------------------------------------------

    def state(self) -> State:
        """Give the state that the calling thread may see: durable, or its own group's."""
        with self.store.lock:
            group = self._group
            if group is not None and group.owner != threading.get_ident():
                return group.before
            return self._state

    def begin(self) -> View:
        """Give a new transaction its view; changes after it are remembered from now on."""
        with self.store.lock:
            view = View(
                self.store,
                self._log,
                self._recent,
                self.state(),
                self.environment.now_ms,
            )
            self._open.add(view)
        return view

    def check_writable(self) -> None:
        """Do nothing: this ledger can be written."""

    def end(self, transaction: Transaction) -> None:
        """Forget a transaction, and the changes that only it could still ask for."""
        with self.store.lock:
            self._open.discard(transaction.view)
            self._forget()

    def _forget(self) -> None:
        """Forget changes that every open transaction has in its snapshot."""
        if len(self._log) and self._group is None:
            needed = [view.size for view in self._open]
            self._log.forget_before(min(needed, default=self._state.size))

    # --- commits ---------------------------------------------------------------------------

    def commit(self, transaction: Transaction) -> BlockAddress | None:
        """
        Validate a transaction, and journal it when it wrote something, or reads are journaled.

        Raises:
            OccConflictError: what it read was changed since.
            LedgerFileError: the block could not be written; nothing has changed.
        """
        view = transaction.view
        documents = [document for document in view.writes.values() if not document.vanished]
        tables = list(view.changed_tables.values())
        is_written = bool(documents or tables or view.redaction)
        if not is_written and not (self._journals_reads and transaction.statements):
            self._validate(transaction)
            return None
        draft = Draft(
            transaction.transaction_id, transaction.statements, documents, tables, view.redaction
        )
        group = self._group
        if group is not None and group.owner == threading.get_ident():
            return self._commit(transaction, draft)  # durable with the caller's own group
        return self._stand_in_line(Ticket(partial(self._commit, transaction, draft)))

    def _commit(self, transaction: Transaction, draft: Draft) -> BlockAddress:
        """Validate, seal and store; whoever calls it is the one who commits."""
        view = transaction.view
        self._validate(transaction)
        if draft.tables:
            for document in draft.documents:
                document.table = view.catalog.by_no[document.table.no]
        before = self._state
        check_sealable(self.store.path, before, draft.documents)
        sealed = seal(before, draft, self.environment.now_ms)
        changes = find_changes(before.size, draft, before.catalog, view.base_keys)
        work = partial(append_block, self.store, sealed, changes)
        self._must_clear_log |= draft.redaction is not None
        self._store(sealed, changes, work, own_views=1)  # the committing one is open still
        return BlockAddress(before.strand_id, before.size)

    def _stand_in_line(self, ticket: Ticket) -> BlockAddress:
        """Wait for the turn to commit, and take along who else is waiting then."""
        self._line.join(ticket)
        try:
            with self._commits:
                if not ticket.is_served:
                    serve(self._line.take(ticket), self.group_commit, self.store.path)
        except BaseException:
            # An interrupt. Nobody may be at work for a transaction that its owner gives up.
            if not self._line.leave(ticket):
                with self._commits:
                    pass
            raise
        return ticket.result()

    def mirror(self, block: Block, token: int) -> MirroredBlock | None:
        """
        Store a block of another ledger's journal as it is; see `Ledger.mirror`.

        Returns:
            What it came to; None when the block was there before.
        """
        strand_id, number = block.address.strand_id, block.address.sequence_no
        with self._commits:
            with reading(self.store.path, "a setting"):
                stored_token = int(self.store.settings().get(_TOKEN, token))
            if token < stored_token:
                raise StaleTokenError(strand_id, stored_token, token)
            if 0 <= number < self._state.mirrored:
                self._erase(find_erasures(self._state, block, self.store))
                return None
            mirrored = mirror_block(self._state, block, self.store, self.numbers)
            work = partial(append_mirrored, self.store, mirrored, {_TOKEN: str(token)})
            self._must_clear_log |= bool(mirrored.changes.redacted)
            self._store(mirrored.sealed, mirrored.changes, work, own_views=0)
        return mirrored.outcome()

    def _erase(self, revisions: list[StoredRevision]) -> None:
        """Erase data beside any block; who has read it, or redacts there too, cannot commit."""
        if not revisions:
            return
        self._must_clear_log = True
        with self.store.lock:
            if self._group is not None:
                self._group.erased = True
            self._write(partial(erase, self.store, revisions))
            # Not into the log: who begins now reads the same blocks, and would conflict too.
            record = erasure_record(self._state.size, revisions)
            for view in self._open:
                view.doomed |= view.reads.conflicts_with(record)

    def _validate(self, transaction: Transaction) -> None:
        view = transaction.view
        with self.store.lock:
            if view.doomed or any(
                view.reads.conflicts_with(record) for record in self._log.since(view.size)
            ):
                raise OccConflictError(transaction.transaction_id)

    def _store(
        self, sealed: Sealed, changes: Changes, work: Callable[[], object], *, own_views: int
    ) -> None:
        """
        Write a block, durably or into the group, then let others see it.

        What it changed is remembered for views other than the `own_views` of whoever commits.
        They are counted here, under the lock that `begin` takes: one that was begun before is
        counted, one that begins later sees the block.
        """
        with self.store.lock:
            self._write(work)
            self._state = sealed.state
            if len(self._open) > own_views or self._group is not None:
                self._log.append(changes.record())
            self._move_on(sealed, changes)

    def _write(self, work: Callable[[], object]) -> None:
        """Do what writes, durably or in the group; whoever calls it holds the store's lock."""
        connection = self.store.connection
        try:
            if self._group is None:
                connection.execute("BEGIN IMMEDIATE")
                work()
                connection.execute("COMMIT")
            else:
                self._join(self._group)
                work()
        except BaseException as exc:
            self._roll_back()
            if isinstance(exc, sqlite3.Error):
                raise file_error(self.store.path, exc) from exc
            if isinstance(exc, OverflowError):  # its own numbers are small
                raise damaged(self.store.path, "a number in it") from exc
            raise
        if self._group is None:
            self._clear_log()

    def _clear_log(self) -> None:
        if self._must_clear_log:
            self._must_clear_log = not clear_log(self.store)

    def _move_on(self, sealed: Sealed, changes: Changes) -> None:
        """Bring what is remembered of index keys to the new block."""
        self._recent.forget([entry[:2] for entry in (*changes.removed, *changes.added)])
        if changes.kept:
            revisions = {revision.document_id: revision for revision in sealed.revisions}
            for no, key, document_id in changes.kept:
                self._recent.move_on((no, key), revisions[document_id])

    def _join(self, group: _Group) -> None:
        """Make sure that a group's transaction has begun."""
        if group.failed:
            raise LedgerFileError(self.store.path, "its group of commits has failed")
        if not self.store.connection.in_transaction:
            self.store.connection.execute("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        """Undo what SQLite has not committed: one block, or the whole group."""
        before = self._state
        with suppress(sqlite3.Error):  # the error that brought us here is raised on
            self.store.connection.execute("ROLLBACK")
        if self._group is not None:
            self._group.failed = True
            self._state = self._group.before
        # An interrupt may have come after SQLite had committed: the file knows.
        with suppress(LedgerFileError):
            self._state = self.store.state()
        self._log.forget_from(self._state.size)
        self._recent.clear()
        if self._state.size != before.size or (self._group is not None and self._group.erased):
            for view in self._open:
                view.doomed = True

    # --- groups ----------------------------------------------------------------------------

    @contextmanager
    def group_commit(self) -> Iterator[None]:
        """
        Make the commits inside durable together, when the block of code ends.

        Raises:
            LedgerFileError: they could not be written; all of them are lost.
        """
        with self._commits:
            if self._group is not None:  # this thread's own: the outer group ends both
                yield
                return
            with self.store.lock:
                self._group = group = _Group(self._state, threading.get_ident())
            try:
                yield
            finally:
                self._end_group(group)

    def _end_group(self, group: _Group) -> None:
        with self.store.lock:
            try:
                if group.failed:
                    raise LedgerFileError(self.store.path, "a group of commits was rolled back")
                if self.store.connection.in_transaction:
                    self.store.connection.execute("COMMIT")
            except sqlite3.Error as exc:
                self._roll_back()
                raise file_error(self.store.path, exc) from exc
            finally:
                self._group = None
                self._forget()
            self._clear_log()

    def close(self) -> None:
        """Wait for whoever is committing, so that the connection can be closed."""
        with self._commits, self.store.lock:
            self._open.clear()
            self._clear_log()

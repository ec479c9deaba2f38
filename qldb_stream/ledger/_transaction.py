"""
One transaction: statements against its snapshot, then one commit.

Strategy: everything happens in memory until the commit; a statement that fails leaves the
transaction as it was, still open (facts 2.8). H(statement) is folded with H(parameter)
for every statement that is received, because the commit digest of the session protocol
and the journal both need it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from qldb_stream.errors import (
    DecodeError,
    LedgerError,
    ReadOnlyTransactionError,
    StatementError,
    TransactionClosedError,
)
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import dot
from qldb_stream.ion import timestamp_ms, to_slice
from qldb_stream.ledger._cursor import Cursor
from qldb_stream.ledger._damage import damaged
from qldb_stream.ledger._ddl import Numbers, change_catalog, check_tags
from qldb_stream.ledger._environment import Environment
from qldb_stream.ledger._hashes import string_hash
from qldb_stream.ledger._held import HeldRows
from qldb_stream.ledger._io import IOUsage
from qldb_stream.ledger._limits import Limits
from qldb_stream.ledger._pending import ExecutedStatement, PendingDocument
from qldb_stream.ledger._prepared import (
    PreparedStatement,
    bind_parameter,
    prepare,
    statement_digest,
)
from qldb_stream.ledger._redact import plan_redaction
from qldb_stream.ledger._store import StoredRevision
from qldb_stream.ledger._view import View
from qldb_stream.partiql import (
    Context,
    InsertPlan,
    ModifyPlan,
    SelectPlan,
    ast,
    evaluate_arguments,
)

__all__ = ["Journal", "Transaction"]

# A thousand rows are a millisecond or a few.
_ROWS_BETWEEN_CHECKS: Final = 1024


class Journal(Protocol):
    """What a transaction needs of the ledger that it belongs to."""

    environment: Environment
    limits: Limits | None
    extensions: bool
    numbers: Numbers

    def begin(self) -> View:
        """Give a new transaction its view."""

    def check_writable(self) -> None:
        """Raise LedgerFileError when the ledger was opened read-only."""

    def commit(self, transaction: Transaction) -> BlockAddress | None:
        """Validate and journal what the transaction did."""

    def end(self, transaction: Transaction) -> None:
        """Forget a transaction that is over."""


class _Status(enum.Enum):
    OPEN = "is open"
    COMMITTED = "is committed"
    ABORTED = "was aborted"
    EXPIRED = "has expired"  # the official drivers match on this wording (facts 6.4)


class _EveryFew:
    """Asks a question once for many calls: the clock is too slow to be asked for each row."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask: Final = ask
        self._rows = 0

    def __call__(self, rows: int = 1) -> None:
        self._rows += rows
        if self._rows >= _ROWS_BETWEEN_CHECKS:
            self._rows = 0
            self._ask()


class Transaction:
    """
    A transaction, from its snapshot to commit or abort; not for two threads at once.

    Attributes:
        transaction_id: 22 characters; it becomes the block's and its revisions' txId.
        view: the snapshot with the transaction's own writes.
        statements: what ran, in order.
    """

    def __init__(self, journal: Journal, *, read_only: bool = False) -> None:
        self.transaction_id: Final = journal.environment.new_id()
        self.view: Final[View] = journal.begin()
        self.statements: Final[list[ExecutedStatement]] = []
        self._journal: Final = journal
        self._read_only: Final = read_only
        self._received: Final[list[bytes]] = []
        self._unfinished: Final[list[Cursor]] = []
        self._status = _Status.OPEN
        self._began_ms: Final = journal.environment.now_ms()
        self._check_rows = None if journal.limits is None else _EveryFew(self._check_open)
        self._hold = None if journal.limits is None else HeldRows(journal.limits.held_bytes)

    def execute_statement(self, statement: str, *parameters: Any) -> Cursor:
        """
        Run a PartiQL statement.

        Args:
            statement: its text, one `?` for each parameter.
            parameters: any Ion values; an IonSlice is stored as it is.

        Returns:
            The rows (facts 5.2); of a SELECT, computed as they are asked for.

        Raises:
            PartiqlParseError: the text is not PartiQL.
            PartiqlSemanticError: it names what is not there, or needs other parameters.
            PartiqlEvaluationError: it fails on a value that it met.
            UnsupportedPartiqlError: QLDB did not have it, or this ledger does not yet.
            StatementError: it cannot be carried out, or exceeds a limit.
            IonEncodeError: Ion has nothing for a parameter.
            ReadOnlyTransactionError: it is no SELECT, and the transaction was begun to read only.
            TransactionClosedError: the transaction is over.
            LedgerFileError: the file cannot be read, or is open read-only.
                After any but the last two the transaction is open and as it was.
        """
        self._check_open()
        start_ms = self._journal.environment.now_ms()
        values: list[Any] = []
        hashes: list[bytes] = []
        for parameter in parameters:
            value, hashed = bind_parameter(parameter)
            values.append(value)
            hashes.append(hashed)
        prepared = self._prepare(statement, values, hashes)
        digest = statement_digest(prepared.text_hash, hashes)
        self._received.append(digest)
        now = timestamp_ms(start_ms) if prepared.asks_time else None
        context = Context(self.view, values, self.transaction_id, now, self._check_rows, self._hold)
        try:
            cursor = self._execute(prepared, context, hashes)
        except DecodeError as exc:  # parameters are sound: they were hashed
            raise self.view.trail.damage() from exc
        self.statements.append(ExecutedStatement(prepared, start_ms, digest))
        return cursor

    @property
    def consumed_ios(self) -> IOUsage:
        """Tell what all its statements have read and written so far (facts 5.7)."""
        return IOUsage(self.view.read_ios, self.view.write_ios)

    def commit(self, commit_digest: bytes | None = None) -> BlockAddress | None:
        """
        Validate what was read, journal what was written, and end the transaction.

        A transaction that wrote nothing is validated but makes no block, unless the ledger
        was opened with `journal_reads="on"`: QLDB most likely made one (facts 2.3, an
        inference), and nobody who replays or verifies needs it.

        Args:
            commit_digest: the client's, 32 bytes (facts 2.8); compared when given.

        Returns:
            The address of the block, durable when this returns (with `group_commit()`:
            when that ends); None when there is none.

        Raises:
            OccConflictError: another transaction changed what this one read. It is over.
            StatementError: the digests do not match. It is still open.
            TransactionClosedError: it was over before.
            LedgerFileError: the block could not be written. It is over, without effect.
        """
        self._check_open()
        if commit_digest is not None and commit_digest not in self._commit_digests():
            raise StatementError("Digests don't match")
        try:
            address = self._commit()
        except BaseException:
            self._close(_Status.ABORTED)
            raise
        self._close(_Status.COMMITTED)
        return address

    def _commit(self) -> BlockAddress | None:
        try:
            return self._journal.commit(self)
        except DecodeError as exc:  # what is written was made here and is sound
            raise self.view.trail.damage() from exc

    def abort(self) -> None:
        """Drop what was written and end the transaction; nothing when it is over already."""
        if self._status is _Status.OPEN:
            self._close(_Status.ABORTED)

    def _commit_digests(self) -> tuple[bytes, bytes]:
        """Fold the digests of all statements received, and of those that succeeded."""
        start = string_hash(self.transaction_id)
        succeeded = [statement.digest for statement in self.statements]
        return _fold(start, self._received), _fold(start, succeeded)

    def _check_open(self) -> None:
        limits = self._journal.limits
        if limits is not None and self._status is _Status.OPEN:
            age_ms = self._journal.environment.now_ms() - self._began_ms
            if age_ms > limits.transaction_ms:
                self._close(_Status.EXPIRED)
        if self._status is not _Status.OPEN:
            raise TransactionClosedError(self.transaction_id, self._status.value)

    def _close(self, status: _Status) -> None:
        self._status = status
        self._check_rows = None  # it knows this transaction, which could not go while both stay
        for cursor in self._unfinished:
            cursor.close(TransactionClosedError(self.transaction_id, status.value))
        self._journal.end(self)

    # --- statements ------------------------------------------------------------------------

    def _prepare(self, text: str, values: list[Any], hashes: list[bytes]) -> PreparedStatement:
        try:
            if self._journal.limits is not None:
                self._journal.limits.check_statement(text)
                self._journal.limits.check_parameters(values)
            return prepare(text, extensions=self._journal.extensions)
        except LedgerError:
            # The drivers folded it before they sent it (facts 2.8).
            self._received.append(statement_digest(string_hash(text), hashes))
            raise

    def _execute(
        self, prepared: PreparedStatement, context: Context, hashes: list[bytes]
    ) -> Cursor:
        plan = prepared.plan
        if isinstance(plan, SelectPlan):
            cursor = Cursor.start(plan.iter_rows(context), self.view, self.view.trail)
            if not cursor.complete:
                self._unfinished.append(cursor)
            return cursor
        self._check_writable()
        self._finish_reading()
        if plan is None:
            return Cursor([self._define(prepared, context)])
        view = self.view
        read_ios, write_ios = view.read_ios, view.write_ios
        # H(document) is H(parameter) where a parameter is stored as it came.
        known = dict(zip(map(id, context.parameters), hashes, strict=True))
        if isinstance(plan, InsertPlan):
            changed = self._insert(plan, context, known)
        else:
            changed = self._modify(plan, context, known)
        rows = [{"documentId": document_id} for document_id in changed]
        return Cursor(rows, None, None, view.read_ios - read_ios, view.write_ios - write_ios)

    def _check_writable(self) -> None:
        if self._read_only:
            raise ReadOnlyTransactionError(self.transaction_id)
        self._journal.check_writable()

    def _finish_reading(self) -> None:
        """Compute what earlier statements still owe, before it changes under them."""
        while self._unfinished:
            self._unfinished[-1].finish(self._hold)  # stays known when it cannot be held
            self._unfinished.pop()
        self._check_open()  # reading may have taken what time was left

    def _define(self, prepared: PreparedStatement, context: Context) -> dict[str, Any]:
        parsed = prepared.parsed
        if isinstance(parsed.statement, ast.Exec):
            return plan_redaction(self.view, parsed, context).as_struct()
        check_tags(evaluate_arguments(parsed, context))
        journal = self._journal
        return {"tableId": change_catalog(self.view, parsed, journal.numbers, journal.limits)}

    def _insert(self, plan: InsertPlan, context: Context, known: dict[int, bytes]) -> Sequence[str]:
        table = self.view.table(plan.table)
        new_id = self._journal.environment.new_id
        pending = [
            PendingDocument(table, new_id(), None, to_slice(document), known.get(id(document)))
            for document in plan.documents(context)
        ]
        return self._write(pending, [1] * len(pending))

    def _modify(self, plan: ModifyPlan, context: Context, known: dict[int, bytes]) -> Sequence[str]:
        table = self.view.table(plan.table)
        changes = plan.changes(context)
        pending: list[PendingDocument] = []
        for change in changes:
            after = change.after
            was = self.view.document(table, change.document_id)
            if was is None:  # a plan changes documents that it read
                raise damaged(self.view.trail.path, f"document {change.document_id}")
            base, statements = (
                (was, ()) if isinstance(was, StoredRevision) else (was.base, was.statements)
            )
            data = None if after is None else to_slice(after)
            data_hash = known.get(id(after))
            pending.append(
                PendingDocument(table, change.document_id, base, data, data_hash, [*statements])
            )
        return self._write(pending, [change.assignments for change in changes])

    def _write(
        self, pending: Sequence[PendingDocument], assignments: Sequence[int]
    ) -> Sequence[str]:
        """Note what a statement wrote, after everything that can fail."""
        if self._journal.limits is not None:
            written = self.view.writes | {document.id: document for document in pending}
            self._journal.limits.check_documents(written.values())
        statement = len(self.statements)
        for document, times in zip(pending, assignments, strict=True):
            document.statements += [statement] * times
            self.view.write(document)
        return [document.id for document in pending]


def _fold(digest: bytes, statements: Sequence[bytes]) -> bytes:
    for statement in statements:
        digest = dot(digest, statement)
    return digest

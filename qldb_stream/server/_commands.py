"""
What each sub-command does to its session (facts 6.2 to 6.5); runs in the session's mailbox.

Rules: a session has one open transaction. A statement that is refused leaves it open; a conflict,
a failed write or 30 seconds end it. What drivers do after a failure must succeed: AbortTransaction
with nothing open is fine. A transaction's pages end with it. "No open transaction" is also said
for another transaction's id: applications match on the words.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from qldb_stream.errors import (
    LedgerFileError,
    StatementError,
    TransactionClosedError,
)
from qldb_stream.ledger import Environment
from qldb_stream.server._faults import bad_request, invalid_session
from qldb_stream.server._ios import ios_json
from qldb_stream.server._pages import Pages
from qldb_stream.server._protocol import (
    AbortTransaction,
    Command,
    CommitTransaction,
    EndSession,
    ExecuteStatement,
    FetchPage,
    StartTransaction,
    page_json,
    read_parameters,
)
from qldb_stream.server._sessions import OpenResult, OpenTransaction, Session, Sessions

__all__ = [
    "MAX_OPEN_RESULTS",
    "MAX_TRANSACTION_BYTES",
    "TRANSACTION_MS",
    "Commands",
]

TRANSACTION_MS: Final = 30_000
MAX_OPEN_RESULTS: Final = 64
"""How many results of a transaction may have rows left: each keeps what it reads from."""
MAX_TRANSACTION_BYTES: Final = 64 * 1024 * 1024
"""How much a transaction's requests may add up to: it is all in memory until the commit."""
_TOKEN_BYTES: Final = 24


@attrs.frozen
class Commands:
    """
    Carries out commands of sessions that exist.

    Attributes:
        sessions: where an ended one is forgotten.
        environment: the time.
        limits: whether a transaction ends after 30 seconds, as QLDB's did; else with its session.
    """

    sessions: Sessions
    environment: Environment
    limits: bool

    def carry_out(self, session: Session, command: Command, size: int) -> dict[str, Any]:
        """
        Do what a command says and give the response's body.

        Args:
            session: at work for nobody else now.
            command: any but StartSession.
            size: of the request, bytes.

        Raises:
            Fault: it cannot be done.
            QldbStreamError: the ledger refused it.
        """
        self.sessions.check_open(session)
        began_ms = self.environment.now_ms()
        self.expire_transaction(session, began_ms)
        name = type(command).__name__
        result = self._results(session, command, size)
        took_ms = max(0, self.environment.now_ms() - began_ms)
        return {name: {**result, "TimingInformation": {"ProcessingTimeMilliseconds": took_ms}}}

    def _results(self, session: Session, command: Command, size: int) -> dict[str, Any]:
        match command:
            case ExecuteStatement():
                return self._execute(session, command, size)
            case FetchPage():
                return self._fetch(session, command)
            case CommitTransaction():
                return self._commit(session, command)
            case StartTransaction():
                return self._start(session)
            case AbortTransaction():
                self.sessions.close_transaction(session)
                return {}
            case EndSession():
                self.end_session(session)
                return {}
        raise AssertionError(f"{type(command).__name__} is no command of a session")

    def _start(self, session: Session) -> dict[str, Any]:
        if session.transaction is not None:
            raise bad_request("Transaction already open")
        self.sessions.check_running()
        transaction = session.ledger.start_transaction(read_only=session.caller.read_only)
        expires_ms = self.environment.now_ms() + TRANSACTION_MS if self.limits else None
        session.transaction = OpenTransaction(transaction, expires_ms)
        session.expired_id = None
        return {"TransactionId": transaction.transaction_id}

    def _execute(self, session: Session, command: ExecuteStatement, size: int) -> dict[str, Any]:
        opened = _open_transaction(session, command.transaction_id)
        if opened.received_bytes + size > MAX_TRANSACTION_BYTES:
            raise bad_request(
                f"{opened.received_bytes + size} bytes in a transaction's requests; "
                f"the limit is {MAX_TRANSACTION_BYTES}"
            )
        self.sessions.receive(opened, size)
        parameters = read_parameters(command.parameters, limits=self.limits)
        with self._ending(session):
            cursor = opened.transaction.execute_statement(command.statement, *parameters)
            result = OpenResult(cursor, Pages(cursor.iter_slices(once=True)))
            return _page(opened, "FirstPage", result)

    def _fetch(self, session: Session, command: FetchPage) -> dict[str, Any]:
        opened = _open_transaction(session, command.transaction_id)
        result = opened.pages.pop(command.next_page_token, None)
        if result is None:
            raise bad_request("The parameter NextPageToken is not valid")
        with self._ending(session):
            return _page(opened, "Page", result)

    def _commit(self, session: Session, command: CommitTransaction) -> dict[str, Any]:
        opened = _open_transaction(session, command.transaction_id)
        try:
            opened.transaction.commit(command.commit_digest)
        except StatementError:  # the digests do not match: it is still open
            raise
        except BaseException:  # a conflict, a failed write, or a bug of ours: it is over
            self.sessions.close_transaction(session)
            raise
        self.sessions.close_transaction(session)
        return {
            "TransactionId": command.transaction_id,
            "CommitDigest": b64encode(command.commit_digest).decode("ascii"),
            "ConsumedIOs": ios_json(opened.transaction.consumed_ios),
        }

    @contextmanager
    def _ending(self, session: Session) -> Iterator[None]:
        """Forget a transaction when work in it shows that it is over."""
        try:
            yield
        except TransactionClosedError as error:  # of itself it closes when its time is over
            session.expired_id = error.transaction_id
            self.sessions.close_transaction(session)
            raise
        except LedgerFileError:
            self.sessions.close_transaction(session)
            raise

    def expire_transaction(self, session: Session, now_ms: int) -> None:
        """Give up a transaction whose time is over, and remember which it was."""
        opened = session.transaction
        if opened is not None and opened.expires_ms is not None and now_ms >= opened.expires_ms:
            session.expired_id = opened.transaction.transaction_id
            self.sessions.close_transaction(session)

    def end_session(self, session: Session) -> None:
        """Forget a session and give up what it has open."""
        self.sessions.forget(session)
        self.sessions.close_transaction(session)


def _open_transaction(session: Session, transaction_id: str) -> OpenTransaction:
    opened = session.transaction
    if opened is not None and opened.transaction.transaction_id == transaction_id:
        return opened
    if session.expired_id is not None and session.expired_id == transaction_id:
        raise invalid_session(f"Transaction {transaction_id} has expired")
    raise bad_request("No open transaction")


def _page(opened: OpenTransaction, name: str, result: OpenResult) -> dict[str, Any]:
    """Send the next rows, and a token of their own for those that are left."""
    if len(opened.pages) >= MAX_OPEN_RESULTS:
        raise bad_request(
            f"{len(opened.pages)} statements with rows left to fetch; the limit is "
            f"{MAX_OPEN_RESULTS}"
        )
    rows = result.pages.next_page()
    token = None
    if not result.pages.done:
        token = b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode("ascii")
        opened.pages[token] = result
    told, result.told_ios = result.told_ios, result.cursor.consumed_ios
    return {name: page_json(rows, token), "ConsumedIOs": ios_json(result.told_ios, told)}

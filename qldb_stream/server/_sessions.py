"""
The sessions of all ledgers: who has which, how many, and until when; the time is an argument.

Rules (facts 6.5): a session lasts 13 to 17 minutes whatever it does, has one open transaction at
most, and belongs to the key that began it; for everybody else it is not there. What a session
holds is touched only by its mailbox's jobs; the registry has a lock of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from qldb_stream.ledger import Cursor, IOUsage, Ledger, Transaction
from qldb_stream.server._faults import Fault, invalid_session, over_capacity
from qldb_stream.server._keys import Caller
from qldb_stream.server._mailbox import Mailbox
from qldb_stream.server._pages import Pages
from qldb_stream.server._tokens import SessionTokens, TokenContent

__all__ = [
    "MAX_OPEN_BYTES",
    "SESSIONS_PER_LEDGER",
    "OpenResult",
    "OpenTransaction",
    "Session",
    "Sessions",
]

SESSIONS_PER_LEDGER: Final = 3000
"""How many sessions a ledger has at once (facts 5.8)."""

MAX_OPEN_BYTES: Final = 512 * 1024 * 1024
"""How much the requests of all open transactions may add up to: they are in memory."""

_SHORTEST_MS: Final = 13 * 60_000
_LONGEST_MS: Final = 17 * 60_000


@attrs.define
class OpenResult:
    """
    A statement that has been run.

    Attributes:
        cursor: the ledger's.
        pages: its rows that were not sent.
        told_ios: what answers have told of what it cost.
    """

    cursor: Cursor
    pages: Pages
    told_ios: IOUsage = attrs.field(factory=IOUsage)


@attrs.define
class OpenTransaction:
    """
    A transaction that a session has begun.

    Attributes:
        transaction: the ledger's.
        expires_ms: when it is given up, in ms since 1970 UTC; None for not before its session.
        pages: statements with rows that were not sent, by the token that asks for them.
        received_bytes: of the requests that ran its statements.
    """

    transaction: Transaction
    expires_ms: int | None
    pages: dict[str, OpenResult] = attrs.field(factory=dict)
    received_bytes: int = 0


@attrs.define(eq=False)
class Session:
    """
    A session, from StartSession to EndSession or its end of life.

    Attributes:
        session_id: 22 characters, the id of the request that began it.
        ledger_name: which ledger it is on.
        ledger: that ledger.
        caller: who began it.
        expires_ms: when it ends, in ms since 1970 UTC.
        transaction: what is open.
        expired_id: the last transaction that took too long.
        mailbox: its jobs, one at a time.
    """

    session_id: str
    ledger_name: str
    ledger: Ledger
    caller: Caller
    expires_ms: int
    transaction: OpenTransaction | None = None
    expired_id: str | None = None
    mailbox: Mailbox = attrs.field(factory=Mailbox)


class Sessions:
    """Knows every session; for any number of threads."""

    def __init__(self, jitter: Callable[[], float], per_ledger: int = SESSIONS_PER_LEDGER) -> None:
        self._jitter: Final = jitter
        self._per_ledger: Final = per_ledger
        self._tokens: Final = SessionTokens()
        self._lock: Final = threading.Lock()
        self._open: Final[dict[str, Session]] = {}
        self._counts: Final[dict[str, int]] = {}
        self._stopping = False
        self._open_bytes = 0

    def start(
        self, session_id: str, ledger_name: str, ledger: Ledger, caller: Caller, now_ms: int
    ) -> str:
        """
        Begin a session and give its token.

        Raises:
            Fault: the ledger has too many, or the server is stopping.
        """
        expires_ms = now_ms + _SHORTEST_MS + int((_LONGEST_MS - _SHORTEST_MS) * self._jitter())
        with self._lock:
            self.check_running()
            count = self._counts.get(ledger_name, 0)
            if count >= self._per_ledger:
                raise Fault(
                    "LimitExceededException",
                    f"the ledger {ledger_name} has {count} active sessions, the most it may have",
                )
            self._counts[ledger_name] = count + 1
            self._open[session_id] = Session(session_id, ledger_name, ledger, caller, expires_ms)
        return self._tokens.make(TokenContent(session_id, expires_ms))

    def find(self, token: str, caller: Caller, now_ms: int) -> Session:
        """
        Find the session of a token.

        Raises:
            Fault: it has expired, or there is none that this caller began.
        """
        content = self._tokens.maybe_read(token)
        if content is None:
            raise invalid_session("No such session")
        session = self._open.get(content.session_id)
        if session is not None and session.caller != caller:
            raise invalid_session("No such session")
        if now_ms >= content.expires_ms:
            raise invalid_session(f"Session {content.session_id} has expired")
        if session is None:
            raise invalid_session("No such session")
        return session

    def forget(self, session: Session) -> None:
        """Let a session be found no more."""
        with self._lock:
            if self._open.pop(session.session_id, None) is not None:
                self._counts[session.ledger_name] -= 1

    def check_open(self, session: Session) -> None:
        """
        Raise when a session ended while a command of it was waiting.

        Raises:
            Fault: it did.
        """
        if session.session_id not in self._open:
            raise invalid_session("No such session")

    def stop(self) -> None:
        """Begin no more sessions and transactions."""
        self._stopping = True

    def check_running(self) -> None:
        """
        Raise when nothing new may begin.

        Raises:
            Fault: the server is stopping.
        """
        if self._stopping:
            raise over_capacity("the server is stopping")

    def receive(self, opened: OpenTransaction, size: int) -> None:
        """
        Count bytes that a transaction keeps in memory.

        Raises:
            Fault: all of them keep too much; other transactions must end first.
        """
        with self._lock:
            if self._open_bytes + size > MAX_OPEN_BYTES:
                raise over_capacity("open transactions hold too much")
            self._open_bytes += size
            opened.received_bytes += size

    def close_transaction(self, session: Session) -> None:
        """Give up what a session has open, unless it is over already, and what it keeps."""
        opened, session.transaction = session.transaction, None
        if opened is not None:
            opened.transaction.abort()
            with self._lock:
                self._open_bytes -= opened.received_bytes

    def iter_all(self) -> Iterator[Session]:
        """Iterate over the sessions of this moment."""
        with self._lock:
            sessions = list(self._open.values())
        yield from sessions

    @property
    def stopping(self) -> bool:
        """Tell whether nothing new may begin."""
        return self._stopping

    def count(self) -> tuple[int, int]:
        """Count sessions, and those of them with an open transaction."""
        sessions = list(self.iter_all())
        return len(sessions), sum(session.transaction is not None for session in sessions)

"""
SendCommand, from a body to an answer (facts 6): finds the session, lets its mailbox do the work.

Everything that can go wrong becomes an answer here: faults and the ledger's errors by their
tables, and our own bugs as InternalFailure, with where they happened in the log and nothing of
what they happened to. A transaction that a bug hit is given up, since nobody knows what it holds.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from qldb_stream.errors import LedgerFileError, QldbStreamError
from qldb_stream.ledger import Environment
from qldb_stream.server._commands import Commands
from qldb_stream.server._faults import (
    Fault,
    bad_request,
    fault_of,
    internal_failure,
    over_capacity,
    using,
)
from qldb_stream.server._keys import Caller
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._mailbox import Mailbox
from qldb_stream.server._messages import Answer, Request, answer_fault, answer_json
from qldb_stream.server._protocol import SendCommand, StartSession, parse_send_command
from qldb_stream.server._sessions import Session, Sessions

__all__ = ["Reply", "SessionService", "answer_safely"]

Reply = Callable[[Answer], None]

T = TypeVar("T")

_log: Final = logging.getLogger("qldb_stream.server")


class SessionService:
    """The session API of a folder's ledgers; for any number of threads."""

    def __init__(
        self, ledgers: Ledgers, sessions: Sessions, environment: Environment, *, limits: bool
    ) -> None:
        self._ledgers: Final = ledgers
        self._sessions: Final = sessions
        self._environment: Final = environment
        self._commands: Final = Commands(sessions, environment, limits)

    def submit(self, request: Request, caller: Caller, reply: Reply) -> None:
        """
        Answer a SendCommand.

        Args:
            request: its body is the command.
            caller: who asks.
            reply: called once with the answer, in this thread or in the one that is at work
                for the session.
        """
        found = answer_safely(request.request_id, lambda: self._begin(request, caller))
        if isinstance(found, Answer):
            reply(found)
            return
        session, sent = found
        size = len(request.body)

        def job() -> None:
            reply(self._carry_out(session, sent, size, request.request_id))

        if not session.mailbox.put(job):
            reply(answer_fault(over_capacity("too many commands of this session are waiting")))

    def sweep(self, now_ms: int) -> None:
        """Give up transactions and sessions whose time is over."""
        for session in self._sessions.iter_all():
            opened = session.transaction
            if now_ms >= session.expires_ms:
                self._put(session.mailbox, partial(self._commands.end_session, session))
            elif opened is not None and now_ms >= (opened.expires_ms or now_ms + 1):
                self._put(
                    session.mailbox, partial(self._commands.expire_transaction, session, now_ms)
                )

    def end_sessions_of(self, ledger_name: str | None) -> None:
        """End the sessions of a ledger, or of all."""
        for session in self._sessions.iter_all():
            if ledger_name in {None, session.ledger_name}:
                self._sessions.forget(session)
                self._put(session.mailbox, partial(self._sessions.close_transaction, session))

    def _put(self, mailbox: Mailbox, work: Callable[[], Any]) -> None:
        def job() -> None:
            answer_safely("sweep", work)

        mailbox.put(job, force=True)

    def _begin(self, request: Request, caller: Caller) -> Answer | tuple[Session, SendCommand]:
        """Start a session, or find the one that a command is for."""
        sent = parse_send_command(request.body)
        if isinstance(sent.command, StartSession):
            return self._start(request.request_id, sent.command.ledger_name, caller)
        assert sent.session_token is not None, "all but StartSession have one"
        return self._sessions.find(sent.session_token, caller, self._environment.now_ms()), sent

    def _start(self, session_id: str, ledger_name: str, caller: Caller) -> Answer:
        began_ms = self._environment.now_ms()
        self._sessions.check_running()
        with _in_session_api():
            ledger = self._ledgers.open(ledger_name)
        token = self._sessions.start(session_id, ledger_name, ledger, caller, began_ms)
        took_ms = max(0, self._environment.now_ms() - began_ms)
        timing = {"ProcessingTimeMilliseconds": took_ms}
        body = {"StartSession": {"SessionToken": token, "TimingInformation": timing}}
        return answer_json(body, f"StartSession ledger={ledger_name}")

    def _carry_out(self, session: Session, sent: SendCommand, size: int, request_id: str) -> Answer:
        name = type(sent.command).__name__

        def work() -> Answer:
            try:
                with _in_session_api(), using(session.ledger_name):
                    body = self._commands.carry_out(session, sent.command, size)
            except (Fault, QldbStreamError):
                raise
            except BaseException:
                self._sessions.close_transaction(session)
                raise
            return answer_json(body, f"{name} session={session.session_id}")

        answer = answer_safely(request_id, work)
        if answer.error is None:
            return answer
        return attrs.evolve(answer, note=f"{name} session={session.session_id}")


@contextmanager
def _in_session_api() -> Iterator[None]:
    """Say what the control plane says of a ledger in the one way that the session API has."""
    try:
        yield
    except Fault as fault:
        if fault.status in {404, 412}:
            raise bad_request(fault.message) from fault
        raise


def answer_safely(request_id: str, work: Callable[[], T]) -> T | Answer:
    """Do work and give what it gives; whatever it raises becomes an answer."""
    try:
        return work()
    except Fault as fault:
        return answer_fault(fault)
    except LedgerFileError as error:
        _log.error("request %s: %s", request_id, error)
        return answer_fault(fault_of(error))
    except QldbStreamError as error:
        return answer_fault(fault_of(error))
    except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the server
        _log_bug(request_id, error)
        return answer_fault(internal_failure(f"internal failure; request {request_id}"))


def _log_bug(request_id: str, error: BaseException) -> None:
    """Say where it happened, and not its message, which may quote a document."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("request %s: %s\n%s", request_id, type(error).__name__, where)

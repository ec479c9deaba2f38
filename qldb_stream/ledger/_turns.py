"""
Commits that wait become durable together: the first in line does the work of who stand with it.

Strategy: whoever wants to commit joins the line, then waits for the writer's lock. Who gets it
serves the line as it is then, in order, in one SQLite transaction, and all find their outcomes
when the lock is free. Nobody waits for company: a commit that is alone is served alone, and while
one batch is being synced the next one gathers. An answer comes after the sync, never before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import attrs

from qldb_stream.errors import LedgerFileError
from qldb_stream.events import BlockAddress

__all__ = ["MAX_TOGETHER", "Line", "Ticket", "serve"]

MAX_TOGETHER: Final = 32
"""How many commits one sync carries, so that none of them waits long for the others' work."""


@attrs.define(eq=False)
class Ticket:
    """A commit in the line, and what became of it."""

    work: Callable[[], BlockAddress]
    is_served: bool = False
    address: BlockAddress | None = None
    error: BaseException | None = None

    def run(self) -> None:
        """Do the work, and keep what came of it."""
        try:
            self.address = self.work()
        except Exception as exc:  # noqa: BLE001 - it is raised by `result`, to whom it belongs
            self.error = exc

    def result(self) -> BlockAddress:
        """
        Give the block's address.

        Raises:
            QldbStreamError: the commit was refused, or is lost with its batch.
        """
        if self.error is not None:
            raise self.error
        assert self.address is not None, "whoever held the lock served the line"
        return self.address


class Line:
    """Commits that wait; joined and left by any thread, taken from by who has the lock."""

    def __init__(self) -> None:
        self._tickets: Final[deque[Ticket]] = deque()

    def join(self, ticket: Ticket) -> None:
        """Stand in line."""
        self._tickets.append(ticket)

    def leave(self, ticket: Ticket) -> bool:
        """Leave the line; tell whether the ticket still stood there."""
        try:
            self._tickets.remove(ticket)
        except ValueError:
            return False
        return True

    def take(self, ticket: Ticket) -> list[Ticket]:
        """Take a ticket, and those that stand in front of it or behind, for one sync."""
        taken = [ticket] if self.leave(ticket) else []
        while self._tickets and len(taken) < MAX_TOGETHER:
            taken.append(self._tickets.popleft())
        return taken


def serve(
    tickets: Sequence[Ticket], together: Callable[[], AbstractContextManager[None]], path: str
) -> None:
    """
    Do the work of tickets; afterwards all are served, whatever happens.

    Args:
        tickets: at least one.
        together: makes what is done inside a `with` durable at once.
        path: the ledger's, for messages.

    Raises:
        BaseException: an interrupt; what it was at work for may be there or not, and is told so.
    """
    try:
        if len(tickets) == 1:
            tickets[0].run()
            return
        with together():
            for ticket in tickets:
                ticket.run()
    except LedgerFileError as exc:  # the batch is not durable, so all of it is lost
        _refuse(tickets, exc.path, exc.problem)
    except BaseException:
        _refuse(tickets, path, "who committed it was interrupted; it may be there or not")
        raise
    finally:
        for ticket in tickets:
            ticket.is_served = True


def _refuse(tickets: Sequence[Ticket], path: str, problem: str) -> None:
    """Give all that were not refused before an error of their own."""
    for ticket in tickets:
        ticket.error = ticket.error or LedgerFileError(path, problem)

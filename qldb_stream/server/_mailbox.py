"""
One at a time for a session, without a thread that waits.

Strategy: pyqldb's cursors that read ahead send FetchPage while the application sends the next
statement, so commands of one session may come at once. Whoever finds a session at work leaves
its job in the session's box and goes; who is at work does it next. So however many commands one
client sends for one session, they take one thread of the pool.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["MAX_WAITING", "Mailbox"]

MAX_WAITING: Final = 32
"""How many jobs may wait; drivers send one, or two when they read ahead."""


class Mailbox:
    """The jobs of one session; a job never raises."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._jobs: Final[deque[Callable[[], None]]] = deque()
        self._at_work = False

    def put(self, job: Callable[[], None], *, force: bool = False) -> bool:
        """
        Do a job now, or leave it to the thread that is at work here.

        Args:
            job: what to do.
            force: take it however many are waiting.

        Returns:
            False when too many are waiting; the job will not be done.
        """
        with self._lock:
            if self._at_work:
                if len(self._jobs) >= MAX_WAITING and not force:
                    return False
                self._jobs.append(job)
                return True
            self._at_work = True
        self._work(job)
        return True

    def _work(self, job: Callable[[], None] | None) -> None:
        while job is not None:
            job()
            job = self._next()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._at_work = False
            return None

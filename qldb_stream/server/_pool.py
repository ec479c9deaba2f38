"""
A fixed number of threads that do jobs.

The standard library's pool makes a Future for each job, which costs as much as a short command,
and lets a process end only when every job has: one statement that goes on for ever would keep the
server from stopping. These threads are daemons, and what they do answers by itself.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Pool"]


class Pool:
    """Threads that do jobs in the order in which they come; a job never raises."""

    def __init__(self, threads: int) -> None:
        self._jobs: Final[queue.SimpleQueue[Callable[[], None] | None]] = queue.SimpleQueue()
        self._threads: Final = [
            threading.Thread(target=self._work, name=f"qldb-stream-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Let a thread do a job."""
        self._jobs.put(job)

    def close(self, timeout_s: float) -> bool:
        """Do what was submitted and end; tell whether that was so in time."""
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # or this thread would keep the last request until the next one

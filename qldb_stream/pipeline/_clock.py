"""The time, as an argument: what waits asks a clock, so that tests never sleep."""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now_s(self) -> float:
        """Give the time in seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Let some seconds pass."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, some seconds at most; say whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Give the time in seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, some seconds at most; say whether it is set."""
        return event.wait(seconds)

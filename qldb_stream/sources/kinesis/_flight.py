"""
What was given and is not safe yet, in the order in which it was given.

Each step of a shard waits here until everything that was given before its end is acknowledged;
then it is the shard's checkpoint. A step without items (an empty answer, a record that holds
nothing) is done when what came before it is.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.sources.kinesis._values import Checkpoint

__all__ = ["Flight", "Progress"]


@attrs.define(eq=False)
class Progress:
    """
    How far one shard is read here.

    `read` is what has been given, `safe` what has been acknowledged of it.
    """

    read: Checkpoint
    safe: Checkpoint

    @property
    def is_settled(self) -> bool:
        """Say whether all that was given is acknowledged."""
        return self.safe == self.read


class Flight:
    """
    The steps that wait, of all shards; threads share it.

    Args:
        most: how many steps may wait before no more is read.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._lock: Final = threading.Lock()
        self._steps: Final[deque[tuple[Progress, int, Checkpoint]]] = deque()
        self._given = 0  # items of the steps that wait
        self._acknowledged = 0  # of these

    @property
    def is_full(self) -> bool:
        """Say whether nothing more should be read."""
        return len(self._steps) >= self._most

    @property
    def is_empty(self) -> bool:
        """Say whether all that was given is acknowledged."""
        return not self._steps

    def add(self, progress: Progress, items: int, reached: Checkpoint) -> None:
        """Take note that so many items are given next, and what is reached with the last."""
        with self._lock:
            progress.read = reached
            self._steps.append((progress, items, reached))
            self._given += items
            self._settle()

    def acknowledge(self, count: int) -> bool:
        """
        Take note that the next items are safe; say whether a shard was ended by that.

        Raises:
            UsageError: it is a negative number, or so many were not given.
        """
        with self._lock:
            if not 0 <= count <= self._given - self._acknowledged:
                raise UsageError(f"{count} items are acknowledged, so many were not given")
            self._acknowledged += count
            return self._settle()

    def _settle(self) -> bool:
        has_ended = False
        while self._steps and self._steps[0][1] <= self._acknowledged:
            progress, items, reached = self._steps.popleft()
            self._acknowledged -= items
            self._given -= items
            progress.safe = reached
            has_ended = has_ended or reached.is_ended
        return has_ended

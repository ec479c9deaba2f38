"""Tell how a long read goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

__all__ = ["Meter", "Progress"]

Progress: TypeAlias = Callable[[int, int, str], None]
"""
Is told how a long read goes on: `progress(done_bytes, total_bytes, stage)`.

The stages are ``index`` and ``read``, and ``fetch`` before them where objects of S3 are
fetched. It is called about every megabyte and at the end of each stage, by one thread at a
time; in the thread that reads, but for ``fetch``.
"""

_PROGRESS_BYTES: Final = 2**20


class Meter:
    """Calls a progress callback, but not for every record."""

    def __init__(self, progress: Progress | None, total: int, stage: str) -> None:
        self._progress = progress
        self._total = total
        self._stage = stage
        self._next = 0
        self._done = 0

    def add(self, count: int) -> None:
        """Tell that so much more is done, when enough is new."""
        self._done += count
        self.show(self._done)

    def show(self, done: int) -> None:
        """Tell how much is done, when enough is new."""
        if self._progress is not None and done >= self._next:
            self._next = done + _PROGRESS_BYTES
            self._progress(done, self._total, self._stage)

    def end(self) -> None:
        """Tell that the stage is done."""
        if self._progress is not None:
            self._progress(self._total, self._total, self._stage)

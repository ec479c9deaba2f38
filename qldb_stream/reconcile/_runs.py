"""Sets of block numbers as runs, of bounded size."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from qldb_stream.report import Gap

_MOST_RUNS: Final = 10_000
"""Beyond so many the nearest runs become one: a plan may name more blocks, never fewer."""


class Runs:
    """Block numbers, kept as runs with both ends included."""

    def __init__(self, *, most: int = _MOST_RUNS) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._most = most

    def add(self, first: int, last: int) -> None:
        """Add a run; it joins those that it touches."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        if len(self._firsts) > self._most:
            self._merge()

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Give the runs in order."""
        return tuple(zip(self._firsts, self._lasts, strict=True))

    def _merge(self) -> None:
        """Make half as many runs, each of two neighbours."""
        self._firsts = self._firsts[::2]
        lasts = self._lasts[1::2]
        self._lasts = lasts if len(self._lasts) % 2 == 0 else [*lasts, self._lasts[-1]]


def is_in(number: int, gaps: Sequence[Gap]) -> bool:
    """Say whether a number is in a declared gap."""
    return any(gap.first <= number <= gap.last for gap in gaps)

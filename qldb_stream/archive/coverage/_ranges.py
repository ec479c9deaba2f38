"""Which numbers of a rising sequence came, as few ranges, in bounded memory."""

from __future__ import annotations

from bisect import bisect_left

__all__ = ["RangeList"]


class RangeList:
    """
    Numbers that rise, as ranges with both ends included.

    Up to `limit` ranges are exact. When there are more, small holes between them are filled,
    the smallest first, until half as many are left; so a picture of them stays true to
    the width of its lines, whatever comes.

    Attributes:
        count: how many numbers came; always exact.
    """

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._filled = 0  # holes up to this width are filled
        self._ranges: list[tuple[int, int]] = []

    @property
    def is_exact(self) -> bool:
        """Say whether no hole was filled."""
        return not self._filled

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Give the ranges, rising and apart."""
        return tuple(self._ranges)

    def add(self, first: int, last: int | None = None) -> None:
        """Take in a number, or all from first to last; higher ones than came before."""
        last = first if last is None else last
        self.count += last - first + 1
        if self._ranges and first - self._ranges[-1][1] - 1 <= self._filled:
            self._ranges[-1] = (self._ranges[-1][0], last)
            return
        self._ranges.append((first, last))
        if len(self._ranges) > self._limit:
            self._thin()

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._ranges, number, key=lambda ends: ends[1])
        return at < len(self._ranges) and self._ranges[at][0] <= number

    def _thin(self) -> None:
        while len(self._ranges) > max(1, self._limit // 2):
            self._filled = max(1, 2 * self._filled)
            self._fill()

    def _fill(self) -> None:
        kept: list[tuple[int, int]] = []
        for first, last in self._ranges:
            if kept and first - kept[-1][1] - 1 <= self._filled:
                kept[-1] = (kept[-1][0], last)
            else:
                kept.append((first, last))
        self._ranges = kept

"""
What the search for sound items in a carrier may cost.

Strategy: one account for each walk. Sound bytes cost nothing and earn; what a reader looks at
in vain is paid, by how long it takes a byte, whether or not it ends with an error. Nobody starts
what costs more than half of what is left. So the cost of a walk is in proportion to its bytes,
however they are arranged, and something is always left for small items.

A unit is about two nanoseconds of CPython 3.11 on the machine that the numbers come from.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import CarrierError

__all__ = ["Effort", "ShortError"]

_FIRST: Final = 1 << 20
_FIRST_PER_BYTE: Final = 128
"""Ion text of one item, read in vain, and as much again, because of the half."""

_MAX_FIRST_BYTES: Final = 1 << 24  # as much as one item may have
_EARNED_PER_BYTE: Final = 8


class Effort:
    """
    Units that may still be spent in vain, and how many were.

    Attributes:
        left: may be below zero for a while, where a cost was known only after it was spent.
        spent: the sum of what was spent.
    """

    __slots__ = ("left", "spent")

    def __init__(self, size_bytes: int) -> None:
        self.left = _FIRST + _FIRST_PER_BYTE * min(size_bytes, _MAX_FIRST_BYTES)
        self.spent = 0

    def earn(self, count_bytes: int) -> None:
        """Note that so many bytes have been passed."""
        self.left += _EARNED_PER_BYTE * count_bytes

    def spend(self, cost: int) -> None:
        """Pay for something that was looked at in vain."""
        self.left -= cost
        self.spent += cost

    def may_spend(self) -> int:
        """Say how much one attempt may cost."""
        return max(0, self.left // 2)

    def need(self, cost: int, pos: int) -> None:
        """
        Refuse an attempt, at a position, that may cost too much.

        Raises:
            CarrierError: it is more than half of what is left.
        """
        if 2 * cost > self.left:
            raise CarrierError("carrier", pos, "too much before this place was looked at in vain")

    def pay(self, cost: int, pos: int) -> None:
        """
        Spend what `need` does not refuse.

        Raises:
            CarrierError: as `need` does; nothing is spent then.
        """
        self.need(cost, pos)
        self.spend(cost)


class ShortError(Exception):
    """The bytes held end too early to tell; never leaves the parsers."""

"""
Ids as QLDB writes them: 128 random bits as 22 base62 characters (facts 2.2).

Strategy: every insert needs an id, so the digits are taken two at a time from a table of
all 3,844 pairs, and the number is cut into parts that fit into a machine word first.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["ID_CHARACTERS", "encode_id", "new_id"]

ID_CHARACTERS: Final = 22
"""The length of every id; 62 ** 22 is the first power of 62 beyond 2 ** 128."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [high + low for high in _DIGITS for low in _DIGITS]
_BASE: Final = len(_PAIRS)
_FOUR: Final = _BASE**2  # values of four characters
_EIGHT: Final = _BASE**4
_ID_BYTES: Final = 16


def encode_id(number: int) -> str:
    """
    Write a number as an id.

    Args:
        number: from 0 to 2 ** 128 - 1.

    Returns:
        22 characters of `[0-9A-Za-z]`, padded with `0` on the left.
    """
    rest, low = divmod(number, _EIGHT)
    high, middle = divmod(rest, _EIGHT)
    head, tail = divmod(high, _FOUR)  # six characters: two, then four
    return (
        _PAIRS[head] + _PAIRS[tail // _BASE] + _PAIRS[tail % _BASE] + _eight(middle) + _eight(low)
    )


def _eight(number: int) -> str:
    """Write eight characters."""
    high, low = divmod(number, _FOUR)
    return _PAIRS[high // _BASE] + _PAIRS[high % _BASE] + _PAIRS[low // _BASE] + _PAIRS[low % _BASE]


def new_id() -> str:
    """Draw a new id from the operating system's random numbers."""
    # Nothing is drawn in advance: a forked process would hand out the same ids.
    return encode_id(int.from_bytes(os.urandom(_ID_BYTES), "big"))

"""
An int of any size as a decimal, exactly.

`Decimal(int)` takes quadratic time, two seconds for the largest int that fits into a parameter,
and holds the interpreter's lock: one comparison would stop everybody. Halves are put together
by multiplication instead, which is nearly linear for decimals, as Python's own `_pylong` does it.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Final

__all__ = ["to_decimal"]

# Up to here halving gains nothing.
_PIECE_BITS: Final = 4096

# Exact, or an error: nothing is ever rounded.
_EXACT: Final = decimal.Context(
    prec=decimal.MAX_PREC,
    Emin=decimal.MIN_EMIN,
    Emax=decimal.MAX_EMAX,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
)


def to_decimal(number: int | Decimal) -> Decimal:
    """Give the decimal that equals an int; a decimal stays what it is, without annotations."""
    if isinstance(number, Decimal) or number.bit_length() <= _PIECE_BITS:
        return Decimal(number)
    powers = [Decimal(1 << _PIECE_BITS)]
    while _PIECE_BITS << len(powers) < number.bit_length():
        powers.append(_EXACT.multiply(powers[-1], powers[-1]))
    magnitude = _join(abs(int(number)), powers, len(powers) - 1)
    return magnitude if number > 0 else magnitude.copy_negate()


def _join(number: int, powers: list[Decimal], level: int) -> Decimal:
    """Convert both halves of a number of at most `_PIECE_BITS << level + 1` bits."""
    if number.bit_length() <= _PIECE_BITS:
        return Decimal(number)
    width = _PIECE_BITS << level
    high = _join(number >> width, powers, level - 1)
    low = _join(number & ((1 << width) - 1), powers, level - 1)
    return _EXACT.add(_EXACT.multiply(high, powers[level]), low)

"""
Numbers and text put together: `+ - * / %`, signs, `||`, and what aggregates fold.

An unknown operand gives NULL. int with int stays int (division truncates, the
remainder has the dividend's sign), a decimal makes the result decimal in 38 digits as
in the reference implementation, float with float or int stays float.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._context import Evaluate, Frame
from qldb_stream.partiql._holding import check_size, evaluate_all, make_operands
from qldb_stream.partiql._numbers import to_decimal
from qldb_stream.partiql._values import NUMBERS, TEXTS, Kind, is_unknown, kind_of, text_of

Failure = Callable[[str], PartiqlEvaluationError]

# The reference implementation's MathContext(38, HALF_EVEN); the exponents are Decimal's own.
_CONTEXT: Final = decimal.Context(
    prec=38,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=decimal.MIN_EMIN,
    Emax=decimal.MAX_EMAX,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)

# An int beyond this has no business in a document, and multiplying on would take minutes.
_MAX_INT_BITS: Final = 1 << 16

# Dividing a parameter's megabit takes seconds, and making a decimal of it a tenth; what may come of
# arithmetic can be an operand.
_MAX_OPERAND_BITS: Final = 1 << 17


def make_arithmetic(
    operator: str, left: Evaluate, right: Evaluate, failure: Failure, *, light: bool = False
) -> Evaluate:
    """Make one of `+ - * / %`; `light` says that the right operand builds nothing."""
    name = _OPERATIONS[operator]
    operands = make_operands(left, right, light=light)

    def arithmetic(frame: Frame) -> Any:
        a, b = operands(frame)
        if is_unknown(a) or is_unknown(b):
            return None
        return compute(name, number_of(a, failure), number_of(b, failure), failure)

    return arithmetic


def make_sign(operator: str, operand: Evaluate, failure: Failure) -> Evaluate:
    """Make unary `-` or `+`; the digits stay as they are."""

    def signed(frame: Frame) -> Any:
        value = operand(frame)
        if is_unknown(value):
            return None
        number = number_of(value, failure)
        if operator == "+":
            return number
        return number.copy_negate() if isinstance(number, Decimal) else -number

    return signed


def make_concatenation(left: Evaluate, right: Evaluate, failure: Failure) -> Evaluate:
    """Make `||`; NULL when an operand is unknown (facts 5.4)."""
    parts = (left, right)

    def concatenation(frame: Frame) -> Any:
        operands = evaluate_all(frame, parts)
        if any(is_unknown(operand) for operand in operands):
            return None
        for operand in operands:
            if kind_of(operand) not in TEXTS:
                raise failure(f"|| expects text, found {kind_of(operand).name.lower()}")
        texts = [text_of(operand) or "" for operand in operands]
        check_size(frame, len(texts[0]) + len(texts[1]))
        return "".join(texts)

    return concatenation


def number_of(value: Any, failure: Failure) -> Any:
    """Give a plain int, float or Decimal, without annotations."""
    kind = kind_of(value)
    if kind not in NUMBERS:
        raise failure(f"expected a number, found {kind.name.lower()}")
    if kind is Kind.INT:
        return int(value)
    return float(value) if kind is Kind.FLOAT else Decimal(value)


def compute(name: str, a: Any, b: Any, failure: Failure) -> Any:
    """Carry out one operation on plain numbers."""
    try:
        if isinstance(a, Decimal) or isinstance(b, Decimal):
            return getattr(_CONTEXT, name)(exact(a, failure), exact(b, failure))
        if isinstance(a, float) or isinstance(b, float):
            return _FLOATS[name](float(a), float(b))
        if max(a.bit_length(), b.bit_length()) > _MAX_OPERAND_BITS:
            raise failure("number out of range")
        result = _INTS[name](a, b)
    except (decimal.DivisionByZero, ZeroDivisionError) as exc:
        raise failure("division by zero") from exc
    except (decimal.DecimalException, OverflowError) as exc:
        raise failure("number out of range") from exc
    if result.bit_length() > _MAX_INT_BITS:
        raise failure("number out of range")
    return result


def exact(number: Any, failure: Failure) -> Decimal:
    """Make a decimal of a number, a float by its shortest digits; Ion's decimals are finite."""
    if isinstance(number, int) and number.bit_length() > _MAX_OPERAND_BITS:
        raise failure("number out of range")
    if not isinstance(number, float):
        return to_decimal(number)
    if not math.isfinite(number):
        raise failure("number out of range")
    return Decimal(repr(number))


def _quotient(a: int, b: int) -> int:
    """Divide, truncating towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    """Give the remainder that has the dividend's sign."""
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


def _float_remainder(a: float, b: float) -> float:
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


_OPERATIONS: Final = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "remainder",
}
_INTS: Final[dict[str, Callable[[int, int], int]]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": _quotient,
    "remainder": _remainder,
}
_FLOATS: Final[dict[str, Callable[[float, float], float]]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "remainder": _float_remainder,
}

"""
What becomes of an Ion value in a column, and of a column when its values are of two types.

Types widen, never narrow: whole numbers to decimals, or to doubles where a double holds each
of them; anything else that does not fit becomes TEXT. A text column shows a text as it is and
every other value as JSON; the column `data` always has the document as it was.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import IonSlice, IonType, to_ascii_json, to_text

__all__ = ["ColumnType", "Kind", "as_text", "join", "type_of", "value_for"]

_INT64_DIGITS: Final = 18
_DOUBLE_DIGITS: Final = 15  # each whole number of so many digits is a double
_MAX_DIGITS: Final = 38  # of a decimal128
_MAX_BITS: Final = 128
_SCALES: Final = (0, 2, 4, 9, 18, 27)  # steps, so that prices do not change the type each time

# Year to day, then perhaps time and offset; the last six digits of a fraction are microseconds.
_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(?:(\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:\d\d))?"
)


class Kind(enum.Enum):
    """The kinds of columns."""

    BOOL = "boolean"
    INT = "int"
    DOUBLE = "double"
    DECIMAL = "decimal"
    TIMESTAMP = "timestamp"
    TEXT = "text"


@attrs.frozen
class ColumnType:
    """
    The type of a column.

    `digits` are those before the point that numbers have at most, `scale` those behind it.
    """

    kind: Kind
    digits: int = 0
    scale: int = 0

    @property
    def storage(self) -> str:
        """Name the Parquet type; files are written anew when it changes."""
        if self.kind is Kind.INT:
            return "int64" if self.digits <= _INT64_DIGITS else f"decimal({_MAX_DIGITS},0)"
        if self.kind is Kind.DECIMAL:
            return f"decimal({_MAX_DIGITS},{self.scale})"
        return str(self.kind.value)

    def as_json(self) -> dict[str, Any]:
        """Give what a manifest keeps of it."""
        return {"kind": self.kind.value, "digits": self.digits, "scale": self.scale}

    @classmethod
    def from_json(cls, entry: Any) -> ColumnType:
        """Read what `as_json` gave; `KeyError`, `TypeError` or `ValueError` for anything else."""
        return cls(Kind(entry["kind"]), entry["digits"], entry["scale"])


TEXT: Final = ColumnType(Kind.TEXT)


def type_of(value: IonSlice) -> ColumnType | None:
    """Tell the narrowest type that holds a value; None for a null, which fits all."""
    if value.is_null:
        return None
    if value.annotations:
        return TEXT
    kind = value.ion_type
    if kind is IonType.BOOL:
        return ColumnType(Kind.BOOL)
    if kind is IonType.FLOAT:
        return ColumnType(Kind.DOUBLE)
    if kind is IonType.INT:
        number = int(value.decode())
        # Longer ones fit no column, and would take time to be counted.
        return TEXT if number.bit_length() > _MAX_BITS else _number_type(Decimal(number))
    if kind is IonType.DECIMAL:
        return _number_type(Decimal(value.decode()), is_decimal=True)
    if kind is IonType.TIMESTAMP and _maybe_moment(value) is not None:
        return ColumnType(Kind.TIMESTAMP)
    return TEXT


def join(first: ColumnType | None, second: ColumnType | None) -> ColumnType | None:
    """Give the narrowest type that holds the values of both."""
    if first is None or second is None or first == second:
        return second if first is None else first
    kinds = {first.kind, second.kind}
    digits, scale = max(first.digits, second.digits), max(first.scale, second.scale)
    if kinds == {Kind.INT}:
        return ColumnType(Kind.INT, digits)
    if kinds <= {Kind.INT, Kind.DECIMAL} and digits + scale <= _MAX_DIGITS:
        return ColumnType(Kind.DECIMAL, digits, scale)
    if kinds == {Kind.INT, Kind.DOUBLE} and digits <= _DOUBLE_DIGITS:
        return ColumnType(Kind.DOUBLE)
    return TEXT


def value_for(value: IonSlice, column: ColumnType) -> Any:
    """Give a value as a column of a type that holds it has it; None for a null."""
    if value.is_null:
        return None
    if column.kind is Kind.TEXT:
        return as_text(value)
    if column.kind is Kind.TIMESTAMP:
        return _maybe_moment(value)
    plain = value.decode()
    if column.kind is Kind.BOOL:
        return bool(plain)
    if column.kind is Kind.DOUBLE:
        return float(plain)
    if column.storage == "int64":
        return int(plain)
    return Decimal(int(plain)) if value.ion_type is IonType.INT else Decimal(plain)


def as_text(value: IonSlice) -> str:
    """Show a value as text: a text or symbol as it is, all else as JSON."""
    shown = to_ascii_json(value)
    found: Any = json.loads(shown) if shown.startswith('"') else shown
    return str(found)


def _number_type(value: Decimal, *, is_decimal: bool = False) -> ColumnType:
    sign_digits_exponent = value.as_tuple()
    exponent = sign_digits_exponent.exponent
    assert isinstance(exponent, int)  # Ion has no infinity among its decimals
    scale = _step_up(max(0, -exponent))
    digits = max(0, value.adjusted() + 1) if value else 0
    if scale is None or digits + scale > _MAX_DIGITS:
        return TEXT
    return ColumnType(Kind.DECIMAL if is_decimal else Kind.INT, digits, scale)


def _step_up(scale: int, steps: Sequence[int] = _SCALES) -> int | None:
    return next((step for step in steps if scale <= step), None)


def _maybe_moment(value: IonSlice) -> datetime | None:
    """Read a timestamp of a day or finer, microseconds at most, as UTC; None for others."""
    try:
        found = _TIMESTAMP.fullmatch(to_text(value))
        if found is None:
            return None
        day, time, offset = found.groups()
        # A day alone is its midnight; an unknown offset is UTC, as Ion counts it.
        text = f"{day}T{time or '00:00'}{(offset or 'Z').replace('-00:00', 'Z')}"
        return datetime.fromisoformat(text).astimezone(UTC)
    except (QldbStreamError, ValueError, OverflowError):
        return None

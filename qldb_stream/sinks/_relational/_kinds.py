"""
What columns hold, and which kind a value of a document asks for.

There are six kinds. A column begins as the kind of the first value that comes for it, and
stays so until a value of another kind comes: then it becomes JSON, which holds all of them. A
value that its column cannot hold whole leaves there the nearest that it can, or nothing, and
stands as Ion in the row's `qldb_rest`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from qldb_stream.ion import IonType

__all__ = ["MISFIT", "Kind", "Misfit", "base_type", "kind_of", "maybe_time_text", "time_text"]


class Kind(enum.Enum):
    """The kinds of columns; INTEGER is for the sink's own ones only."""

    BOOLEAN = "boolean"
    NUMERIC = "numeric"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    BYTES = "bytes"
    JSON = "json"
    INTEGER = "integer"


class Misfit(enum.Enum):
    """What a column answers to a value that it cannot hold whole."""

    MISFIT = "misfit"


MISFIT: Final = Misfit.MISFIT

_KINDS: Final[Mapping[IonType, Kind]] = {
    IonType.BOOL: Kind.BOOLEAN,
    IonType.INT: Kind.NUMERIC,
    IonType.FLOAT: Kind.NUMERIC,
    IonType.DECIMAL: Kind.NUMERIC,
    IonType.TIMESTAMP: Kind.TIMESTAMP,
    IonType.SYMBOL: Kind.TEXT,
    IonType.STRING: Kind.TEXT,
    IonType.CLOB: Kind.BYTES,
    IonType.BLOB: Kind.BYTES,
    IonType.LIST: Kind.JSON,
    IonType.SEXP: Kind.JSON,
    IonType.STRUCT: Kind.JSON,
}

# Subclasses stand before their bases: a bool is an int to Python.
_PLAIN: Final = (
    (bool, IonType.BOOL),
    (int, IonType.INT),
    (float, IonType.FLOAT),
    (Decimal, IonType.DECIMAL),
    (datetime, IonType.TIMESTAMP),
    (str, IonType.STRING),
    (bytes, IonType.BLOB),
    (list, IonType.LIST),
    (dict, IonType.STRUCT),
)
_SECOND: Final = 4  # amazon.ion's precision of whole timestamps
_MICROSECOND: Final = -6


def base_type(value: Any) -> IonType:
    """Name the Ion type of a decoded value; a null's is NULL, whatever it is a null of."""
    amazon_type = getattr(value, "ion_type", None)
    if value is None or type(value).__name__ == "IonPyNull":
        return IonType.NULL
    if amazon_type is not None:
        return IonType(int(amazon_type))
    return next((ion_type for plain, ion_type in _PLAIN if isinstance(value, plain)))


def kind_of(value: Any) -> Kind | None:
    """Say which kind of column a decoded value asks for; None for a null."""
    return _KINDS.get(base_type(value))


def time_text(utc: datetime) -> str:
    """Write a moment in UTC as columns hold it; texts sort as their moments do."""
    return datetime.isoformat(utc, timespec="microseconds")


def maybe_time_text(value: Any) -> str | Misfit:
    """
    Write a timestamp that says a moment in UTC, with six decimal places at most.

    How many decimal places it has is not kept. One that says less than a second, an offset or
    none, or more places is a misfit.
    """
    zone = value.tzinfo
    if zone is not UTC and (zone is None or datetime.utcoffset(value)):
        return MISFIT
    precision = getattr(value, "precision", None)
    if precision is None:
        return time_text(value)
    if int(precision) != _SECOND or getattr(value, "ion_type", None) is not None:
        return MISFIT
    fraction = value.fractional_seconds
    if value.fractional_precision == -_MICROSECOND and fraction is not None:
        exponent = fraction.as_tuple().exponent
        if exponent < _MICROSECOND:
            return MISFIT
    return time_text(value)

"""
Values of documents as cells: by kind of column and type of value, exact or not at all.

`Cells.exact` is a table of functions, so that an ordinary value costs two look-ups and a
call. Each gives the cell, or MISFIT where the column would not say all that the value says;
`Cells.nearest` gives then what the column gets all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from amazon.ion.core import Timestamp

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion import IonType, instant_of
from qldb_stream.sinks._relational._json import JsonWriter
from qldb_stream.sinks._relational._kinds import MISFIT, Kind, base_type, maybe_time_text, time_text

__all__ = ["Cell", "Cells", "Makers"]

Cell: TypeAlias = Any
"""What a database takes for a column: str, bytes, int, float, bool or None."""

Makers: TypeAlias = Mapping[type, Callable[[Any], Cell]]
"""By type of value, what makes the cell of a column, or MISFIT."""

_NUMBERS: Final = (int, float, Decimal)


def _same(value: Cell) -> Cell:
    return value


def _without_nul(value: str) -> Cell:
    return MISFIT if "\0" in value else value


class Cells:
    """
    How a database takes values.

    Args:
        takes_nul: whether texts may have characters U+0000.
        number: gives a number's cell, or MISFIT.
        near_number: gives the cell that comes nearest, None where nothing does.

    Attributes:
        exact: for each kind, what makes cells.
    """

    def __init__(
        self,
        *,
        takes_nul: bool,
        number: Callable[[Any], Cell],
        near_number: Callable[[Any], Cell],
    ) -> None:
        self._takes_nul = takes_nul
        self._near_number = near_number
        self._writer = JsonWriter(takes_nul=takes_nul)
        text = _same if takes_nul else _without_nul
        self.exact: Mapping[Kind, Makers] = {
            Kind.BOOLEAN: {bool: _same},
            Kind.NUMERIC: dict.fromkeys(_NUMBERS, number),
            Kind.TIMESTAMP: {datetime: maybe_time_text, Timestamp: maybe_time_text},
            Kind.TEXT: {str: text},
            Kind.BYTES: {bytes: _same},
            Kind.JSON: dict.fromkeys((bool, *_NUMBERS, str, list, dict), self._json),
        }

    def nearest(self, kind: Kind, value: Any) -> Cell:
        """Give what a column of the value's own kind, or of JSON, holds of a misfit."""
        match kind:
            case Kind.JSON:
                return self.json(value)
            case Kind.BOOLEAN:
                return bool(value)
            case Kind.NUMERIC:
                return self._near_number(value)
            case Kind.TIMESTAMP:
                return _near_time(value)
            case Kind.TEXT:
                return self._near_text(value)
            case _:
                return bytes(value)

    def json(self, value: Any) -> str | None:
        """Write a value as JSON; None where it nests deeper than the stack has room for."""
        try:
            return self._writer.write(value)
        except RecursionError:
            return None

    def _json(self, value: Any) -> Cell:
        self._writer.is_exact = True
        text = self.json(value)
        return text if self._writer.is_exact and text is not None else MISFIT

    def _near_text(self, value: Any) -> str | None:
        text = value.text if base_type(value) is IonType.SYMBOL else str(value)
        if text is None or self._takes_nul:
            return text
        return str(text).replace("\0", "\ufffd")


def _near_time(value: datetime) -> str | None:
    """Give the moment at which a timestamp begins, an unknown offset read as UTC."""
    try:
        instant = instant_of(value)
    except IonEncodeError:  # no moment that Python has
        return None
    places = -instant.exponent
    micros = instant.coefficient * 10**6 // 10**places if places <= _MAX_PLACES else 0
    return time_text(instant.utc.replace(microsecond=micros, tzinfo=UTC))


_MAX_PLACES: Final = 100  # more are cut off; no clock has them

"""
Ion as JSON that people and their tools can read, in ASCII; what JSON cannot say is left out.

It follows the Ion cookbook's "down-conversion": annotations are dropped, every null is
null, symbols and timestamps are strings, blobs are base64, clobs strings of their
bytes, sexps lists, decimals and floats numbers; nan and the infinities are null. On top
of that: an integer of more than 10,000 bits is a string in hexadecimal, because few
readers of JSON survive it, and a timestamp shows six decimal places at most. A repeated
field name is repeated. Whoever needs the value itself takes the Ion.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from qldb_stream.ion._fields import iter_elements, iter_fields
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._types import IonType

_MAX_INT_BITS: Final = 10_000

# What follows the year, by amazon.ion's names of precisions that are less than a second.
_COARSE: Final = {0: "%YT", 1: "%Y-%mT", 2: "%Y-%m-%d", 3: "%Y-%m-%dT%H:%M"}
_SECOND: Final = 4


def to_ascii_json(value: IonSlice) -> str:
    """
    Write an Ion value as JSON, in ASCII and on one line.

    Raises:
        IonDecodeError: its bytes are not sound Ion.
    """
    if value.is_null:
        return "null"
    kind = value.ion_type
    if kind is IonType.STRUCT:
        members = (
            f"{json.dumps(name or '$0')}:{to_ascii_json(v)}" for name, v in iter_fields(value)
        )
        return "{" + ",".join(members) + "}"
    if kind in {IonType.LIST, IonType.SEXP}:
        return "[" + ",".join(map(to_ascii_json, iter_elements(value))) + "]"
    return _SCALARS[kind](value.decode())


def _int(value: int) -> str:
    if value.bit_length() > _MAX_INT_BITS:
        return f'"{value:#x}"'
    return str(int(value))


def _float(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "null"


def _timestamp(value: datetime) -> str:
    precision = getattr(value, "precision", None)
    coarse = None if precision is None else _COARSE.get(int(precision))
    year = f"{value.year:04}"  # strftime does not pad it everywhere
    if coarse is not None:
        text = value.strftime(coarse.replace("%Y", year))
    else:
        text = year + value.strftime("-%m-%dT%H:%M:%S") + _fraction(value)
    if precision is None or int(precision) > 2:
        text += _offset(value)
    return f'"{text}"'


def _fraction(value: datetime) -> str:
    places = getattr(value, "fractional_precision", None)
    places = 6 if places is None else int(places)
    return f".{value.microsecond:06}"[: places + 1] if places else ""


def _offset(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return "-00:00"
    minutes = round(offset.total_seconds()) // 60
    if not minutes:
        return "Z"
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _symbol(value: Any) -> str:
    # amazon.ion's token has no text when the symbol table does not know it.
    return json.dumps("$0" if value.text is None else value.text)


def _string(value: str) -> str:
    return json.dumps(str(value))


_SCALARS: Final[dict[IonType, Callable[[Any], str]]] = {
    IonType.BOOL: lambda value: "true" if value else "false",
    IonType.INT: _int,
    IonType.FLOAT: _float,
    IonType.DECIMAL: str,
    IonType.TIMESTAMP: _timestamp,
    IonType.SYMBOL: _symbol,
    IonType.STRING: _string,
    IonType.CLOB: lambda value: json.dumps(bytes(value).decode("latin-1")),
    IonType.BLOB: lambda value: f'"{base64.b64encode(value).decode()}"',
}

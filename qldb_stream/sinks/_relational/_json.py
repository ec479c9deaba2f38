"""
Decoded Ion as JSON for columns, and whether the JSON says all that the Ion said.

Numbers are written digit for digit. What JSON has no word for is written as what comes
nearest (timestamps and blobs as text, symbols as strings), and the writer says so.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

from qldb_stream.ion import IonType, to_slice, to_text
from qldb_stream.sinks._relational._kinds import MISFIT, base_type, maybe_time_text

__all__ = ["JsonWriter", "number_text"]

# `str` refuses longer ints, because it is slow on them; Decimal is not.
_SHORT_INT_BITS: Final = 4096

# PostgreSQL's numeric: digits before the point, and after it (chapter 8.1.2).
_MAX_WHOLE_DIGITS: Final = 131_072
_MAX_PLACES: Final = 16_383


def number_text(value: float | Decimal) -> str | None:
    """Write a number; None for one that `numeric` cannot hold to the last digit."""
    if isinstance(value, float):
        # Minus zero is a float's only; nan and the infinities are no numbers.
        text = float.__repr__(value)
        return text if math.isfinite(value) and text != "-0.0" else None
    if isinstance(value, int):
        if value.bit_length() < _SHORT_INT_BITS:
            return int.__repr__(value)
        value = Decimal(value)
    if not value:
        return None if value.is_signed() or abs(value.adjusted()) > _MAX_PLACES else str(value)
    exponent = value.as_tuple().exponent
    is_held = isinstance(exponent, int) and exponent >= -_MAX_PLACES
    return str(value) if is_held and value.adjusted() < _MAX_WHOLE_DIGITS else None


class JsonWriter:
    """
    Writes decoded values as JSON text.

    Attributes:
        is_exact: whether everything since it was last set True was said whole.
    """

    def __init__(self, *, takes_nul: bool) -> None:
        self.is_exact = True
        self._takes_nul = takes_nul
        self._writers: dict[type, Callable[[Any], str]] = {
            type(None): lambda _: "null",
            bool: lambda value: "true" if value else "false",
            int: self._number,
            float: self._number,
            Decimal: self._number,
            str: self._string,
            list: self._list,
            dict: self._struct,
        }
        self._odd: dict[IonType, Callable[[Any], str]] = {
            IonType.NULL: lambda _: "null",
            IonType.BOOL: lambda value: "true" if value else "false",
            IonType.INT: lambda value: self._number(int(value)),
            IonType.FLOAT: lambda value: self._number(float(value)),
            IonType.DECIMAL: lambda value: self._number(Decimal(value)),
            IonType.TIMESTAMP: self._time,
            IonType.SYMBOL: lambda value: self._string(value.text or "$0"),
            IonType.STRING: lambda value: self._string(str(value)),
            IonType.CLOB: lambda value: self._string(bytes(value).decode("latin-1")),
            IonType.BLOB: lambda value: self._string(base64.b64encode(value).decode()),
            IonType.LIST: self._list,
            IonType.SEXP: self._list,
            IonType.STRUCT: self._odd_struct,
        }

    def write(self, value: Any) -> str:
        """Write a value; `is_exact` becomes False when JSON does not say all of it."""
        writer = self._writers.get(type(value))
        if writer is not None:
            return writer(value)
        self.is_exact = False
        return self._odd[base_type(value)](value)

    def _number(self, value: float | Decimal) -> str:
        text = number_text(value)
        if text is None:
            self.is_exact = False
            return "null"
        return text

    def _string(self, value: str) -> str:
        if not self._takes_nul and "\0" in value:
            self.is_exact = False
            value = value.replace("\0", "\ufffd")
        return encode_basestring(value)

    def _time(self, value: Any) -> str:
        text = maybe_time_text(value)
        return json.dumps(to_text(to_slice(value)) if text is MISFIT else text)

    def _list(self, values: Any) -> str:
        write = self.write
        return f"[{', '.join([write(value) for value in values])}]"

    def _struct(self, fields: dict[str, Any]) -> str:
        write, string = self.write, self._string
        if None in fields:  # a name of unknown text
            return self._odd_struct(fields)
        return f"{{{', '.join([f'{string(k)}: {write(v)}' for k, v in fields.items()])}}}"

    def _odd_struct(self, fields: Any) -> str:
        """Write a struct that may repeat names or lack their texts; the last one counts."""
        self.is_exact = False
        plain = {"$0" if name is None else name: fields[name] for name in fields}
        return f"{{{', '.join([f'{self._string(k)}: {self.write(v)}' for k, v in plain.items()])}}}"

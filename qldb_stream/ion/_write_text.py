"""
Write Ion text straight from the bytes: every value that there is, on one line or indented.

It is several times as fast as amazon.ion's writer, and has a spelling for whatever that refuses.
Each spelling is one that Ion 1.0 text gives the value; names and symbols are quoted where they
need it. Only timestamps are amazon.ion's, and remembered.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion._fields import iter_elements, iter_fields
from qldb_stream.ion._json import int_text, scalar_of, time_text
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._symbol_text import symbol_text
from qldb_stream.ion._types import IonType

_MARKER: Final = "$ion_1_0"
# Beyond that many places a decimal is written with its exponent.
_MAX_PLACES: Final = 20


# What surrounds the elements of a container, and what stands between two.
_BRACKETS: Final = {
    IonType.LIST: ("[", ",", "]"),
    IonType.SEXP: ("(", "", ")"),
    IonType.STRUCT: ("{", ",", "}"),
}


def to_text(s: IonSlice, *, indent: str | None = None, is_part: bool = False) -> str:
    """
    Write a value as Ion text, without version marker.

    Args:
        s: the value.
        indent: what each level is indented with, on lines of their own; None for one line.
        is_part: the text is no stream of its own, but shown, or put inside another value.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
        IonEncodeError: amazon.ion cannot write a timestamp in it; or it is the symbol
            `$ion_1_0`, which is no value at the top level of a stream.
    """
    if not is_part:
        _check_alone(s)
    return _write(s) if indent is None else _lay_out(s, indent, "\n")


def _lay_out(s: IonSlice, indent: str, margin: str) -> str:
    """Write a value on several lines; the margin is a line's end and its indentation."""
    if s.is_null or s.ion_type not in _BRACKETS:
        return _write(s)
    opening, comma, closing = _BRACKETS[s.ion_type]
    inner = margin + indent
    if s.ion_type is IonType.STRUCT:
        members = [
            f"{inner}{symbol_text(name)}: {_lay_out(one, indent, inner)}"
            for name, one in iter_fields(s)
        ]
    else:
        members = [inner + _lay_out(one, indent, inner) for one in iter_elements(s)]
    end = margin if members else ""
    return f"{_prefix(s)}{opening}{comma.join(members)}{end}{closing}"


def write_text(s: IonSlice) -> str:
    """
    Write a value as Ion text on one line, without version marker, as `to_text` does.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
        IonEncodeError: amazon.ion cannot write a timestamp in it; or it is the symbol
            `$ion_1_0`, which is no value at the top level of a stream.
    """
    _check_alone(s)
    return _write(s)


def _check_alone(s: IonSlice) -> None:
    """
    Refuse the one value that a stream cannot have at its top level, however it is spelled.

    "Any encoding of `$ion_1_0` that does not match the forms specified above are system values
    that have no processing semantics (a NOP)" (Ion 1.0 symbols specification, "Ion Version
    Markers"; ion-tests has them in good/equivs/nonIVMNoOps.ion): every reader drops it.
    """
    if s.ion_type is not IonType.SYMBOL or s.is_null or s.annotations:
        return
    symbol = scalar_of(s)
    if (symbol if isinstance(symbol, str) else symbol.text) == _MARKER:
        raise IonEncodeError(
            f"expected a value, found the symbol {_MARKER}, which readers of Ion drop where it "
            "stands alone; put it into a list or struct, or annotate it"
        )


def _write(s: IonSlice) -> str:
    start = s.value_start()
    prefix = _prefix(s) if start != s.start else ""
    kind = s.ion_type
    if s.buf[start] & 15 == 15:
        return f"{prefix}null" if kind is IonType.NULL else f"{prefix}null.{kind.name.lower()}"
    return prefix + _WRITERS[kind](s)


def _prefix(s: IonSlice) -> str:
    return "".join(f"{symbol_text(text)}::" for text in s.annotations)


def _bool(s: IonSlice) -> str:
    return "true" if scalar_of(s) else "false"


def _float(s: IonSlice) -> str:
    number = float(scalar_of(s))
    if math.isfinite(number):
        text = repr(number)
        return text if "e" in text else text + "e0"
    return "nan" if math.isnan(number) else f"{number:+}"


def _decimal(s: IonSlice) -> str:
    sign, digits, exponent = Decimal(scalar_of(s)).as_tuple()
    assert isinstance(exponent, int), "Ion has no decimals without a value"
    text = "".join(map(str, digits))
    minus = "-" if sign else ""
    if exponent == 0:
        return f"{minus}{text}."
    if -_MAX_PLACES <= exponent < 0:
        text = text.rjust(1 - exponent, "0")
        return f"{minus}{text[:exponent]}.{text[exponent:]}"
    return f"{minus}{text}d{exponent}"


def _symbol(s: IonSlice) -> str:
    symbol = scalar_of(s)
    return symbol_text(symbol if isinstance(symbol, str) else symbol.text)


def _string(s: IonSlice) -> str:
    return json.dumps(str(scalar_of(s)), ensure_ascii=False)


def _clob(s: IonSlice) -> str:
    shown = [
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in bytes(scalar_of(s))
    ]
    return '{{"' + "".join(shown) + '"}}'


def _blob(s: IonSlice) -> str:
    return "{{" + base64.b64encode(bytes(scalar_of(s))).decode() + "}}"


def _list(s: IonSlice) -> str:
    return "[" + ",".join(map(_write, iter_elements(s))) + "]"


def _sexp(s: IonSlice) -> str:
    return "(" + " ".join(map(_write, iter_elements(s))) + ")"


def _struct(s: IonSlice) -> str:
    members = [f"{symbol_text(name)}:{_write(one)}" for name, one in iter_fields(s)]
    return "{" + ",".join(members) + "}"


_WRITERS: Final[dict[IonType, Callable[[IonSlice], str]]] = {
    IonType.BOOL: _bool,
    IonType.INT: int_text,
    IonType.FLOAT: _float,
    IonType.DECIMAL: _decimal,
    IonType.TIMESTAMP: time_text,
    IonType.SYMBOL: _symbol,
    IonType.STRING: _string,
    IonType.CLOB: _clob,
    IonType.BLOB: _blob,
    IonType.LIST: _list,
    IonType.SEXP: _sexp,
    IonType.STRUCT: _struct,
}

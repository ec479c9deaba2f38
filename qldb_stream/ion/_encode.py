"""
Encode Python values to binary Ion.

Strategy: a table from exact type to encoder; a type that is not in it is looked up by its bases
once, or is one of amazon.ion's, which say their Ion type themselves. An IonSlice is copied, never
decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from math import copysign, isnan, nan
from struct import pack
from typing import Any, Final

from amazon.ion.core import Timestamp
from amazon.ion.simple_types import IonPyNull
from amazon.ion.symbols import SymbolToken

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion._amazon import WRAPPERS
from qldb_stream.ion._copy import copy_value
from qldb_stream.ion._hash import decimal_body
from qldb_stream.ion._primitives import varuint_bytes
from qldb_stream.ion._scalars import split_decimal
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._timestamps import instant_of, timestamp_body
from qldb_stream.ion._types import MAX_DEPTH, IonType
from qldb_stream.ion._writer import (
    SymbolWriter,
    container,
    int_value_bytes,
    string_bytes,
    symbol_bytes,
)

Encoder = Callable[[Any, SymbolWriter, int], bytes]


def encode(value: Any, symbols: SymbolWriter, depth: int) -> bytes:
    """
    Encode a value, without version marker and symbol table.

    Raises:
        IonEncodeError: a type that Ion has nothing for, or values nested too deeply.
    """
    encoder = _ENCODERS.get(type(value)) or _find_encoder(value)
    return encoder(value, symbols, depth)


def _find_encoder(value: Any) -> Encoder:
    """Find the encoder of a type that is not in the table."""
    if hasattr(value, "ion_type"):
        return _encode_amazon
    return _base_encoder(value)


def _base_encoder(value: Any) -> Encoder:
    """Find the encoder of the plain Python type that a value's type derives from."""
    for base in type(value).__mro__:
        encoder = _ENCODERS.get(base)
        if encoder is not None and encoder is not _encode_amazon:
            return encoder
    raise IonEncodeError(f"Ion has no type for {type(value).__qualname__}")


def _encode_none(_value: None, _symbols: SymbolWriter, _depth: int) -> bytes:
    return b"\x0f"


def _encode_bool(value: Any, _symbols: SymbolWriter, _depth: int) -> bytes:
    return b"\x11" if value else b"\x10"


def _encode_int(value: int, _symbols: SymbolWriter, _depth: int) -> bytes:
    return int_value_bytes(value)


def _encode_float(value: float, _symbols: SymbolWriter, _depth: int) -> bytes:
    if value == 0 and copysign(1, value) > 0:
        return b"\x40"
    # Ion knows one nan: sign and payload of Python's are dropped.
    return b"\x48" + pack(">d", nan if isnan(value) else value)


def _encode_decimal(value: Decimal, _symbols: SymbolWriter, _depth: int) -> bytes:
    exponent, magnitude = split_decimal(value)
    return container(0x50, decimal_body(exponent, magnitude, minus=value.is_signed()))


def _encode_timestamp(value: datetime, _symbols: SymbolWriter, _depth: int) -> bytes:
    return container(0x60, timestamp_body(instant_of(value)))


def _encode_token(value: Any, symbols: SymbolWriter, _depth: int) -> bytes:
    return symbol_bytes(_token_sid(value, symbols))


def _encode_string(value: str, _symbols: SymbolWriter, _depth: int) -> bytes:
    return string_bytes(value)


def _encode_blob(value: Any, _symbols: SymbolWriter, _depth: int) -> bytes:
    return container(0xA0, bytes(value))


def _encode_clob(value: bytes, _symbols: SymbolWriter, _depth: int) -> bytes:
    return container(0x90, bytes(value))


def _encode_list(value: Any, symbols: SymbolWriter, depth: int) -> bytes:
    return container(0xB0, _encode_elements(value, symbols, depth))


def _encode_sexp(value: Any, symbols: SymbolWriter, depth: int) -> bytes:
    return container(0xC0, _encode_elements(value, symbols, depth))


def _encode_elements(value: Any, symbols: SymbolWriter, depth: int) -> bytes:
    _check_depth(depth)
    parts: list[bytes] = []
    for element in value:  # no comprehension, which would be one more frame a level
        encoder = _ENCODERS.get(type(element)) or _find_encoder(element)
        parts.append(encoder(element, symbols, depth + 1))
    return b"".join(parts)


def _encode_struct(value: Any, symbols: SymbolWriter, depth: int) -> bytes:
    _check_depth(depth)
    parts: list[bytes] = []
    for name, field in value.items():
        sid = symbols.sid(name) if type(name) is str else _token_sid(name, symbols)
        parts.append(varuint_bytes(sid))
        encoder = _ENCODERS.get(type(field)) or _find_encoder(field)
        parts.append(encoder(field, symbols, depth + 1))
    return container(0xD0, b"".join(parts))


def _encode_slice(value: IonSlice, symbols: SymbolWriter, depth: int) -> bytes:
    return copy_value(value.buf, value.start, value.end, value.symbols, symbols, depth)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise IonEncodeError(f"values nest deeper than {MAX_DEPTH} levels")


def _token_sid(token: Any, symbols: SymbolWriter) -> int:
    """Look up the id of what stands for a symbol: a str, a SymbolToken, or None."""
    if token is None or isinstance(token, str):
        return symbols.sid(token if token is None else str(token))
    if not isinstance(token, SymbolToken):
        raise IonEncodeError(f"a symbol or field name is {type(token).__qualname__}, not text")
    if token.text is None and token.location is not None:
        name, position = token.location
        return symbols.imported_sid((name, 1), position, position)
    return symbols.sid(token.text)


_BY_ION_TYPE: Final[tuple[Encoder, ...]] = (
    _encode_none,
    _encode_bool,
    _encode_int,
    _encode_float,
    _encode_decimal,
    _encode_timestamp,
    _encode_token,
    _encode_string,
    _encode_clob,
    _encode_blob,
    _encode_list,
    _encode_sexp,
    _encode_struct,
)

_NULL_BYTES: Final = (
    b"\x0f",
    b"\x1f",
    b"\x2f",
    b"\x4f",
    b"\x5f",
    b"\x6f",
    b"\x7f",
    b"\x8f",
    b"\x9f",
    b"\xaf",
    b"\xbf",
    b"\xcf",
    b"\xdf",
)


def _encode_amazon(value: Any, symbols: SymbolWriter, depth: int) -> bytes:
    """Encode a value that carries its Ion type and annotations, as amazon.ion's do."""
    annotations = getattr(value, "ion_annotations", ())
    names = b"".join([varuint_bytes(_token_sid(name, symbols)) for name in annotations])
    if names:
        _check_depth(depth)
        depth += 1
    body = _amazon_encoder(value)(value, symbols, depth)
    return container(0xE0, varuint_bytes(len(names)) + names + body) if names else body


def _amazon_encoder(value: Any) -> Encoder:
    """Find the encoder of such a value; 0.9.3 may leave its Ion type to its Python type."""
    if isinstance(value, IonPyNull):
        return _encode_typed_null
    if value.ion_type is None:
        return _base_encoder(value)
    return _BY_ION_TYPE[IonType[value.ion_type.name]]


def _encode_typed_null(value: Any, _symbols: SymbolWriter, _depth: int) -> bytes:
    return _NULL_BYTES[0 if value.ion_type is None else IonType[value.ion_type.name]]


_ENCODERS: Final[dict[type, Encoder]] = {
    type(None): _encode_none,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    Decimal: _encode_decimal,
    datetime: _encode_timestamp,
    Timestamp: _encode_timestamp,
    SymbolToken: _encode_token,
    str: _encode_string,
    bytes: _encode_blob,
    bytearray: _encode_blob,
    memoryview: _encode_blob,
    list: _encode_list,
    tuple: _encode_list,
    dict: _encode_struct,
    IonSlice: _encode_slice,
    **dict.fromkeys(WRAPPERS.values(), _encode_amazon),
}

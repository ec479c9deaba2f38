"""
Decode binary Ion values to Python.

Strategy: a table of 256 functions, one for each type byte; containers loop over their values, find
each body's bounds and call the function of its type byte with them. So a scalar costs one call.

Rules: plain Python where nothing is lost, amazon.ion types otherwise (design.md, "Main types"), so
that `ion_hash(dumps(loads(x))) == ion_hash(x)`. A container or an annotation wrapper is one frame
and one level of MAX_DEPTH. A repeated field name turns a struct into an IonPyDict without decoding
anything twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion._amazon import make_null, make_struct, make_token, wrap
from qldb_stream.ion._primitives import bounds, read_annotation_sids, read_varuint
from qldb_stream.ion._scalars import decode_decimal, decode_float, decode_text
from qldb_stream.ion._symbols import SymbolTable
from qldb_stream.ion._timestamps import (
    maybe_ms_utc,
    ms_timestamp,
    read_timestamp,
    timestamp_from,
)
from qldb_stream.ion._types import (
    FIRST_NULL,
    MAX_DEPTH,
    ORDERED_STRUCT,
    STACK_EXHAUSTED,
    TYPE_OF_NIBBLE,
    VALUE_LENGTHS,
    IonType,
    fail,
)

Decoder = Callable[[bytes, int, int, SymbolTable, int], Any]


def decode_value(buf: bytes, pos: int, end: int, table: SymbolTable) -> Any:
    """
    Decode the value at `pos`.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
    """
    start, stop = bounds(buf, pos, end)
    try:
        return _DECODERS[buf[pos]](buf, start, stop, table, 0)
    except RecursionError as exc:
        raise IonDecodeError(pos, STACK_EXHAUSTED) from exc


def _refuse(_buf: bytes, start: int, _stop: int, _table: SymbolTable, _depth: int) -> Any:
    fail(start - 1, "padding or a reserved byte stands where a value must")


def _null(_buf: bytes, _start: int, _stop: int, _table: SymbolTable, _depth: int) -> None:
    return None


def _false(_buf: bytes, _start: int, _stop: int, _table: SymbolTable, _depth: int) -> bool:
    return False


def _true(_buf: bytes, _start: int, _stop: int, _table: SymbolTable, _depth: int) -> bool:
    return True


def _typed_null(nibble: int) -> Decoder:
    ion_type = TYPE_OF_NIBBLE[nibble]

    def decode(_buf: bytes, _start: int, _stop: int, _table: SymbolTable, _depth: int) -> Any:
        return make_null(ion_type)

    return decode


def _positive(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> int:
    return int.from_bytes(buf[start:stop], "big")


def _negative(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> int:
    value = int.from_bytes(buf[start:stop], "big")
    if value == 0:
        fail(start, "an int is minus zero")
    return -value


def _float(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> float:
    return decode_float(buf, start, stop)


def _decimal(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> Any:
    return decode_decimal(buf, start, stop)


def _timestamp(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> Any:
    moment = maybe_ms_utc(buf, start, stop)
    if moment is not None:
        return ms_timestamp(moment)
    return timestamp_from(read_timestamp(buf, start, stop))


def _symbol(buf: bytes, start: int, stop: int, table: SymbolTable, _depth: int) -> Any:
    sid = int.from_bytes(buf[start:stop], "big")
    return wrap(IonType.SYMBOL, make_token(table, sid, start), ())


def _string(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> str:
    try:
        return buf[start:stop].decode()
    except UnicodeDecodeError:
        return decode_text(buf, start, stop)  # which says where


def _clob(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> Any:
    return wrap(IonType.CLOB, buf[start:stop], ())


def _blob(buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int) -> bytes:
    return buf[start:stop]


def _list(buf: bytes, start: int, stop: int, table: SymbolTable, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        fail(start, f"values nest deeper than {MAX_DEPTH} levels")
    values: list[Any] = []
    while start < stop:
        type_byte = buf[start]
        body = start + 1
        length = VALUE_LENGTHS[type_byte]
        after = start + length
        if length < 0 and start + 2 < stop and buf[body] >= 0x80:
            body += 1
            after = start + buf[body - 1] - 0x7E
        elif length <= 0:
            body, after = bounds(buf, start, stop)
            if type_byte < FIRST_NULL:
                start = after
                continue
        if after > stop:
            fail(start, "a value runs beyond its list")
        values.append(_DECODERS[type_byte](buf, body, after, table, depth + 1))
        start = after
    return values


def _sexp(buf: bytes, start: int, stop: int, table: SymbolTable, depth: int) -> Any:
    return wrap(IonType.SEXP, _list(buf, start, stop, table, depth), ())


def _struct(buf: bytes, start: int, stop: int, table: SymbolTable, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        fail(start, f"values nest deeper than {MAX_DEPTH} levels")
    texts = table.texts
    known = len(texts)
    fields: dict[str | None, Any] = {}
    repeated: list[tuple[str | None, Any]] | None = None
    while start < stop:
        sid = buf[start] - 0x80
        start += 1
        if sid < 0:
            sid, start = read_varuint(buf, start - 1, stop)
        if start >= stop:
            fail(start, "a field has no value")
        type_byte = buf[start]
        body = start + 1
        length = VALUE_LENGTHS[type_byte]
        after = start + length
        if length < 0 and start + 2 < stop and buf[body] >= 0x80:
            body += 1
            after = start + buf[body - 1] - 0x7E
        elif length <= 0:
            body, after = bounds(buf, start, stop)
            if type_byte < FIRST_NULL:
                start = after
                continue
        if after > stop:
            fail(start, "a value runs beyond its struct")
        if sid >= known:
            fail(start, f"symbol id {sid} is not in a symbol table of {known - 1} symbols")
        name = texts[sid]
        value = _DECODERS[type_byte](buf, body, after, table, depth + 1)
        if repeated is not None:
            repeated.append((name, value))
        elif name in fields:
            repeated = [*fields.items(), (name, value)]
        else:
            fields[name] = value
        start = after
    return fields if repeated is None else make_struct(repeated, ())


def _ordered_struct(buf: bytes, start: int, stop: int, table: SymbolTable, depth: int) -> Any:
    check_ordered(buf, start, stop)
    return _struct(buf, start, stop, table, depth)


def check_ordered(buf: bytes, start: int, stop: int) -> None:
    """
    Check the body of a struct that is declared ordered: fields, by rising symbol id.

    Raises:
        IonDecodeError: it has no fields, or their ids fall.
    """
    if start == stop:
        fail(start, "an ordered struct is empty")
    last = 0
    while start < stop:
        sid, start = read_varuint(buf, start, stop)
        if sid < last:
            fail(start, "an ordered struct's fields are not in order")
        last = sid
        start = bounds(buf, start, stop)[1]


def _wrapper(buf: bytes, start: int, stop: int, table: SymbolTable, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        fail(start, f"values nest deeper than {MAX_DEPTH} levels")
    sids, pos = read_annotation_sids(buf, start, stop)
    annotations = tuple(make_token(table, sid, start) for sid in sids)
    body, _stop = bounds(buf, pos, stop)
    value = _DECODERS[buf[pos]](buf, body, stop, table, depth + 1)
    return wrap(TYPE_OF_NIBBLE[buf[pos] >> 4], value, annotations)


_BY_NIBBLE: Final[tuple[Decoder, ...]] = (
    _refuse,
    _refuse,
    _positive,
    _negative,
    _float,
    _decimal,
    _timestamp,
    _symbol,
    _string,
    _clob,
    _blob,
    _list,
    _sexp,
    _struct,
    _wrapper,
    _refuse,
)


def _make_decoders() -> tuple[Decoder, ...]:
    rows = [_BY_NIBBLE[type_byte >> 4] for type_byte in range(256)]
    for nibble in range(1, 14):
        rows[nibble << 4 | 15] = _typed_null(nibble)
    rows[FIRST_NULL] = _null
    rows[0x10] = _false
    rows[0x11] = _true
    rows[ORDERED_STRUCT] = _ordered_struct
    return tuple(rows)


_DECODERS: Final = _make_decoders()

"""
Take containers apart and read single values, without decoding what is not asked for.

The `parse_` functions are for hot paths: they work on buffer and bounds. The others work on slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from qldb_stream.ion._decode import check_ordered
from qldb_stream.ion._primitives import body_start, bounds, read_varuint
from qldb_stream.ion._scalars import decode_int_at, decode_text
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._symbols import SymbolTable
from qldb_stream.ion._timestamps import maybe_ms_utc, read_timestamp, to_utc
from qldb_stream.ion._types import (
    FIRST_NULL,
    FIRST_WRAPPER,
    ORDERED_STRUCT,
    TYPE_OF_NIBBLE,
    VALUE_LENGTHS,
    fail,
)


def refuse_type(buf: bytes, pos: int, expected: str) -> None:
    """
    Refuse a value because of its type.

    Raises:
        IonDecodeError: always.
    """
    type_byte = buf[pos]
    if type_byte >= FIRST_WRAPPER:
        found = "an annotated value"
    else:
        found = TYPE_OF_NIBBLE[type_byte >> 4].name.lower()
        if type_byte & 15 == 15 and found != "null":
            found = "null." + found
    fail(pos, f"expected {expected}, found {found}")


def parse_fields(buf: bytes, pos: int, end: int, table: SymbolTable) -> dict[str, tuple[int, int]]:
    """
    Find where each field of the struct that fills the bounds given starts and ends.

    Fields of unknown name and padding are left out.

    Raises:
        IonDecodeError: not a struct, a name given twice, broken bytes.
    """
    type_byte = buf[pos]
    start = pos + 1
    if not 0xD2 <= type_byte < 0xDE:
        if not 0xD0 <= type_byte < 0xDF:
            refuse_type(buf, pos, "struct")
        start = body_start(buf, pos)
        if type_byte == ORDERED_STRUCT:
            check_ordered(buf, start, end)
    texts = table.texts
    fields: dict[str | None, tuple[int, int]] = {}
    count = 0
    try:
        while start < end:
            sid = buf[start] - 0x80
            start += 1
            if sid < 0:
                sid, start = read_varuint(buf, start - 1, end)
            length = VALUE_LENGTHS[buf[start]]
            after = start + length
            if length < 0 and buf[start + 1] >= 0x80:
                after = start + buf[start + 1] - 0x7E
            elif length <= 0:
                after = bounds(buf, start, end)[1]
                if buf[start] < FIRST_NULL:
                    start = after
                    continue
            fields[texts[sid]] = (start, after)
            count += 1
            start = after
    except IndexError:
        return _parse_odd_fields(buf, pos, end, table)
    if start != end or len(fields) != count or None in fields:
        return _parse_odd_fields(buf, pos, end, table)
    return fields  # type: ignore[return-value]  # None is not among the names


def _parse_odd_fields(
    buf: bytes, pos: int, end: int, table: SymbolTable
) -> dict[str, tuple[int, int]]:
    """Go slowly over a struct that is broken, repeats a name or has one of unknown text."""
    fields: dict[str, tuple[int, int]] = {}
    for name, field in iter_fields(IonSlice(buf, pos, end, table)):
        if name in fields:
            fail(field.start, f"the field {name!r} is given twice")
        if name is not None:
            fields[name] = (field.start, field.end)
    return fields


def parse_string(buf: bytes, pos: int, end: int) -> str:
    """
    Read the string that fills the bounds given, as `parse_fields` answers them.

    Raises:
        IonDecodeError: another type, null, or not UTF-8.
    """
    type_byte = buf[pos]
    start = pos + 1
    if type_byte == 0x8E:
        start = body_start(buf, pos)
    elif not 0x80 <= type_byte < 0x8E:
        refuse_type(buf, pos, "string")
    try:
        return buf[start:end].decode()
    except UnicodeDecodeError:
        return decode_text(buf, start, end)  # which says where


def parse_int(buf: bytes, pos: int, end: int) -> int:
    """
    Read the int that fills the bounds given, as `parse_fields` answers them.

    Raises:
        IonDecodeError: another type, null, or minus zero.
    """
    type_byte = buf[pos]
    if 0x20 <= type_byte < 0x2E:
        return int.from_bytes(buf[pos + 1 : end], "big")
    if not 0x20 <= type_byte < 0x3F or type_byte == 0x2F:
        refuse_type(buf, pos, "int")
    return decode_int_at(buf, pos, end)


def parse_blob(buf: bytes, pos: int, end: int) -> bytes:
    """
    Read the blob that fills the bounds given, as `parse_fields` answers them.

    Raises:
        IonDecodeError: another type, or null.
    """
    if not 0xA0 <= buf[pos] < 0xAF:
        refuse_type(buf, pos, "blob")
    return buf[body_start(buf, pos) : end]


def parse_timestamp(buf: bytes, pos: int, end: int) -> datetime:
    """
    Read the moment at which the timestamp that fills the bounds given begins.

    Returns:
        Aware, UTC, cut to microseconds; an unknown offset is read as UTC.

    Raises:
        IonDecodeError: another type, null, or a date that does not exist.
    """
    if not 0x60 <= buf[pos] < 0x6F:
        refuse_type(buf, pos, "timestamp")
    start = body_start(buf, pos)
    moment = maybe_ms_utc(buf, start, end)
    return to_utc(read_timestamp(buf, start, end)) if moment is None else moment


def text_of(s: IonSlice) -> str:
    """
    Read a string; annotations are looked through.

    Raises:
        IonDecodeError: another type, null, or not UTF-8.
    """
    return parse_string(s.buf, s.value_start(), s.end)


def int_of(s: IonSlice) -> int:
    """
    Read an int; annotations are looked through.

    Raises:
        IonDecodeError: another type, null, or minus zero.
    """
    return parse_int(s.buf, s.value_start(), s.end)


def blob_of(s: IonSlice) -> bytes:
    """
    Read a blob; annotations are looked through.

    Raises:
        IonDecodeError: another type, or null.
    """
    return parse_blob(s.buf, s.value_start(), s.end)


def timestamp_of(s: IonSlice) -> datetime:
    """
    Read the moment at which a timestamp begins; annotations are looked through.

    Returns:
        Aware, UTC, cut to microseconds; an unknown offset is read as UTC.

    Raises:
        IonDecodeError: another type, null, or a date that does not exist.
    """
    return parse_timestamp(s.buf, s.value_start(), s.end)


def read_struct(s: IonSlice) -> dict[str, IonSlice]:
    """
    Take a struct's fields by name; annotations of the struct are looked through.

    Raises:
        IonDecodeError: not a struct, null, a name given twice, broken bytes.
    """
    buf, symbols = s.buf, s.symbols
    fields = parse_fields(buf, s.value_start(), s.end, symbols)
    return {name: IonSlice(buf, start, end, symbols) for name, (start, end) in fields.items()}


def iter_fields(s: IonSlice) -> Iterator[tuple[str | None, IonSlice]]:
    """
    Iterate over a struct's fields in order, repeated names included.

    Returns:
        Name (None when its text is unknown) and value of each.

    Raises:
        IonDecodeError: not a struct, null, broken bytes.
    """
    buf, symbols, pos = s.buf, s.symbols, s.value_start()
    if not 0xD0 <= buf[pos] < 0xDF:
        refuse_type(buf, pos, "struct")
    start, stop = bounds(buf, pos, s.end)
    if buf[pos] == ORDERED_STRUCT:
        check_ordered(buf, start, stop)
    while start < stop:
        sid, start = read_varuint(buf, start, stop)
        after = bounds(buf, start, stop)[1]
        if buf[start] >= FIRST_NULL:
            yield symbols.text(sid, start), IonSlice(buf, start, after, symbols)
        start = after


def iter_elements(s: IonSlice) -> Iterator[IonSlice]:
    """
    Iterate over the elements of a list or sexp in order.

    Raises:
        IonDecodeError: neither of them, null, broken bytes.
    """
    buf, pos = s.buf, s.value_start()
    if not 0xB0 <= buf[pos] < 0xCF or buf[pos] == 0xBF:
        refuse_type(buf, pos, "list or sexp")
    start, stop = bounds(buf, pos, s.end)
    while start < stop:
        after = bounds(buf, start, stop)[1]
        if buf[start] >= FIRST_NULL:
            yield IonSlice(buf, start, after, s.symbols)
        start = after

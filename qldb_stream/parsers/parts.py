"""
Readers of the fixed parts of records and blocks, each with its path in errors.

Strategy: a struct's fields are found once (`parse_fields` of ion: name to bounds) and
each part is read from its bounds. What the service writes is read here directly (ids
of up to 127 bytes, blobs of 32, millisecond times in UTC); every other spelling of the
same values goes through ion's readers, so nothing sound is refused for its spelling.

Rules: a mandatory part that is missing, null, annotated or of another type, a name
that a struct gives twice and a number out of range are `EnvelopeError`s with the path;
bytes that break Ion itself stay `IonDecodeError`s. A null in an optional part's place
is the part's absence (facts 1.3: "absent/null"). Messages name types and lengths,
never values.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NoReturn, TypeAlias

from qldb_stream.errors import EnvelopeError, IonDecodeError
from qldb_stream.events import BlockAddress
from qldb_stream.ion import (
    IonSlice,
    SymbolTable,
    iter_elements,
    iter_fields,
    parse_blob,
    parse_fields,
    parse_int,
    parse_string,
    parse_timestamp,
)
from qldb_stream.parsers.layouts import maybe_address, maybe_time

__all__ = [
    "MAX_NUMBER",
    "UNKNOWN_TEXT",
    "Fields",
    "element_spans",
    "iter_structs",
    "maybe_digest",
    "maybe_span",
    "maybe_struct",
    "need_address",
    "need_digest",
    "need_digests",
    "need_number",
    "need_span",
    "need_string",
    "need_struct",
    "need_time",
    "struct_fields",
    "unknown_names",
]

Fields: TypeAlias = dict[str, tuple[int, int]]
"""The fields of one struct: name to (start, end) in the record's bytes."""

UNKNOWN_TEXT: Final = "$0"
"""Ion's own spelling of a name whose text is unknown; all of a struct's go by it."""

MAX_NUMBER: Final = 2**63 - 1
"""The largest sequence number and version; the service's own type is Java's long."""

_DIGEST_BYTES: Final = 32
_ADDRESS: Final = frozenset(("strandId", "sequenceNo"))

# Type bytes of the Ion 1.0 binary specification, "Typed Value Formats".
_NULL: Final = 0x0F  # in the low four bits
_FIRST_ANNOTATED: Final = 0xE0
_LONG_STRING: Final = 0x8E
_LAST_SHORT_STRING: Final = 0x8D
_SHORT_STRING: Final = 0x80
_LAST_SHORT_INT: Final = 0x28
_POSITIVE_INT: Final = 0x20
_LONG_BLOB: Final = 0xAE
_TIMESTAMP: Final = 0x60
_BLOB: Final = 0xA0
_DIGEST_SPAN: Final = 2 + _DIGEST_BYTES
_LIST: Final = 0xB0
_LONG_LIST: Final = 0xBE
_STRUCT: Final = 0xD0
_LONG_STRUCT: Final = 0xDE
_NOT_SHORT: Final = frozenset((0xBF, 0xD1, 0xDF))  # nulls, and the struct in order of its ids
_ENDS: Final = 0x80  # the bit that ends a VarUInt


def struct_fields(buf: bytes, span: tuple[int, int], table: SymbolTable, path: str) -> Fields:
    """
    Find the fields of the struct that fills a span.

    This is what a record spends most of its time in, so the loop walks by itself what the
    service writes; whatever it does not expect (padding, long ids, names of unknown text or
    given twice, damage) is left to ion's reader, from the start.

    Raises:
        EnvelopeError: it is no struct, or gives a name twice.
        IonDecodeError: its bytes are not sound Ion.
    """
    texts = table.texts
    fields: Fields = {}
    count = 0
    try:
        pos = _body_start(buf, span[0], _LONG_STRUCT)
        end = span[1]
        while pos < end:
            sid = buf[pos] - _ENDS
            start = pos + 1
            if sid < 0:  # ids of documents are names, so that tables are long
                sid = (buf[pos] << 7) + buf[start] - _ENDS
                if buf[start] < _ENDS:
                    break
                start += 1
            length = _LENGTHS[buf[start]]
            if length:
                pos = start + length
            elif (length := buf[start + 1]) >= _ENDS:
                pos = start + length - (_ENDS - 2)
            else:
                pos = start + (length << 7) + buf[start + 2] - (_ENDS - 3)
                if buf[start + 2] < _ENDS:
                    break
            name = texts[sid]
            if name is None:
                break
            fields[name] = (start, pos)
            count += 1
        else:
            if pos == end and count == len(fields):
                return fields
    except LookupError:
        pass
    return _struct_fields_with_care(buf, span, table, path)


def _struct_fields_with_care(
    buf: bytes, span: tuple[int, int], table: SymbolTable, path: str
) -> Fields:
    value = IonSlice(buf, span[0], span[1], table)
    try:
        fields = parse_fields(buf, span[0], span[1], table)
    except IonDecodeError:
        _check_type(buf, span, "struct", _STRUCT, path)
        _refuse_repeated(value, path)
        raise
    # ion's reader leaves these out; dropped in silence they would hide a damaged name.
    for name, found in iter_fields(value):
        if name is None:
            fields[UNKNOWN_TEXT] = (found.start, found.end)
    return fields


def unknown_names(fields: Fields, known: frozenset[str], prefix: str) -> tuple[str, ...]:
    """Name the fields that are not among the known ones, each with the prefix."""
    return tuple(prefix + name for name in fields if name not in known)


def maybe_span(buf: bytes, fields: Fields, name: str) -> tuple[int, int] | None:
    """Find an optional part; None when it is absent or null."""
    span = fields.get(name)
    if span is None or (buf[span[0]] & _NULL == _NULL and buf[span[0]] < _FIRST_ANNOTATED):
        return None
    return span


def need_span(fields: Fields, name: str, path: str) -> tuple[int, int]:
    """
    Find a mandatory part.

    Raises:
        EnvelopeError: it is missing.
    """
    span = fields.get(name)
    if span is None:
        raise EnvelopeError(_join(path, name), "a value", "nothing")
    return span


def need_struct(buf: bytes, fields: Fields, name: str, table: SymbolTable, path: str) -> Fields:
    """
    Find the fields of a mandatory struct.

    Raises:
        EnvelopeError: it is missing, no struct, or gives a name twice.
        IonDecodeError: its bytes are not sound Ion.
    """
    return struct_fields(buf, need_span(fields, name, path), table, _join(path, name))


def maybe_struct(
    buf: bytes, fields: Fields, name: str, table: SymbolTable, path: str
) -> IonSlice | None:
    """
    Slice an optional struct, annotations included; None when it is absent or null.

    Raises:
        EnvelopeError: it is no struct.
        IonDecodeError: its annotations are not sound Ion.
    """
    span = maybe_span(buf, fields, name)
    if span is None:
        return None
    value = IonSlice(buf, span[0], span[1], table)
    start = value.value_start()
    if buf[start] >> 4 != _STRUCT >> 4 or buf[start] & _NULL == _NULL:
        _refuse(buf, (start, span[1]), "struct", _join(path, name))
    return value


def need_string(buf: bytes, fields: Fields, name: str, path: str) -> str:
    """
    Read a mandatory string.

    Raises:
        EnvelopeError: it is missing, or no string.
        IonDecodeError: it is not UTF-8.
    """
    span = fields.get(name)
    if span is not None:
        start, end = span
        type_byte = buf[start]
        try:
            if type_byte == _LONG_STRING and buf[start + 1] >= _ENDS:
                return buf[start + 2 : end].decode()
            if _SHORT_STRING <= type_byte <= _LAST_SHORT_STRING:
                return buf[start + 1 : end].decode()
        except UnicodeDecodeError:
            pass  # ion's reader below says where
    start, end = need_span(fields, name, path)
    _check_type(buf, (start, end), "string", _SHORT_STRING, _join(path, name))
    return parse_string(buf, start, end)


def need_number(buf: bytes, fields: Fields, name: str, path: str) -> int:
    """
    Read a mandatory number from 0 to MAX_NUMBER.

    Raises:
        EnvelopeError: it is missing, no int, or out of range.
    """
    span = need_span(fields, name, path)
    start, end = span
    if _POSITIVE_INT <= buf[start] <= _LAST_SHORT_INT:
        value = int.from_bytes(buf[start + 1 : end], "big")
        if value <= MAX_NUMBER:
            return value
    path = _join(path, name)
    if buf[start] >> 4 != _POSITIVE_INT >> 4 or buf[start] & _NULL == _NULL:
        _refuse(buf, span, "int from 0 to 2**63-1", path)
    value = parse_int(buf, start, end)
    if value > MAX_NUMBER:
        raise EnvelopeError(path, "int from 0 to 2**63-1", f"one of {value.bit_length()} bits")
    return value


def need_digest(
    buf: bytes, fields: Fields, name: str, path: str, *, may_be_empty: bool = False
) -> bytes:
    """
    Read a mandatory digest.

    Returns:
        32 bytes; no bytes where that is allowed.

    Raises:
        EnvelopeError: it is missing, no blob, or of another length.
    """
    span = need_span(fields, name, path)
    if buf[span[0]] == _LONG_BLOB and span[1] - span[0] == _DIGEST_SPAN:
        return buf[span[0] + 2 : span[1]]
    return _read_digest(buf, span, _join(path, name), may_be_empty=may_be_empty)


def maybe_digest(buf: bytes, fields: Fields, name: str, path: str) -> bytes | None:
    """
    Read an optional digest, 32 bytes; None when it is absent or null.

    Raises:
        EnvelopeError: it is no blob, or not of 32 bytes.
    """
    if maybe_span(buf, fields, name) is None:
        return None
    return need_digest(buf, fields, name, path)


def need_digests(
    buf: bytes, fields: Fields, name: str, table: SymbolTable, path: str
) -> tuple[bytes, ...]:
    """
    Read a mandatory list of digests, 32 bytes each.

    Raises:
        EnvelopeError: it is missing, no list, or an element is no digest.
        IonDecodeError: its bytes are not sound Ion.
    """
    span = need_span(fields, name, path)
    path = _join(path, name)
    return tuple(
        [
            buf[start + 2 : end]
            if buf[start] == _LONG_BLOB and end - start == _DIGEST_SPAN
            else _read_digest(buf, (start, end), f"{path}[{index}]")
            for index, (start, end) in enumerate(element_spans(buf, span, table, path))
        ]
    )


def iter_structs(
    buf: bytes, span: tuple[int, int], table: SymbolTable, path: str
) -> Iterator[tuple[Fields, str]]:
    """
    Iterate over a list of structs: fields and path of each.

    Raises:
        EnvelopeError: it is no list, or an element is no struct or gives a name twice.
        IonDecodeError: its bytes are not sound Ion.
    """
    for index, bounds in enumerate(element_spans(buf, span, table, path)):
        of_list = f"{path}[{index}]"
        yield struct_fields(buf, bounds, table, of_list), of_list


def need_time(buf: bytes, fields: Fields, name: str, path: str) -> datetime:
    """
    Read a mandatory timestamp, whatever its precision and offset.

    Returns:
        Aware, UTC.

    Raises:
        EnvelopeError: it is missing, or no timestamp.
        IonDecodeError: it names no moment.
    """
    start, end = need_span(fields, name, path)
    moment = maybe_time(buf, start, end)
    if moment is not None:
        return moment
    _check_type(buf, (start, end), "timestamp", _TIMESTAMP, _join(path, name))
    return parse_timestamp(buf, start, end)


def need_address(
    buf: bytes, fields: Fields, table: SymbolTable, path: str
) -> tuple[BlockAddress, tuple[str, ...]]:
    """
    Read the mandatory `blockAddress` of a block or revision.

    Returns:
        The address; names of unknown fields in it, with `blockAddress.` in front.

    Raises:
        EnvelopeError: it or a part of it is missing, of another type or out of range.
        IonDecodeError: its bytes are not sound Ion.
    """
    span = need_span(fields, "blockAddress", path)
    found = maybe_address(buf, span[0], span[1], table)
    if found is not None:
        return found, ()
    path = _join(path, "blockAddress")
    address = struct_fields(buf, span, table, path)
    return BlockAddress(
        need_string(buf, address, "strandId", path), need_number(buf, address, "sequenceNo", path)
    ), unknown_names(address, _ADDRESS, "blockAddress.")


def element_spans(
    buf: bytes, span: tuple[int, int], table: SymbolTable, path: str
) -> list[tuple[int, int]]:
    """
    Find the elements of a list; the loop is that of `struct_fields` without names.

    Raises:
        EnvelopeError: it is no list.
        IonDecodeError: its bytes are not sound Ion.
    """
    spans: list[tuple[int, int]] = []
    try:
        pos = _body_start(buf, span[0], _LONG_LIST)
        end = span[1]
        while pos < end:
            start = pos
            length = _LENGTHS[buf[start]]
            if length:
                pos = start + length
            elif (length := buf[start + 1]) >= _ENDS:
                pos = start + length - (_ENDS - 2)
            else:
                pos = start + (length << 7) + buf[start + 2] - (_ENDS - 3)
                if buf[start + 2] < _ENDS:
                    break
            spans.append((start, pos))
        else:
            if pos == end:
                return spans
    except LookupError:
        pass
    _check_type(buf, span, "list", _LIST, path)
    elements = iter_elements(IonSlice(buf, span[0], span[1], table))
    return [(element.start, element.end) for element in elements]


def _body_start(buf: bytes, pos: int, long_form: int) -> int:
    """Find where the body of a container starts; KeyError when it has another type."""
    type_byte = buf[pos]
    if type_byte == long_form:
        pos += 1
        while buf[pos] < _ENDS:
            pos += 1
    elif type_byte >> 4 != long_form >> 4 or type_byte in _NOT_SHORT:
        raise KeyError(type_byte)
    return pos + 1


def _read_digest(
    buf: bytes, span: tuple[int, int], path: str, *, may_be_empty: bool = False
) -> bytes:
    _check_type(buf, span, "blob", _BLOB, path)
    digest = parse_blob(buf, span[0], span[1])
    if len(digest) != _DIGEST_BYTES and not (may_be_empty and not digest):
        expected = "blob of 32 bytes" + (" or none" if may_be_empty else "")
        raise EnvelopeError(path, expected, f"one of {len(digest)}")
    return digest


def _check_type(
    buf: bytes, span: tuple[int, int], expected: str, type_byte: int, path: str
) -> None:
    """Refuse a value of another type, a null of the type, and an annotated one."""
    if buf[span[0]] >> 4 != type_byte >> 4 or buf[span[0]] & _NULL == _NULL:
        _refuse(buf, span, expected, path)


def _refuse(buf: bytes, span: tuple[int, int], expected: str, path: str) -> NoReturn:
    raise EnvelopeError(path, expected, _describe(buf, span))


def _describe(buf: bytes, span: tuple[int, int]) -> str:
    """Name what a value is, never what it says."""
    if buf[span[0]] >= _FIRST_ANNOTATED:
        return "an annotated value"
    value = IonSlice(buf, span[0], span[1], _NO_SYMBOLS)
    null = "null." if value.is_null else ""
    return null + value.ion_type.name.lower()


def _refuse_repeated(value: IonSlice, path: str) -> None:
    """Raise for a struct that gives a name twice; names of unknown text may repeat."""
    names: set[str] = set()
    for name, _value in iter_fields(value):
        if name in names:
            raise EnvelopeError(_join(path, name), "one value", "two")
        if name is not None:
            names.add(name)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


_NO_SYMBOLS: Final = SymbolTable(())


def _lengths() -> dict[int, int]:
    """
    Say how many bytes a value of each type byte has in all; 0 where a length follows.

    Type bytes that a loop here does not read by itself are left out.
    """
    lengths = {0x0F: 1, 0x10: 1, 0x11: 1, 0x1F: 1, 0x40: 1, 0x44: 5, 0x48: 9, 0x4F: 1}
    for high in (0x20, 0x30, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0):
        lengths |= {high + low: 1 + low for low in range(0x0E)}
        lengths |= {high + 0x0E: 0, high + 0x0F: 1}
    lengths |= {0xE0 + low: 1 + low for low in range(3, 0x0E)} | {0xEE: 0}
    del lengths[0xD1]
    return lengths


_LENGTHS: Final = _lengths()

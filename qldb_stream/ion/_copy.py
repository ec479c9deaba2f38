"""
Copy a value from one stream's bytes into another's, with its symbol ids translated.

Scalars are copied byte for byte, and with them what their writer chose among equal forms (float32,
padding of ints). NOP padding and the promise of ordered fields are dropped: other ids would break
the promise.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.ion._decode import check_ordered
from qldb_stream.ion._primitives import bounds, read_annotation_sids, read_varuint, varuint_bytes
from qldb_stream.ion._symbols import SymbolTable
from qldb_stream.ion._types import (
    FIRST_NULL,
    FIRST_WRAPPER,
    MAX_DEPTH,
    ORDERED_STRUCT,
    VALUE_LENGTHS,
    fail,
)
from qldb_stream.ion._writer import SymbolWriter, container, symbol_bytes

# Nulls, and all types but symbol, list, sexp, struct and the annotation wrapper, hold no symbol
# ids.
_HOLDS_IDS: Final = tuple(
    type_byte >> 4 in {0x7, 0xB, 0xC, 0xD, 0xE} and type_byte & 15 != 15 for type_byte in range(256)
)


def copy_value(
    buf: bytes, pos: int, end: int, table: SymbolTable, symbols: SymbolWriter, depth: int
) -> bytes:
    """
    Copy the value at `pos`.

    Raises:
        IonDecodeError: broken bytes, or nested too deeply.
    """
    start, stop = bounds(buf, pos, end)
    type_byte = buf[pos]
    if type_byte < FIRST_NULL:
        fail(pos, "padding stands where a value must")
    if not _HOLDS_IDS[type_byte]:
        return buf[pos:stop]
    if type_byte < 0x80:
        sid = int.from_bytes(buf[start:stop], "big")
        return symbol_bytes(symbols.sid_of(table, sid, start))
    if depth >= MAX_DEPTH:
        fail(pos, f"values nest deeper than {MAX_DEPTH} levels")
    if type_byte >= FIRST_WRAPPER:
        return _copy_wrapper(buf, start, stop, table, symbols, depth)
    if type_byte == ORDERED_STRUCT:
        check_ordered(buf, start, stop)
    return _copy_container(buf, start, stop, type_byte & 0xF0, table, symbols, depth)


def _copy_container(
    buf: bytes,
    start: int,
    stop: int,
    nibble: int,
    table: SymbolTable,
    symbols: SymbolWriter,
    depth: int,
) -> bytes:
    parts: list[bytes] = []
    is_struct = nibble == 0xD0
    sid = 0
    while start < stop:
        if is_struct:
            sid, start = read_varuint(buf, start, stop)
        if start >= stop:
            fail(start, "a field has no value")
        type_byte = buf[start]
        after = start + VALUE_LENGTHS[type_byte]
        if not start < after <= stop:
            after = bounds(buf, start, stop)[1]
        if type_byte >= FIRST_NULL:
            if is_struct:
                parts.append(varuint_bytes(symbols.sid_of(table, sid, start)))
            if _HOLDS_IDS[type_byte]:
                parts.append(copy_value(buf, start, after, table, symbols, depth + 1))
            else:
                parts.append(buf[start:after])
        start = after
    return container(nibble, b"".join(parts))


def _copy_wrapper(
    buf: bytes, start: int, stop: int, table: SymbolTable, symbols: SymbolWriter, depth: int
) -> bytes:
    sids, pos = read_annotation_sids(buf, start, stop)
    names = b"".join([varuint_bytes(symbols.sid_of(table, sid, start)) for sid in sids])
    value = copy_value(buf, pos, stop, table, symbols, depth + 1)
    return container(0xE0, varuint_bytes(len(names)) + names + value)

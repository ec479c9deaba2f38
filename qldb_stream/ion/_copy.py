"""Copy a value from one stream's bytes into another's, with its symbol ids translated.

Scalars are copied byte for byte; so is what a writer chose among equal forms (float32, padding of ints).
NOP padding and the promise of ordered fields are dropped, because other ids would break the promise.
"""

from __future__ import annotations

from qldb_stream.ion._decode import check_ordered
from qldb_stream.ion._primitives import bounds, read_annotation_sids, read_varuint
from qldb_stream.ion._symbols import SymbolTable
from qldb_stream.ion._timestamps import varuint_bytes
from qldb_stream.ion._types import FIRST_NULL, FIRST_WRAPPER, MAX_DEPTH, ORDERED_STRUCT, fail
from qldb_stream.ion._writer import SymbolWriter, container, symbol_bytes


def copy_value(
    buf: bytes, pos: int, end: int, table: SymbolTable, symbols: SymbolWriter, depth: int
) -> bytes:
    """Copy the value at `pos`.

    Raises:
        IonDecodeError: broken bytes, or nested too deeply.
    """
    start, stop = bounds(buf, pos, end)
    type_byte = buf[pos]
    nibble = type_byte & 0xF0
    if type_byte < FIRST_NULL:
        fail(pos, "padding stands where a value must")
    if type_byte & 15 == 15 or nibble not in {0x70, 0xB0, 0xC0, 0xD0, 0xE0}:
        return buf[pos:stop]
    if nibble == 0x70:
        sid = int.from_bytes(buf[start:stop], "big")
        return symbol_bytes(symbols.sid(table.text(sid, start)))
    if depth >= MAX_DEPTH:
        fail(pos, f"values nest deeper than {MAX_DEPTH} levels")
    if type_byte >= FIRST_WRAPPER:
        return _copy_wrapper(buf, start, stop, table, symbols, depth)
    if type_byte == ORDERED_STRUCT:
        check_ordered(buf, start, stop)
    parts: list[bytes] = []
    while start < stop:
        sid = -1
        if nibble == 0xD0:
            sid, start = read_varuint(buf, start, stop)
        after = bounds(buf, start, stop)[1]
        if buf[start] >= FIRST_NULL:
            if sid >= 0:
                parts.append(varuint_bytes(symbols.sid(table.text(sid, start))))
            parts.append(copy_value(buf, start, after, table, symbols, depth + 1))
        start = after
    return container(nibble, b"".join(parts))


def _copy_wrapper(
    buf: bytes, start: int, stop: int, table: SymbolTable, symbols: SymbolWriter, depth: int
) -> bytes:
    sids, pos = read_annotation_sids(buf, start, stop)
    names = b"".join([varuint_bytes(symbols.sid(table.text(sid, start))) for sid in sids])
    value = copy_value(buf, pos, stop, table, symbols, depth + 1)
    return container(0xE0, varuint_bytes(len(names)) + names + value)

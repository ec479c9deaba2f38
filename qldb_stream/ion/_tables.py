"""
Parse local symbol tables.

Source of the rules: the Ion 1.0 symbols specification
(amazon-ion.github.io/ion-docs/docs/symbols.html). We have no catalog of shared tables (QLDB uses
none, facts 1.1): imported symbols have unknown texts, and an import without a usable `max_id`
cannot be read at all.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.ion._primitives import bounds, read_varuint
from qldb_stream.ion._scalars import decode_int_at, decode_text_at
from qldb_stream.ion._symbols import (
    SYSTEM_TEXTS,
    SymbolTable,
)
from qldb_stream.ion._types import (
    FIRST_NULL,
    MAX_COPIED_SYMBOLS,
    MAX_IMPORTED_SYMBOLS,
    SID_SYMBOL_TABLE,
    fail,
)

Imports = tuple[tuple[int, str, int, int], ...]  # first id, name, version, number of symbols

_SID_NAME: Final = 4
_SID_VERSION: Final = 5
_SID_IMPORTS: Final = 6
_SID_SYMBOLS: Final = 7
_SID_MAX_ID: Final = 8

# Every table with imports starts with a piece of it.
_IMPORTED_TEXTS: Final = SYSTEM_TEXTS + (None,) * (MAX_IMPORTED_SYMBOLS - len(SYSTEM_TEXTS))


def parse_table(buf: bytes, pos: int, stop: int, current: SymbolTable) -> SymbolTable:
    """
    Parse the local symbol table whose struct is at `pos` and ends at `stop`.

    Args:
        buf: the bytes of the stream.
        pos: where the struct starts.
        stop: where it ends.
        current: the table in force, which an appending table extends.

    Raises:
        IonDecodeError: fields given twice, imports that cannot be resolved, broken bytes, more
            than MAX_COPIED_SYMBOLS copied by appending tables.
    """
    symbols, imports = _find_fields(buf, pos, stop)
    base = SYSTEM_TEXTS
    ranges: Imports = ()
    copied = 0
    if imports is not None:
        base, ranges = _resolve_imports(buf, imports[0], imports[1], current)
        if base is current.texts:
            copied = current.copied + len(base)
            if copied > MAX_COPIED_SYMBOLS:
                fail(pos, f"appending tables copy more than {MAX_COPIED_SYMBOLS} symbols")
    if symbols is None:
        return SymbolTable(base, ranges, copied)
    texts: list[str | None] = list(base)
    _add_symbols(buf, symbols[0], symbols[1], texts)
    return SymbolTable(tuple(texts), ranges, copied)


def _find_fields(
    buf: bytes, pos: int, stop: int
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Find `symbols` and `imports`, each with its bounds; other fields are open content."""
    found: dict[int, tuple[int, int]] = {}
    for sid, start, end in iter_raw_fields(buf, pos, stop):
        if sid in {_SID_IMPORTS, _SID_SYMBOLS}:
            if sid in found:
                fail(start, "a symbol table gives its imports or symbols twice")
            found[sid] = (start, end)
    return found.get(_SID_SYMBOLS), found.get(_SID_IMPORTS)


def iter_raw_fields(buf: bytes, pos: int, stop: int) -> list[tuple[int, int, int]]:
    """List (symbol id, start, end) of a struct's fields, padding left out."""
    start, stop = bounds(buf, pos, stop)
    fields: list[tuple[int, int, int]] = []
    while start < stop:
        sid, start = read_varuint(buf, start, stop)
        end = bounds(buf, start, stop)[1]
        if buf[start] >= FIRST_NULL:
            fields.append((sid, start, end))
        start = end
    return fields


def _add_symbols(buf: bytes, pos: int, stop: int, texts: list[str | None]) -> None:
    """Add the strings of the `symbols` list; anything else in it is a symbol of unknown text."""
    if buf[pos] >> 4 != 0xB:
        return
    start, stop = bounds(buf, pos, stop)
    body = start
    try:
        while start < stop:
            type_byte = buf[start]
            body = start + 1
            if 0x80 <= type_byte < 0x8E:
                start = body + type_byte - 0x80
            else:
                body, start = bounds(buf, start, stop)
                if type_byte != 0x8E:
                    if type_byte >= FIRST_NULL:
                        texts.append(None)
                    continue
            if start > stop:
                fail(body, "a symbol runs beyond its table")
            texts.append(buf[body:start].decode())
    except UnicodeDecodeError:
        fail(body, "a symbol is not UTF-8")


def _resolve_imports(
    buf: bytes, pos: int, stop: int, current: SymbolTable
) -> tuple[tuple[str | None, ...], Imports]:
    """Work out the symbols before the table's own: those in force, or those of shared tables."""
    if buf[pos : pos + 1] == b"\x71" and buf[pos + 1] == SID_SYMBOL_TABLE:
        return current.texts, current.imports
    if buf[pos] >> 4 != 0xB:
        return SYSTEM_TEXTS, ()
    count = len(SYSTEM_TEXTS)
    ranges: list[tuple[int, str, int, int]] = []
    start, stop = bounds(buf, pos, stop)
    while start < stop:
        end = bounds(buf, start, stop)[1]
        shared = _parse_import(buf, start, end) if 0xD0 <= buf[start] < 0xDF else None
        if shared is not None:
            name, version, max_id = shared
            ranges.append((count, name, version, max_id))
            count += max_id
            if count > MAX_IMPORTED_SYMBOLS:
                fail(start, f"a symbol table imports more than {MAX_IMPORTED_SYMBOLS} symbols")
        start = end
    return _IMPORTED_TEXTS[:count], tuple(ranges)


def _parse_import(buf: bytes, pos: int, stop: int) -> tuple[str, int, int] | None:
    """Read name, version and number of symbols of one import; None when it is to be ignored."""
    name, version, max_id = "", 1, -1
    for sid, start, end in iter_raw_fields(buf, pos, stop):
        if sid == _SID_NAME and 0x80 <= buf[start] < 0x8F:
            name = decode_text_at(buf, start, end)
        elif sid == _SID_VERSION and 0x20 <= buf[start] < 0x2F:
            version = max(1, decode_int_at(buf, start, end))
        elif sid == _SID_MAX_ID and 0x20 <= buf[start] < 0x2F:
            max_id = decode_int_at(buf, start, end)
    if name in {"", "$ion"}:
        return None
    if max_id < 0:
        fail(pos, "a symbol table imports a shared table without saying its max_id")
    return name, version, max_id

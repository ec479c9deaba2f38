"""
Put the pieces of binary Ion together: headers, symbol ids, local symbol tables, whole streams.

Strategy: a value is encoded bottom-up into bytes, while a `SymbolWriter` gives out ids in order of
first use. The table is written last and put in front, so it holds exactly the symbols that are
used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion._primitives import maybe_table_start, varuint_bytes
from qldb_stream.ion._symbols import (
    MAX_KEPT,
    MAX_KEPT_CHARACTERS,
    SYSTEM_TABLE,
    SYSTEM_TEXTS,
    SymbolTable,
)
from qldb_stream.ion._types import FIRST_WRAPPER, IVM, MAX_IMPORTED_SYMBOLS, STACK_EXHAUSTED

_NO_IMPORTS: Final[Mapping[tuple[str, int], int]] = {}
_SYSTEM_IDS: Final = {text: sid for sid, text in enumerate(SYSTEM_TEXTS)}


class SymbolWriter:
    """
    Give out symbol ids for one stream.

    Attributes:
        missing: (name, version) and number of symbols of each shared table that a symbol of unknown
            text comes from and that was not imported from the start.
    """

    __slots__ = ("_first_ids", "_ids", "_imports", "_next", "_texts", "missing")

    def __init__(self, imports: Mapping[tuple[str, int], int] = _NO_IMPORTS) -> None:
        self._ids: dict[str | None, int] = _SYSTEM_IDS.copy()
        self._texts: list[str] = []
        self._imports = imports
        self._first_ids: dict[tuple[str, int], int] = {}
        self._next = len(_SYSTEM_IDS)
        for shared, count in imports.items():
            self._first_ids[shared] = self._next
            self._next += count
        self.missing: dict[tuple[str, int], int] = {}

    def sid(self, text: str | None) -> int:
        """Look up the id of a text, a new one if need be; 0 for an unknown text."""
        sid = self._ids.get(text)
        if sid is None:
            assert text is not None
            sid = self._next
            self._next += 1
            self._ids[text] = sid
            self._texts.append(text)
        return sid

    def imported_sid(self, shared: tuple[str, int], position: int, count: int) -> int:
        """Look up the id of a symbol of unknown text, by its place in a shared table."""
        first = self._first_ids.get(shared)
        if first is None or position > self._imports[shared]:
            self.missing[shared] = max(count, self.missing.get(shared, 0))
            return 0
        return first + position - 1

    def sid_of(self, table: SymbolTable, sid: int, offset: int) -> int:
        """
        Translate an id of another stream's table.

        Raises:
            IonDecodeError: that table has no such id.
        """
        text = table.text(sid, offset)
        if text is None:
            for first, name, version, count in table.imports:
                if first <= sid < first + count:
                    return self.imported_sid((name, version), sid - first + 1, count)
        return self.sid(text)

    def finish(self) -> tuple[SymbolTable, bytes]:
        """
        Build the table of all ids given out, and the bytes that declare it.

        The bytes are empty when the system's symbols are enough.
        """
        if self._imports or len(self._texts) > MAX_REMEMBERED_TEXTS:
            return _make_table(self._texts, self._imports)
        return _remembered_table(tuple(self._texts)) if self._texts else (SYSTEM_TABLE, b"")


# Documents of one shape need one table again and again: it is put together once, and what Ion Hash
# keeps with it is shared by them all.
MAX_REMEMBERED_TEXTS: Final = 256


@lru_cache(maxsize=256)
def _remembered_table(texts: tuple[str, ...]) -> tuple[SymbolTable, bytes]:
    return _make_table(texts, _NO_IMPORTS)


def _make_table(
    texts: Sequence[str], imports: Mapping[tuple[str, int], int]
) -> tuple[SymbolTable, bytes]:
    fields = b"\x87" + container(0xB0, b"".join([_name_bytes(text) for text in texts]))
    if imports:
        tables = [_import_bytes(*shared, count) for shared, count in imports.items()]
        fields = b"\x86" + container(0xB0, b"".join(tables)) + fields
    known: list[str | None] = list(SYSTEM_TEXTS)
    ranges: list[tuple[int, str, int, int]] = []
    for (name, version), count in imports.items():
        ranges.append((len(known), name, version, count))
        known.extend([None] * count)
    declaration = container(0xE0, b"\x81\x83" + container(0xD0, fields))
    return SymbolTable((*known, *texts), tuple(ranges)), declaration


def _name_bytes(text: str) -> bytes:
    return _kept_name(text) if len(text) <= MAX_KEPT_CHARACTERS else string_bytes(text)


def _import_bytes(name: str, version: int, max_id: int) -> bytes:
    fields = b"\x84" + string_bytes(name) + b"\x85" + int_value_bytes(version)
    return container(0xD0, fields + b"\x88" + int_value_bytes(max_id))


_SINGLE_BYTES: Final = tuple(bytes((byte,)) for byte in range(256))


def container(nibble: int, body: bytes) -> bytes:
    """Write a value of a type from its body: type byte, length where it is needed, body."""
    length = len(body)
    if length < 14:
        return _SINGLE_BYTES[nibble | length] + body
    return _SINGLE_BYTES[nibble | 14] + varuint_bytes(length) + body


def string_bytes(text: str) -> bytes:
    """
    Write a string.

    Raises:
        IonEncodeError: it has a lone surrogate, which UTF-8 cannot say.
    """
    try:
        body = text.encode()
    except UnicodeEncodeError:
        body = utf8(text)  # which says where
    length = len(body)
    if length < 14:
        return _SINGLE_BYTES[0x80 | length] + body
    return b"\x8e" + varuint_bytes(length) + body


_kept_name: Final = lru_cache(maxsize=MAX_KEPT)(string_bytes)


def utf8(text: str) -> bytes:
    """
    Encode a text.

    Raises:
        IonEncodeError: it has a lone surrogate.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise IonEncodeError(f"a text has a lone surrogate at character {exc.start}") from exc


def symbol_bytes(sid: int) -> bytes:
    """Write a symbol value."""
    return container(0x70, sid.to_bytes((sid.bit_length() + 7) // 8, "big"))


def int_value_bytes(value: int) -> bytes:
    """Write an int."""
    if 0 < value < 256:
        return bytes((0x21, value))
    magnitude = abs(value)
    body = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")
    return container(0x30 if value < 0 else 0x20, body)


def write_value(encode: Callable[[SymbolWriter], bytes]) -> tuple[SymbolWriter, bytes]:
    """
    Encode a value, a second time if it turns out that shared tables have to be imported.

    Returns:
        What gave out its symbol ids, and its bytes.

    Raises:
        IonEncodeError: a reader would take it for a symbol table, or it needs too many imports.
    """
    symbols = SymbolWriter()
    try:
        value = encode(symbols)
        if symbols.missing:
            symbols = SymbolWriter(_checked_imports(symbols.missing))
            value = encode(symbols)
    except RecursionError as exc:
        raise IonEncodeError(STACK_EXHAUSTED) from exc
    if value[0] >= FIRST_WRAPPER and maybe_table_start(value, 0, len(value)):
        raise IonEncodeError("at the top of a stream it would be read as a symbol table")
    return symbols, value


def _checked_imports(imports: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    if sum(imports.values()) > MAX_IMPORTED_SYMBOLS - len(SYSTEM_TEXTS):
        raise IonEncodeError(f"it imports more than {MAX_IMPORTED_SYMBOLS} symbols")
    return imports


def stream_bytes(symbols: SymbolWriter, value: bytes) -> bytes:
    """Write a stream of one value: version marker, symbol table, value."""
    return IVM + symbols.finish()[1] + value

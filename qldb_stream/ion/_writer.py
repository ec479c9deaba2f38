"""Put the pieces of binary Ion together: headers, symbol ids, local symbol tables, whole streams.

Strategy: a value is encoded bottom-up into bytes, while a `SymbolWriter` gives out ids in order of first use.
The table is written last and put in front, so it holds exactly the symbols that are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion._symbols import SYSTEM_TEXTS, SymbolTable
from qldb_stream.ion._timestamps import varuint_bytes
from qldb_stream.ion._types import IVM

_SYSTEM_IDS: Final = {text: sid for sid, text in enumerate(SYSTEM_TEXTS)}


class SymbolWriter:
    """Give out symbol ids for one stream."""

    __slots__ = ("_ids", "_texts")

    def __init__(self) -> None:
        self._ids: dict[str | None, int] = _SYSTEM_IDS.copy()
        self._texts: list[str] = []

    def sid(self, text: str | None) -> int:
        """Look up the id of a text, a new one if need be; 0 for an unknown text."""
        sid = self._ids.get(text)
        if sid is None:
            assert text is not None
            sid = len(self._ids)
            self._ids[text] = sid
            self._texts.append(text)
        return sid

    def table(self) -> SymbolTable:
        """Build the table of all ids given out."""
        return SymbolTable((*SYSTEM_TEXTS, *self._texts))

    def table_bytes(self) -> bytes:
        """Write the local symbol table; nothing at all when the system's symbols are enough."""
        if not self._texts:
            return b""
        if len(self._texts) > MAX_REMEMBERED_TEXTS:
            return _table_bytes(self._texts)
        return _remembered_table_bytes(tuple(self._texts))


# A table that is written again and again, because documents of one shape are, is put together once.
MAX_REMEMBERED_TEXTS: Final = 256


@lru_cache(maxsize=256)
def _remembered_table_bytes(texts: tuple[str, ...]) -> bytes:
    return _table_bytes(texts)


def _table_bytes(texts: Sequence[str]) -> bytes:
    symbols = container(0xB0, b"".join([string_bytes(text) for text in texts]))
    return container(0xE0, b"\x81\x83" + container(0xD0, b"\x87" + symbols))


_SINGLE_BYTES: Final = tuple(bytes((byte,)) for byte in range(256))


def container(nibble: int, body: bytes) -> bytes:
    """Write a value of a type from its body: type byte, length where it is needed, body."""
    length = len(body)
    if length < 14:
        return _SINGLE_BYTES[nibble | length] + body
    return _SINGLE_BYTES[nibble | 14] + varuint_bytes(length) + body


def string_bytes(text: str) -> bytes:
    """Write a string.

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


def utf8(text: str) -> bytes:
    """Encode a text.

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


def stream_bytes(symbols: SymbolWriter, value: bytes) -> bytes:
    """Write a stream of one value: version marker, symbol table, value."""
    return IVM + symbols.table_bytes() + value

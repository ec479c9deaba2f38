"""
Keep the texts of symbol ids, and the parsed tables of streams that repeat them.

Strategy: a table is immutable and shared by all slices of its stream. QLDB repeats the local symbol
table in every record (facts 1.1), so parsed tables are cached by their bytes.

Rules of the cache, because a block summary's table holds document ids and never repeats:

- a table enters only on its second sight; the first sight leaves one integer, its bytes' hash, in a
  filter;
- cache and filter have two generations each: a hit in the old one moves to the young one, a full
  young one becomes the old one and the old one is dropped. So both are bounded, and what is in use
  stays;
- a table longer than MAX_CACHED_BYTES is not even looked up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from qldb_stream.ion._types import fail

SYSTEM_TEXTS: Final[tuple[str | None, ...]] = (
    None,
    "$ion",
    "$ion_1_0",
    "$ion_symbol_table",
    "name",
    "version",
    "imports",
    "symbols",
    "max_id",
    "$ion_shared_symbol_table",
)

MAX_CACHED_TABLES: Final = (
    128  # a generation; a QLDB ledger has at most 20 active tables (facts 5.8)
)
MAX_CACHED_BYTES: Final = 1 << 14  # 128 KB documents with field names for a tenth of it
# Names that are kept in another form, whatever table they are in, and how long each may be.
MAX_KEPT: Final = 4096
MAX_KEPT_CHARACTERS: Final = 64

MAX_REMEMBERED: Final = 4096  # first sights a generation, one small integer each


class SymbolTable:
    """
    Hold the texts of a stream's symbol ids; immutable.

    Attributes:
        texts: one entry per symbol id, in order of ids, id 0 first; None where the text is unknown.
        imports: (first id, name, version, count) of each shared table that is imported without its
            texts.
        copied: how many symbols were copied to make it and the tables that it appends to.
        hash_parts: what `hash_part` has answered, by symbol id; hot loops look here first.
    """

    __slots__ = ("copied", "hash_parts", "imports", "texts")

    def __init__(
        self,
        texts: tuple[str | None, ...],
        imports: tuple[tuple[int, str, int, int], ...] = (),
        copied: int = 0,
    ) -> None:
        self.texts: Final = texts
        self.imports: Final = imports
        self.copied: Final = copied
        self.hash_parts: Final[dict[int, bytes]] = {}

    def text(self, sid: int, offset: int) -> str | None:
        """
        Look up the text of a symbol id; `offset` is where it was read.

        Raises:
            IonDecodeError: the table has no such id.
        """
        if sid >= len(self.texts):
            fail(
                offset, f"symbol id {sid} is not in a symbol table of {len(self.texts) - 1} symbols"
            )
        return self.texts[sid]

    def hash_part(self, sid: int, offset: int) -> bytes:
        """
        Look up what Ion Hash feeds to its hasher for a symbol: B TQ text E.

        Raises:
            IonDecodeError: the table has no such id.
        """
        part = self.hash_parts.get(sid)
        if part is None:
            part = symbol_hash_part(self.text(sid, offset))
            self.hash_parts[sid] = part
        return part


def symbol_hash_part(text: str | None) -> bytes:
    """Serialise a symbol for Ion Hash (facts 2.4; unknown text is type qualifier 0x71)."""
    if text is None:
        return b"\x0b\x71\x0e"
    return _kept_part(text) if len(text) <= MAX_KEPT_CHARACTERS else _part(text)


def _part(text: str) -> bytes:
    return b"\x0b\x70" + escape(text.encode("utf-8")) + b"\x0e"


# Blocks of text have a table each, but for a document's id with names that come again and again.
_kept_part: Final = lru_cache(maxsize=MAX_KEPT)(_part)


def escape(data: bytes) -> bytes:
    """Put Ion Hash's escape byte before each begin, end and escape byte (facts 2.4)."""
    # Looked for first: few values hold one, and to look costs a quarter of a replace.
    if 0x0C in data:
        data = data.replace(b"\x0c", b"\x0c\x0c")
    if 0x0B in data:
        data = data.replace(b"\x0b", b"\x0c\x0b")
    if 0x0E in data:
        data = data.replace(b"\x0e", b"\x0c\x0e")
    return data


SYSTEM_TABLE: Final = SymbolTable(SYSTEM_TEXTS)


class SymbolTableCache:
    """Remember parsed tables by their bytes, within the bounds of the module's head."""

    __slots__ = ("_max_remembered", "_max_tables", "_old", "_old_seen", "_young", "_young_seen")

    def __init__(
        self, max_tables: int = MAX_CACHED_TABLES, max_remembered: int = MAX_REMEMBERED
    ) -> None:
        self._max_tables: Final = max_tables
        self._max_remembered: Final = max_remembered
        self._young: dict[bytes, SymbolTable] = {}
        self._old: dict[bytes, SymbolTable] = {}
        self._young_seen: set[int] = set()
        self._old_seen: set[int] = set()

    def __len__(self) -> int:
        """Count the tables kept."""
        return len(self._young) + len(self._old)

    def maybe_table(self, key: bytes) -> SymbolTable | None:
        """Look up a table by its bytes; None when it is not kept."""
        table = self._young.get(key)
        if table is None:
            table = self._old.pop(key, None)
            if table is not None:
                self._keep(key, table)
        return table

    def offer(self, key: bytes, table: SymbolTable) -> None:
        """Keep a table that was just parsed, if its bytes have been offered before."""
        mark = hash(key)
        if mark in self._young_seen or mark in self._old_seen:
            self._keep(key, table)
            return
        if len(self._young_seen) >= self._max_remembered:
            self._old_seen = self._young_seen
            self._young_seen = set()
        self._young_seen.add(mark)

    def _keep(self, key: bytes, table: SymbolTable) -> None:
        if len(self._young) >= self._max_tables:
            self._old = self._young
            self._young = {}
        self._young[key] = table


TABLES: Final = SymbolTableCache()

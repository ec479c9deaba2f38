"""
The objects of a journal export, block by block: where each stands, and what is none.

Strategy: an object is walked value by value through a bounded window; a value's own first
bytes, or in text its brackets, say where it ends (facts 3.3). Blocks of Ion text, binary Ion
and JSON lines are told apart block by block. Text is slow to read, so a block that begins as the
service writes it, has no other one inside and is followed by a value is not read here: only its
address and hashes are picked out. For who wants all of it anyway a block of plain text that fills
its line is read as it comes, and its end found by that. Of Ion a block may need a symbol table that
stands somewhere before it: the walk tells where, as a chain of tables, so that a block can be read
again by itself. The first block behind a version marker, or in text behind a table that needs none
before it, brings its tables along.

Rules: nothing is dropped in silence. What is no block is one `Undecodable`, from where it starts
to where the next sound block starts. After damage that is where the damaged value ends, if what
follows there is sound, or else the next place that begins as a block does (its address, then
its transaction), is one, and is of the same strand. What is looked at in vain is paid
(`effort`). Memory is bounded by the longest block, MAX_BLOCK_BYTES at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from qldb_stream.errors import DecodeError, IonDecodeError
from qldb_stream.events import Block, BlockAddress, Undecodable
from qldb_stream.ion import (
    IVM,
    SYSTEM_TABLE,
    IonSlice,
    SymbolTable,
    end_of_item,
    maybe_plain,
    next_value,
)
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.effort import Effort
from qldb_stream.parsers.export_places import (
    OWN_TABLES,
    FoundBlock,
    FoundTables,
    Sight,
    TablesInForce,
    is_binary,
    is_marker,
    is_table_start,
    maybe_found,
    place_of,
    read_block,
    read_tables,
    read_text_block,
    see_block,
    text_start,
)
from qldb_stream.parsers.items import shifted, skip_space
from qldb_stream.parsers.json_export import is_json
from qldb_stream.parsers.text import look_for_end
from qldb_stream.parsers.window import Head, Window
from qldb_stream.typing import Readable

__all__ = ["MAX_BLOCK_BYTES", "iter_export_blocks", "iter_export_object"]

MAX_BLOCK_BYTES: Final = 1 << 26
"""A transaction has 4 MiB at most (facts 5.8); text and its escapes make several times that."""

_FIRST_BYTES: Final = 1 << 16
_MORE_TIMES: Final = 4  # as much is held when that is too little
_MAX_KEPT_BYTES: Final = 1 << 16  # of undecodable bytes; more are named, not held

# What one byte costs that is looked at in vain, in units of Effort.
_BINARY_COST: Final = 8
_TEXT_COST: Final = 64
_TOKEN_COST: Final = 16

_STRUCTS: Final = range(0xD0, 0xDF)
_WRAPPERS: Final = range(0xE3, 0xEF)
_ENDS: Final = 0x80  # the bit that ends a VarUInt
_LEAST_EFFORT: Final = 1 << 11  # the smallest block of the service needs as much

_NEXT_BYTES: Final = 64
_START_BYTES: Final = 1024  # the longest such start
_MARKER: Final = re.compile(re.escape(IVM))
_FIRST_FIELDS: Final = ("blockAddress", "transactionId")
_NO_VALUE: Final = re.compile(
    rb"(?:\s|\$ion_1_0\b|//[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/)*+\Z"
)


Found: TypeAlias = FoundBlock | FoundTables | Undecodable


def iter_export_object(
    readable: Readable,
    *,
    seams: Sequence[int] = (),
    effort: Effort | None = None,
    sight: Sight | None = None,
) -> Iterator[Found]:
    """
    Walk an export's object and give its blocks in order, lazily.

    Args:
        readable: the object, decompressed: Ion text, binary Ion or JSON lines.
        seams: places, rising, where bytes are known to be lost; no block goes across one.
        effort: pays for what is looked at in vain; None for what the object's size is worth.
        sight: is asked about each block before it is read. With it blocks of text are read on
            the way, where that is quick; each would be read soon.

    Yields:
        Each block, of which `read_block` may still find that its text is damaged; before the
        first block that needs tables from before it, these; in place of what is no block an
        `Undecodable`, whose error's offset counts from the object's start.
    """
    walk = _Walk(readable.name, effort or Effort(readable.size), sight)
    start = 0
    for end in (*seams, readable.size):
        if start < end:
            yield from walk.run(Head(readable, end), start)
            start = end


def iter_export_blocks(
    readable: Readable, *, seams: Sequence[int] = ()
) -> Iterator[Block | Undecodable]:
    """
    Walk an export's object, and read its blocks on the way.

    Yields:
        Each block, and in the place of what is none an `Undecodable`.
    """
    tables = {OWN_TABLES: SYSTEM_TABLE}
    for found in iter_export_object(readable, seams=seams):
        if isinstance(found, Undecodable):
            yield found
            continue
        data = readable.read_at(found.offset, found.length)
        if isinstance(found, FoundTables):
            table = read_tables(data, tables[found.parent])
            tables = {OWN_TABLES: SYSTEM_TABLE, found.number: table}  # those before are done with
            continue
        try:
            yield read_block(data, tables[found.tables])
        except DecodeError as exc:
            kept = data if found.length <= _MAX_KEPT_BYTES else None
            error = shifted(exc, found.offset)
            yield Undecodable(readable.name, found.offset, found.length, error, kept)


class _Walk:
    """One walk: the symbols in force and where they stand, and whose blocks these are."""

    def __init__(self, name: str, effort: Effort, sight: Sight | None) -> None:
        self._name = name
        self._effort = effort
        self._tables = TablesInForce()
        self._strand_id: str | None = None
        self._sight = sight
        self._line_end = 0  # of the last line that was tried

    def run(self, readable: Readable, pos: int) -> Iterator[Found]:
        """Walk from a place where a value starts, or something that was cut off."""
        window = Window(readable)
        self._tables.reset(None)
        in_binary: bool | None = None
        while True:
            index = window.seek(pos, _FIRST_BYTES)
            if not in_binary:
                pos = window.base + skip_space(window.data, index)
            if pos >= window.size:
                return
            if pos - window.base == len(window.data):
                continue
            if in_binary is None:
                in_binary = is_binary(window.data, pos - window.base)
            try:
                if in_binary:
                    pos, found = self._binary_at(window, pos)
                else:
                    pos, found = self._maybe_line(window, pos) or self._text_at(window, pos)
            except DecodeError as exc:
                self._tables.interrupt()
                pos, damage = self._pass_damage(window, pos, exc, in_binary=in_binary)
                yield damage
                continue
            if found is not None:
                self._strand_id = found.address.strand_id
                self._effort.earn(found.length)
                yield from self._tables.take_told()
                yield found

    # --- binary Ion ---

    def _binary_at(self, window: Window, pos: int) -> tuple[int, FoundBlock | None]:
        """Read the next value: a block, or what stands between blocks."""
        data = _value_at(window, pos)
        end = pos + len(data)
        if data == IVM:
            self._tables.reset((pos, end))
            return end, None
        table = self._tables.table
        try:
            if data[0] in _STRUCTS:
                value: IonSlice | None = IonSlice(data, 0, len(data), table)
            else:
                value, _, table = next_value(data, 0, table)
            if value is not None:
                return end, self._tables.placed(see_block(value, self._sight), pos, end)
        except DecodeError as exc:
            raise shifted(exc, pos) from exc
        if table is not self._tables.table:
            self._tables.declare(pos, end, table)
        return end, None

    def _is_sound(self, window: Window, pos: int) -> bool:
        """Say whether after damage the walk may go on at a place of binary Ion."""
        if pos >= window.size:
            return True
        try:
            data = _value_at(window, pos)
            if data == IVM:
                data = _value_at(window, pos + len(IVM))
                return data[0] in _WRAPPERS and next_value(data, 0, SYSTEM_TABLE)[0] is None
            value = next_value(data, 0, self._tables.table)[0]
            if value is None:
                return data[0] in _WRAPPERS
            return self._is_ours(parse_block(value).address)
        except DecodeError:
            return False

    # --- text ---

    def _maybe_line(self, window: Window, pos: int) -> tuple[int, FoundBlock] | None:
        """Read a block that goes on to its line's end, as the service writes it (facts 3.3)."""
        if self._sight is None or pos < self._line_end or self._tables.table is not SYSTEM_TABLE:
            return None
        index = pos - window.base
        end = window.data.find(b"\n", index)
        is_whole = end >= 0 or window.at_end
        line = window.data[index : end if end >= 0 else None] if is_whole else b""
        self._line_end = pos + len(line) if is_whole else window.base + len(window.data)
        data = line.rstrip()
        value = None if is_json(data) else maybe_plain(data)
        if value is None:
            return None
        try:
            seen = see_block(value, self._sight)
        except DecodeError:
            return None
        return pos + len(data), place_of(seen, pos, len(data))

    def _text_at(self, window: Window, pos: int) -> tuple[int, FoundBlock | None]:
        """Read the next value of Ion text or JSON: a block, or what stands between blocks."""
        end, found, table = self._text_value(window, pos)
        if isinstance(found, FoundBlock):
            return end, found
        if found is not None:
            if table is SYSTEM_TABLE:
                self._tables.reset(None)  # a version marker may stand before it
            return end, self._tables.placed(found, pos, end)
        if table is not self._tables.table:
            if not table.copied:
                self._tables.reset((pos, pos))  # it needs none before it
            self._tables.declare(pos, end, table)
        return end, None

    def _text_value(
        self, window: Window, pos: int
    ) -> tuple[int, FoundBlock | Block | None, SymbolTable]:
        """Find or read a block, or tables; give where it ends, and the table in force there."""
        table = self._tables.table
        end = self._text_end(window, pos)
        if end is None:
            return window.size, None, table
        index = window.seek(pos, end - pos + _NEXT_BYTES)
        data = window.data[index : index + end - pos]
        if table is SYSTEM_TABLE and _starts_value(window, index + end - pos):
            found = maybe_found(data, pos)
            if found is not None:
                return end, found, table
        try:
            return end, *read_text_block(data, table)
        except DecodeError as exc:
            self._effort.spend(_TEXT_COST * (end - pos))
            raise shifted(exc, pos) from exc

    def _text_end(self, window: Window, pos: int) -> int | None:
        """Find where a value of text ends; None when nothing comes but comments."""
        least = _FIRST_BYTES
        while True:
            index = window.seek(pos, least)
            data = window.data
            limit = min(len(data), index + MAX_BLOCK_BYTES)
            is_closed, place, tokens = look_for_end(data, index, limit)
            if is_closed:
                return window.base + place
            if window.at_end and _NO_VALUE.match(data, index):
                return None
            self._effort.spend(place - index + _TOKEN_COST * tokens)
            if window.at_end or place < limit or limit - index >= MAX_BLOCK_BYTES:
                raise IonDecodeError(pos, "a text's brackets or quotes are not closed")
            least = min(_MORE_TIMES * max(least, len(data) - index), MAX_BLOCK_BYTES)
            self._effort.need(least, pos)

    def _is_text_sound(self, window: Window, pos: int) -> bool:
        """Say whether after damage the walk may go on at a place of text."""
        try:
            self._effort.need(0, pos)
            _, found, table = self._text_value(window, pos)
        except DecodeError:
            return False
        if found is None:
            return table is not self._tables.table and _FIRST_FIELDS[0] in table.texts
        return self._is_ours(found.address)

    # --- after damage ---

    def _is_ours(self, address: BlockAddress) -> bool:
        """Say whether a block may be the next one here, and not part of a document."""
        return self._strand_id in (None, address.strand_id)

    def _pass_damage(
        self, window: Window, pos: int, error: DecodeError, *, in_binary: bool
    ) -> tuple[int, Undecodable]:
        """Find where the walk goes on, and make one value of what lies before."""
        end = self._after_binary(window, pos) if in_binary else self._after_text(window, pos)
        length = end - pos
        data: bytes | None = None
        if length <= _MAX_KEPT_BYTES:
            index = window.seek(pos, length)
            data = window.data[index : index + length]
        return end, Undecodable(self._name, pos, length, error, data)

    def _after_text(self, window: Window, origin: int) -> int:
        index = window.seek(origin, _NEXT_BYTES)
        if is_table_start(window.data[index:]):
            self._tables.reset(None)  # what it said is not known, and what was is no more
        pattern = text_start(self._tables.table)
        for place in self._iter_starts(window, origin + 1, pattern):
            if self._is_text_sound(window, place):
                return place
        return window.size

    def _after_binary(self, window: Window, origin: int) -> int:
        is_table = False
        index = window.seek(origin, _FIRST_BYTES)
        if is_marker(window.data[index : index + len(IVM)]):
            self._tables.reset((origin + len(IVM),) * 2)
            return origin + len(IVM)
        try:
            data = _value_at(window, origin)
            is_table = data[0] in _WRAPPERS
            end = origin + len(data)
            if not is_table and self._is_sound(window, end):
                return end
        except DecodeError:
            pass
        # Without a table that is lost no name is known any more, up to the next marker.
        pattern = _MARKER if is_table else _start_pattern(self._tables.table)
        for place in self._iter_starts(window, origin + 1, pattern):
            if self._is_sound(window, place):
                return place
            self._effort.spend(_BINARY_COST * _length_at(window, place))
        return window.size

    def _iter_starts(self, window: Window, pos: int, pattern: re.Pattern[bytes]) -> Iterator[int]:
        """Search for places where a block may start, as long as there is effort left."""
        while pos < window.size:
            index = window.seek(pos, _FIRST_BYTES)
            found = pattern.search(window.data, index)
            if found is None:
                if window.at_end:
                    return
                held = window.base + len(window.data)
                following = max(pos + 1, held - _START_BYTES)
                self._effort.earn(following - pos)
                pos = following
                continue
            place = window.base + found.start()
            self._effort.earn(place - pos)
            if self._effort.left >= _LEAST_EFFORT:
                yield place
            pos = place + 1


def _starts_value(window: Window, index: int) -> bool:
    """Say whether at an index of what is held a value of text starts, or nothing follows."""
    index = skip_space(window.data, index)
    return window.data[index : index + 1] == b"{" or (index == len(window.data) and window.at_end)


def _value_at(window: Window, pos: int) -> bytes:
    """
    Give the bytes of what stands at a position of binary Ion.

    Raises:
        IonDecodeError: it is cut off, or too long.
    """
    index = window.seek(pos, _FIRST_BYTES)
    end = end_of_item(window.data, index, window.base)
    length = end - index
    if length > MAX_BLOCK_BYTES:
        raise IonDecodeError(pos, f"a value is longer than {MAX_BLOCK_BYTES} bytes")
    if pos + length > window.size:
        raise IonDecodeError(pos, "a value is cut off")
    index = window.seek(pos, length)
    data = window.data[index : index + length]
    if len(data) < length:
        raise IonDecodeError(pos, "a value is cut off")
    return data


def _length_at(window: Window, pos: int) -> int:
    try:
        return len(_value_at(window, pos))
    except DecodeError:
        return 1


@lru_cache(maxsize=16)
def _start_pattern(table: SymbolTable) -> re.Pattern[bytes]:
    """Make the pattern of how a block starts in binary Ion, or a stream."""
    sids = [table.texts.index(name) if name in table.texts else -1 for name in _FIRST_FIELDS]
    if min(sids) < 0:
        return _MARKER
    first, second = (re.escape(_varuint(sid)) for sid in sids)
    return re.compile(
        rb"\xe0\x01\x00\xea|\xde[\x00-\x7f]{0,7}[\x80-\xff]"
        + first
        + rb"[\xd2-\xde][\x00-\xff]{4,96}?"
        + second
        + rb"[\x81-\x8e]",
        re.DOTALL,
    )


def _varuint(number: int) -> bytes:
    out = bytes((number & 0x7F | _ENDS,))
    while number := number >> 7:
        out = bytes((number & 0x7F,)) + out
    return out

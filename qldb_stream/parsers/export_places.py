"""
Where the blocks of an export's object stand, and how each is read by itself.

A place is what has to be read again: the bytes of a block, and for binary Ion the number of the
symbol tables before it that it needs. These are told as chains, since a table may add to those in
force (Ion 1.0 symbols specification). `export_walk` finds places.
"""

from __future__ import annotations

import binascii
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import attrs

from qldb_stream.errors import AnswerError, EnvelopeError, IonDecodeError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.ion import (
    IVM,
    MAX_TABLES,
    SYSTEM_TABLE,
    IonSlice,
    SymbolTable,
    next_value,
    read_text,
)
from qldb_stream.parsers.answer import is_answer, parse_answer
from qldb_stream.parsers.block import parse_block
from qldb_stream.parsers.json_export import is_json, parse_json_block

__all__ = [
    "OWN_TABLES",
    "TEXT_START",
    "FoundBlock",
    "FoundTables",
    "Sight",
    "Sighted",
    "TablesInForce",
    "is_binary",
    "is_marker",
    "is_table_start",
    "maybe_found",
    "place_of",
    "read_block",
    "read_tables",
    "read_text_block",
    "see_block",
    "text_start",
]

OWN_TABLES: Final = -1
"""In place of a number of tables: none are needed but what the bytes begin with."""

# Symbols that appending tables copy: a document's id is one, so a writer that adds a table before
# each block copies 5 a byte in an object of 10,000 blocks. The bound of `ion` is for one record.
_FREE_COPIES: Final = 1 << 22
_COPIES_PER_BYTE: Final = 16

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_FIRST_BINARY: Final = 0xD0  # structs, annotations, the version marker; no text begins so

_TEXT_START: Final = rb"\{\s{0,64}%b\s{0,64}:\s{0,64}\{[^{}]{0,256}\}\s{0,64},\s{0,64}%b\s{0,64}:"
_FIRST_FIELDS: Final = ("blockAddress", "transactionId")
_FIRST_NAMES: Final = tuple([b"[\"']?%b[\"']?" % name.encode() for name in _FIRST_FIELDS])
TEXT_START: Final = re.compile(_TEXT_START % _FIRST_NAMES)
"""How a block of Ion text or JSON starts, in its first two fields."""

# A block of text whose bracket is damaged: what follows cannot stand in binary Ion there.
_DAMAGED_TEXT: Final = re.compile(rb"\s{0,64}[\"']?blockAddress[\"']?\s{0,64}:")

_TABLE_START: Final = rb"(?:\$ion_1_0\s{1,64})?\$(?:ion_symbol_table|0{0,64}3)\s{0,64}::\s{0,64}\{"
_TABLE_START_BYTES: Final = 256

# A block's first fields as the service writes them, in Ion or JSON.
_DIGEST: Final = rb"([A-Za-z0-9+/]{43}=)"
_HEAD: Final = re.compile(
    rb"""
    \{\s?"?blockAddress"?\s?:\s?\{\s?"?strandId"?\s?:\s?"([A-Za-z0-9-]{22})"\s?,
    \s?"?sequenceNo"?\s?:\s?(0|[1-9][0-9]{0,17})\s?\}\s?,
    \s?"?transactionId"?\s?:\s?"[A-Za-z0-9-]{22}"\s?,
    \s?"?blockTimestamp"?\s?:\s?"?[0-9T:.Z+-]{1,40}"?\s?,
    \s?"?blockHash"?\s?:\s?(?:\{\{\s?DIGEST\s?\}\}|"DIGEST")\s?,
    """.replace(b"DIGEST", _DIGEST),
    re.VERBOSE,
)
_ION_LEAF: Final = re.compile(rb"\bhash\s?:\s?\{\{\s?" + _DIGEST + rb"\s?\}\}")
_JSON_LEAF: Final = re.compile(rb"\"hash\"\s?:\s?\"" + _DIGEST + rb"\"")


@attrs.frozen
class FoundTables:
    """
    Symbol tables that later blocks need: number `number` in their object, from 0.

    `parent` is the number of those before them, which they add to; OWN_TABLES for none.
    """

    number: int
    parent: int
    offset: int
    length: int


class Sighted(NamedTuple):
    """
    What was said of a block at the sight of its bytes, and what of it an index needs.

    `leaves` are as in `FoundBlock`. `revisions` counts those that have contents; `answer` is for
    the one who said it.
    """

    address: BlockAddress
    block_hash: bytes
    leaves: bytes
    revisions: int
    answer: Any


Sight: TypeAlias = Callable[[IonSlice], Sighted | None]
"""Says at the sight of a value what becomes of the block; None: it is to be read."""


@attrs.frozen
class FoundBlock:
    """
    Where a block stands: the bytes that have to be read to get it, and the tables they need.

    `leaves` are the hashes that it lists, 32 bytes each, one after the other. Of text they may
    hold others besides, which documents have in fields of that name. `seen` is what was read
    to find it, or what was said at its sight; None where only these parts were read.
    """

    address: BlockAddress
    block_hash: bytes
    leaves: bytes = attrs.field(repr=False)
    offset: int
    length: int
    tables: int = OWN_TABLES
    seen: Block | Sighted | None = attrs.field(default=None, eq=False, repr=False)


def read_block(data: bytes, table: SymbolTable = SYSTEM_TABLE) -> Block:
    """
    Read one block from its bytes alone, of any form.

    Args:
        data: what `FoundBlock` says where it stands.
        table: the symbols before it, in Ion.

    Raises:
        EnvelopeError: it is no block (facts 2.1), or not exactly one value.
        IonDecodeError: not sound Ion.
    """
    if is_binary(data, 0):
        value, end, _ = next_value(data, 0, table)
        if value is None or end != len(data):
            raise EnvelopeError("block", "one value", "none" if value is None else "more")
        return parse_block(value)
    block, _ = read_text_block(data, table)
    if block is None:
        raise EnvelopeError("block", "one value", "none")
    return block


def read_text_block(data: bytes, table: SymbolTable) -> tuple[Block | None, SymbolTable]:
    """
    Read what stands in text up to the end of a bracket: a block, or symbol tables.

    Returns:
        The block, None where these are tables; and the table in force behind it.

    Raises:
        EnvelopeError: it is no block (facts 2.1), or more than one value.
        IonDecodeError: not sound Ion or JSON.
    """
    if is_answer(data):
        answered = parse_answer(data).block
        if answered is None:
            raise AnswerError("`Block`", "`Revision`, which is no block")
        return answered, table
    if is_json(data):
        try:
            return parse_json_block(data), table
        except IonDecodeError:
            # Ion text may quote its names as JSON does; what is neither is told as JSON.
            if b"{{" not in data:
                raise
    values, after = read_text(data, table)
    if len(values) > 1:
        raise EnvelopeError("block", "one value", f"{len(values)} values")
    return parse_block(values[0]) if values else None, after


def read_tables(data: bytes, table: SymbolTable = SYSTEM_TABLE) -> SymbolTable:
    """
    Read symbol tables from their bytes alone.

    Args:
        data: what `FoundTables` says where it stands.
        table: the symbols before them.

    Raises:
        IonDecodeError: not sound Ion.
    """
    # Of tables behind a marker that is damaged nothing may be left.
    in_text = bool(data) and not is_binary(data, 0)
    after = read_text(data, table)[1] if in_text else next_value(data, 0, table)[2]
    return _without_count(after)


def _without_count(table: SymbolTable) -> SymbolTable:
    """Count what an appending table copies anew: who walks an object counts for all of it."""
    return SymbolTable(table.texts, table.imports, 1) if table.copied else table


def is_binary(data: bytes, pos: int) -> bool:
    """Tell binary Ion from text by what stands at a position."""
    if data.startswith(_BYTE_ORDER_MARK, pos):
        return False
    if data[pos] >= _FIRST_BINARY:
        return not _DAMAGED_TEXT.match(data, pos + 1)
    return is_marker(data[pos : pos + len(IVM)])


def is_marker(data: bytes) -> bool:
    """Tell a version marker, also when one of its bytes is damaged."""
    return len(data) == len(IVM) and sum(map(operator.eq, data, IVM)) >= len(IVM) - 1


def see_block(value: IonSlice, sight: Sight | None) -> Block | Sighted:
    """
    Read a block, unless it is enough to have seen it.

    Raises:
        EnvelopeError, IonDecodeError: as `parse_block`.
    """
    sighted = None if sight is None else sight(value)
    return parse_block(value) if sighted is None else sighted


def place_of(
    seen: Block | Sighted, offset: int, length: int, tables: int = OWN_TABLES
) -> FoundBlock:
    """Say where a block stands that was read or seen."""
    if isinstance(seen, Sighted):
        leaves = seen.leaves
    else:
        leaves = b"".join([revision.hash for revision in seen.revisions])
    return FoundBlock(seen.address, seen.block_hash, leaves, offset, length, tables, seen)


def maybe_found(data: bytes, offset: int) -> FoundBlock | None:
    """
    Find a block in text without reading all of it, where it begins as the service writes it.

    What comes after its hash may still be damaged: whoever reads it finds that.

    Args:
        data: from its opening bracket to its closing one.
        offset: where it stands.

    Returns:
        None for what has to be read to tell, as where a second block starts inside.
    """
    head = _HEAD.match(data)
    if head is None or TEXT_START.search(data, 1):
        return None
    strand_id, number, in_ion, in_json = head.group(1, 2, 3, 4)
    pattern = _ION_LEAF if in_json is None else _JSON_LEAF
    leaves = b"".join([binascii.a2b_base64(found) for found in pattern.findall(data, head.end())])
    address = BlockAddress(strand_id.decode(), int(number))
    block_hash = binascii.a2b_base64(in_ion or in_json)
    return FoundBlock(address, block_hash, leaves, offset, len(data))


@lru_cache(maxsize=16)
def text_start(table: SymbolTable) -> re.Pattern[bytes]:
    """Give the pattern of how text goes on: a block under a symbol table, or another table."""
    names = [
        rb"(?:%b|\$0{0,64}%d)" % (name, table.texts.index(text)) if text in table.texts else name
        for text, name in zip(_FIRST_FIELDS, _FIRST_NAMES, strict=True)
    ]
    return re.compile(_TEXT_START % tuple(names) + rb"|" + _TABLE_START)


def is_table_start(data: bytes) -> bool:
    """Say whether text that begins so may have been a symbol table, damaged as it may be."""
    head = data[:_TABLE_START_BYTES].partition(b"{")[0]
    return b"::" in head or b"$ion_s" in head


class TablesInForce:
    """
    The symbol table in force, and where it stands.

    Tables that stand together are told as one, when the second block comes that needs them.
    """

    def __init__(self) -> None:
        self._count = 0  # of tables that were told
        self._told: list[FoundTables] = []
        self._copied = 0
        self.reset(None)

    def reset(self, marker: tuple[int, int] | None) -> None:
        """Forget all symbols, as a version marker does."""
        self.table = SYSTEM_TABLE
        self._number = OWN_TABLES  # of what was told and is in force
        self._untold = marker  # where tables stand that were not told
        self._is_fresh = marker is not None
        self._is_used = False
        self._in_a_row = 0

    def declare(self, pos: int, end: int, table: SymbolTable) -> None:
        """Take note of a symbol table."""
        self._in_a_row += 1
        if self._in_a_row > MAX_TABLES:
            raise IonDecodeError(pos, f"more than {MAX_TABLES} symbol tables stand before a value")
        if self._is_used:
            self.interrupt()
        if table.copied:
            self._copied += len(table.texts)
            if self._copied > _FREE_COPIES + _COPIES_PER_BYTE * pos:
                raise IonDecodeError(pos, "appending tables copy too many symbols")
            table = _without_count(table)
        start = pos if self._untold is None else self._untold[0]
        if not table.copied and not self._is_fresh:
            self._number, start = OWN_TABLES, pos  # it does not add to those before it
        self._untold, self.table = (start, end), table

    def placed(self, block: Block | Sighted, pos: int, end: int) -> FoundBlock:
        """Say what has to be read to read a block again."""
        self._in_a_row = 0
        if self._untold is not None and self._is_fresh and not self._is_used:
            self._is_used = True
            start = self._untold[0]
            return place_of(block, start, end - start)
        self.interrupt()
        return place_of(block, pos, end - pos, self._number)

    def take_told(self) -> list[FoundTables]:
        """Hand over the tables that were told since the last call."""
        told, self._told = self._told, []
        return told

    def interrupt(self) -> None:
        """Tell tables by themselves: what comes next does not stand right behind them."""
        if self._untold is None:
            return
        start, end = self._untold
        self._told.append(FoundTables(self._count, self._number, start, end - start))
        self._number = self._count
        self._count += 1
        self._untold, self._is_fresh, self._is_used = None, False, False

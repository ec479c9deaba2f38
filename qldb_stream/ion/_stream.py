"""Walk binary Ion streams: version markers, symbol tables, padding, top-level values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qldb_stream.ion._encode import encode
from qldb_stream.ion._primitives import bounds, maybe_table_start
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._symbols import (
    MAX_CACHED_BYTES,
    SYSTEM_TABLE,
    TABLES,
    SymbolTable,
)
from qldb_stream.ion._tables import parse_table
from qldb_stream.ion._types import (
    FIRST_NULL,
    FIRST_WRAPPER,
    IVM,
    MAX_TABLES,
    MAX_VALUE_BYTES,
    fail,
)
from qldb_stream.ion._writer import stream_bytes, write_value


def read_value(data: bytes, pos: int) -> tuple[IonSlice, int]:
    """
    Read one record: version marker, symbol tables, one value.

    Padding before the value is skipped. Records that stand one after the other are walked with it.

    Returns:
        The value and the position after it.

    Raises:
        IonDecodeError: no version marker at `pos`, no value after it, broken bytes.
    """
    if data[pos : pos + 4] != IVM:
        fail(pos, "no Ion 1.0 version marker")
    value, after, _table = next_value(data, pos, SYSTEM_TABLE)
    if value is None:
        fail(pos, "a record holds no value")
    return value, after


def iter_slices(data: bytes, pos: int = 0) -> Iterator[IonSlice]:
    """
    Iterate over every top-level value of a stream, lazily.

    A version marker resets the symbols; an appending symbol table adds to them.

    Raises:
        IonDecodeError: no version marker at the start, or broken bytes; what came before was sound.
    """
    if data[pos : pos + 4] != IVM:
        fail(pos, "no Ion 1.0 version marker")
    value, pos, table = next_value(data, pos, SYSTEM_TABLE)
    while value is not None:
        yield value
        value, pos, table = next_value(data, pos, table)


def next_value(
    data: bytes, pos: int, table: SymbolTable
) -> tuple[IonSlice | None, int, SymbolTable]:
    """
    Find the next top-level value, from the table in force.

    Returns:
        The value, None at the end; the position after it; the table in force there.

    Raises:
        IonDecodeError: broken bytes, or more than MAX_TABLES symbol tables in a row.
    """
    end = len(data)
    tables = 0
    while pos < end:
        type_byte = data[pos]
        if type_byte == FIRST_WRAPPER:
            if data[pos : pos + 4] != IVM:
                fail(pos, "a version marker is cut off, or not that of Ion 1.0")
            pos += 4
            table = SYSTEM_TABLE
            tables = 0
            continue
        stop = bounds(data, pos, end)[1]
        if type_byte > FIRST_WRAPPER:
            found = _maybe_table(data, pos, stop, table)
            if found is not None:
                table = found
                tables += 1
                if tables > MAX_TABLES:
                    fail(pos, f"more than {MAX_TABLES} symbol tables stand before one value")
                pos = stop
                continue
        if type_byte >= FIRST_NULL:
            if stop - pos > MAX_VALUE_BYTES:
                fail(pos, f"a value is longer than {MAX_VALUE_BYTES} bytes")
            return IonSlice(data, pos, stop, table), stop, table
        pos = stop
    return None, pos, table


def _maybe_table(data: bytes, pos: int, stop: int, current: SymbolTable) -> SymbolTable | None:
    """
    Read the symbol table in the wrapper at `pos`, from the cache if it is there.

    An appending table depends on the one in force, so only tables of a fresh stream are looked up
    and kept.

    Returns:
        None when the wrapper holds a user's value.
    """
    if current is not SYSTEM_TABLE or stop - pos > MAX_CACHED_BYTES:
        struct = maybe_table_start(data, pos, stop)
        return parse_table(data, struct, stop, current) if struct else None
    key = data[pos:stop]
    table = TABLES.maybe_table(key)
    if table is not None:
        return table
    struct = maybe_table_start(data, pos, stop)
    if not struct:
        return None
    table = parse_table(data, struct, stop, current)
    if not table.imports:
        TABLES.offer(key, table)
    return table


def load_slice(data: bytes) -> IonSlice:
    """
    Read a stream of exactly one value.

    Raises:
        IonDecodeError: no value, more than one, or broken bytes.
    """
    value, pos = read_value(data, 0)
    if pos < len(data):
        extra, _pos, _table = next_value(data, pos, value.symbols)
        if extra is not None:
            fail(extra.start, "a second value stands where one is expected")
    return value


def loads(data: bytes) -> Any:
    """
    Decode a stream of exactly one value to Python.

    Raises:
        IonDecodeError: no value, more than one, or broken bytes.
    """
    return load_slice(data).decode()


def to_slice(value: Any) -> IonSlice:
    """
    Encode a Python value into a slice; a slice is returned as it is.

    Raises:
        IonEncodeError: Ion has no type for it, or it nests too deeply.
    """
    if isinstance(value, IonSlice):
        return value
    symbols, body = write_value(lambda symbols: encode(value, symbols, 0))
    table, declaration = symbols.finish()
    data = IVM + declaration + body
    return IonSlice(data, len(data) - len(body), len(data), table)


def dumps(value: Any) -> bytes:
    """
    Encode a value as a stream of its own: version marker, smallest symbol table, value.

    Args:
        value: what `loads` answers, plain Python, or an IonSlice, at any depth.

    Raises:
        IonEncodeError: Ion has no type for it, or it nests too deeply.
    """
    return stream_bytes(*write_value(lambda symbols: encode(value, symbols, 0)))


def ion_hash(value_or_bytes: Any) -> bytes:
    """
    Compute the Ion Hash of a value.

    Args:
        value_or_bytes: bytes are a binary Ion stream of one value; anything else is the value
            itself.

    Returns:
        32 bytes, SHA-256.

    Raises:
        IonDecodeError: broken bytes, or not exactly one value.
        IonEncodeError: Ion has no type for the value.
    """
    if type(value_or_bytes) is bytes:
        return load_slice(value_or_bytes).hash()
    return to_slice(value_or_bytes).hash()

"""
Walk a binary Ion stream that comes in pieces, holding one top-level value at a time.

Strategy: the first bytes of a value say how long it is, so nothing is read twice, however
small the pieces are. Every value is read from bytes of its own; the symbol table in force is
carried on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._stream import next_value
from qldb_stream.ion._symbols import SYSTEM_TABLE
from qldb_stream.ion._types import (
    BODY_LENGTHS,
    FIRST_WRAPPER,
    IVM,
    LENGTH_FOLLOWS,
    MAX_VALUE_BYTES,
    MAX_VARUINT,
    fail,
)

_MAX_VARUINT_BYTES: Final = (MAX_VARUINT.bit_length() + 6) // 7


def iter_chunked(chunks: Iterable[bytes]) -> Iterator[IonSlice]:
    """
    Iterate over every top-level value of a stream, lazily.

    Args:
        chunks: the stream's bytes in order, cut anywhere. Held are one value, MAX_VALUE_BYTES
            at most, and one chunk.

    Raises:
        IonDecodeError: no version marker at the start, broken bytes, or a value that is cut
            off; what came before was sound. The offset counts from the stream's start.
    """
    held = bytearray()
    base = 0
    table = SYSTEM_TABLE
    for chunk in chunks:
        held += chunk
        if base == 0 and len(held) < len(IVM):
            continue
        if base == 0 and not held.startswith(IVM):
            fail(0, "no Ion 1.0 version marker")
        pos = 0
        while (end := end_of_item(held, pos, base)) <= len(held):
            try:
                value, _, table = next_value(bytes(held[pos:end]), 0, table)
            except IonDecodeError as exc:
                raise IonDecodeError(base + pos + exc.offset, exc.problem) from exc
            if value is not None:
                yield value
            pos = end
        base += pos
        del held[:pos]
    if held or base == 0:
        fail(base, "no Ion 1.0 version marker" if base == 0 else "a value is cut off")


def end_of_item(held: bytes | bytearray, pos: int, base: int = 0) -> int:
    """
    Find where what stands at a position of a stream ends: a version marker, padding, a value.

    Args:
        held: some bytes of the stream.
        pos: where it starts, in `held`.
        base: where `held` starts in the stream, for errors.

    Returns:
        The position after it; beyond what is held when more is needed.

    Raises:
        IonDecodeError: it is longer than MAX_VALUE_BYTES.
    """
    if pos >= len(held):
        return pos + 1
    type_byte = held[pos]
    if type_byte == FIRST_WRAPPER:
        return pos + len(IVM)
    length = BODY_LENGTHS[type_byte]
    start = pos + 1
    if length == LENGTH_FOLLOWS:
        length = 0
        while start < len(held) and held[start] < 0x80 and start - pos <= _MAX_VARUINT_BYTES:
            length = length << 7 | held[start]
            start += 1
        if start == len(held):
            return start + 1
        length = length << 7 | held[start] & 0x7F
        start += 1
    # A byte that begins no value has no length; whoever reads it says what is wrong.
    end = start + max(length, 0)
    if end - pos > MAX_VALUE_BYTES:
        fail(base + pos, f"a value is longer than {MAX_VALUE_BYTES} bytes")
    return end

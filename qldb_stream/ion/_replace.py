"""
Copy a value with some of what is inside it exchanged or left out.

Everything else is copied as `_copy` does it, so that it stays the very value that it was:
annotations, symbols, precision, order, repeated fields. The copy has bytes and a symbol table of
its own: nothing of what was exchanged is left in either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from qldb_stream.ion._copy import copy_value
from qldb_stream.ion._encode import encode
from qldb_stream.ion._primitives import bounds, read_annotation_sids, read_varuint, varuint_bytes
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._types import FIRST_NULL, FIRST_WRAPPER, IVM
from qldb_stream.ion._writer import SymbolWriter, container, write_value


class LeftOut(Enum):
    """What stands in the place of a field or element that is not copied."""

    LEFT_OUT = "left out"


LEFT_OUT: Final[Literal[LeftOut.LEFT_OUT]] = LeftOut.LEFT_OUT

_Exchanged: TypeAlias = Mapping[int, Any]


def replaced(value: IonSlice, exchanged: _Exchanged) -> IonSlice:
    """
    Copy a value with some fields or elements of it exchanged.

    Args:
        value: what is copied.
        exchanged: by where a member at any depth starts (`IonSlice.start` of what `iter_fields`
            and `iter_elements` give), what stands there instead: anything that can be encoded,
            or LEFT_OUT.

    Returns:
        A slice of a buffer of its own.

    Raises:
        IonDecodeError: broken bytes, or nested too deeply.
        IonEncodeError: Ion has no type for what is put in.
    """
    starts = sorted(exchanged)

    def copy(symbols: SymbolWriter) -> bytes:
        return _copy(value, value.start, value.end, symbols, (starts, exchanged), 0)

    symbols, body = write_value(copy)
    table, declaration = symbols.finish()
    data = IVM + declaration + body
    return IonSlice(data, len(data) - len(body), len(data), table)


def _copy(
    value: IonSlice,
    pos: int,
    end: int,
    symbols: SymbolWriter,
    changes: tuple[Sequence[int], _Exchanged],
    depth: int,
) -> bytes:
    """Copy what stands at `pos`; a part without changes as a whole, with all its checks."""
    starts = changes[0]
    buf = value.buf
    first = bisect_left(starts, pos)
    if first == len(starts) or starts[first] >= end:
        return copy_value(buf, pos, end, value.symbols, symbols, depth)
    start, stop = bounds(buf, pos, end)
    if buf[pos] >= FIRST_WRAPPER:
        sids, inner = read_annotation_sids(buf, start, stop)
        ids = [symbols.sid_of(value.symbols, sid, start) for sid in sids]
        names = b"".join(map(varuint_bytes, ids))
        body = _copy(value, inner, stop, symbols, changes, depth + 1)
        return container(0xE0, varuint_bytes(len(names)) + names + body)
    return _copy_members(value, (pos, start, stop), symbols, changes, depth)


def _copy_members(
    value: IonSlice,
    place: tuple[int, int, int],
    symbols: SymbolWriter,
    changes: tuple[Sequence[int], _Exchanged],
    depth: int,
) -> bytes:
    """Copy a container; `place` is its type byte, the start of its body, and its end."""
    buf = value.buf
    pos, start, stop = place
    nibble = buf[pos] & 0xF0
    parts: list[bytes] = []
    is_struct = nibble == 0xD0
    sid = 0
    while start < stop:
        if is_struct:
            sid, start = read_varuint(buf, start, stop)
        after = bounds(buf, start, stop)[1]
        change = changes[1].get(start, value)
        if buf[start] >= FIRST_NULL and change is not LEFT_OUT:
            if is_struct:
                parts.append(varuint_bytes(symbols.sid_of(value.symbols, sid, start)))
            if change is value:  # stands for: no change
                parts.append(_copy(value, start, after, symbols, changes, depth + 1))
            else:
                parts.append(encode(change, symbols, depth + 1))
        start = after
    return container(nibble, b"".join(parts))

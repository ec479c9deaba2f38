"""
Read the pieces Ion's binary values are made of: VarUInt, VarInt, Int and the bounds of a value.

Rules: a reader takes `(buf, pos, end)` and never looks at or beyond `end`; what it returns first is
the value, last the position after it. It knows no symbol tables and makes no Python values but
ints.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion._types import (
    BODY_LENGTHS,
    FIRST_WRAPPER,
    LENGTH_FOLLOWS,
    MAX_VARUINT,
    NOT_A_VALUE,
    SID_SYMBOL_TABLE,
    fail,
)

# Seven more bits come with the last byte.
_MAX_BEFORE_LAST: Final = MAX_VARUINT >> 7


def read_varuint(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """
    Read a VarUInt: seven bits a byte, the last byte marked by its high bit.

    Raises:
        IonDecodeError: it runs beyond `end` or is larger than MAX_VARUINT.
    """
    value = 0
    while pos < end:
        byte = buf[pos]
        pos += 1
        if byte >= 0x80:
            return (value << 7) | (byte & 0x7F), pos
        value = (value << 7) | byte
        if value > _MAX_BEFORE_LAST:
            fail(pos, "a VarUInt is larger than any length or id can be")
    raise IonDecodeError(pos, "a VarUInt is cut off")


def read_varint(buf: bytes, pos: int, end: int) -> tuple[int, bool, int]:
    """
    Read a VarInt as magnitude and sign, because minus zero means something.

    Raises:
        IonDecodeError: it runs beyond `end` or is larger than MAX_VARUINT.
    """
    if pos >= end:
        fail(pos, "a VarInt is cut off")
    first = buf[pos]
    negative = first & 0x40 != 0
    value = first & 0x3F
    pos += 1
    if first >= 0x80:
        return value, negative, pos
    while pos < end:
        byte = buf[pos]
        pos += 1
        if byte >= 0x80:
            return (value << 7) | (byte & 0x7F), negative, pos
        value = (value << 7) | byte
        if value > _MAX_BEFORE_LAST:
            fail(pos, "a VarInt is larger than any exponent or offset can be")
    raise IonDecodeError(pos, "a VarInt is cut off")


def read_int(buf: bytes, pos: int, end: int) -> tuple[int, bool]:
    """Read an Int that fills the bytes up to `end`, as magnitude and sign (empty is plus zero)."""
    if pos >= end:
        return 0, False
    magnitude = int.from_bytes(buf[pos:end], "big")
    if buf[pos] < 0x80:
        return magnitude, False
    return magnitude - (0x80 << (8 * (end - pos - 1))), True


def bounds(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """
    Find where the body of the value at `pos` starts and ends.

    A null's body is empty. For NOP padding the body is the pad.

    Raises:
        IonDecodeError: no value begins with that byte, or it runs beyond `end`.
    """
    if pos >= end:
        fail(pos, "a value is missing")
    length = BODY_LENGTHS[buf[pos]]
    start = pos + 1
    if length < 0:
        if start < end and buf[start] >= 0x80 and length == LENGTH_FOLLOWS:
            length = buf[start] - 0x80
            start += 1
        else:
            length, start = read_long_length(buf, pos, end)
    stop = start + length
    if stop > end:
        fail(pos, "a value runs beyond what holds it")
    return start, stop


def read_long_length(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """
    Read the length that follows the type byte at `pos`.

    Raises:
        IonDecodeError: no value begins with that byte, or the length is cut off.
    """
    if BODY_LENGTHS[buf[pos]] == NOT_A_VALUE:
        fail(pos, f"no Ion value begins with the byte 0x{buf[pos]:02x}")
    return read_varuint(buf, pos + 1, end)


def body_start(buf: bytes, pos: int) -> int:
    """Find the body of a value whose bounds are known to be sound."""
    if BODY_LENGTHS[buf[pos]] >= 0:
        return pos + 1
    pos += 1
    while buf[pos] < 0x80:
        pos += 1
    return pos + 1


def read_annotation_sids(buf: bytes, start: int, stop: int) -> tuple[list[int], int]:
    """
    Read the symbol ids of an annotation wrapper whose body is given.

    Returns:
        The ids, at least one, and the position of the wrapped value, which ends exactly at `stop`.

    Raises:
        IonDecodeError: no annotation, lengths that do not fit, padding or a second wrapper inside.
    """
    length, pos = read_varuint(buf, start, stop)
    inner = pos + length
    if length == 0 or inner >= stop:
        fail(start, "an annotation wrapper lacks its annotations or its value")
    sids: list[int] = []
    while pos < inner:
        sid, pos = read_varuint(buf, pos, inner)
        sids.append(sid)
    check_wrapped_value(buf, inner, stop)
    return sids, inner


def maybe_table_start(buf: bytes, pos: int, end: int) -> int:
    """
    Find the struct in the wrapper at `pos`, if its first annotation makes it a symbol table.

    Returns:
        The struct's position; 0 when the wrapper holds a user's value.
    """
    start, stop = bounds(buf, pos, end)
    sids, inner = read_annotation_sids(buf, start, stop)
    return inner if sids[0] == SID_SYMBOL_TABLE and 0xD0 <= buf[inner] < 0xDF else 0


def check_wrapped_value(buf: bytes, pos: int, stop: int) -> None:
    """
    Check that one value, neither padding nor a wrapper, fills an annotation wrapper.

    Raises:
        IonDecodeError: it does not.
    """
    if buf[pos] < 0x0F or buf[pos] >= FIRST_WRAPPER:
        fail(pos, "an annotation wrapper holds padding or another wrapper")
    if bounds(buf, pos, stop)[1] != stop:
        fail(pos, "an annotated value is shorter than its wrapper")


_SINGLE_BYTES: Final = tuple(bytes((byte,)) for byte in range(256))


def varuint_bytes(value: int) -> bytes:
    """Write a VarUInt as short as it can be."""
    if value < 0x80:
        return _SINGLE_BYTES[0x80 | value]
    out = [0x80 | (value & 0x7F)]
    value >>= 7
    while value:
        out.append(value & 0x7F)
        value >>= 7
    return bytes(reversed(out))


def varint_bytes(magnitude: int, *, minus: bool) -> bytes:
    """Write a VarInt as short as it can be."""
    out = [magnitude & 0x7F]
    magnitude >>= 7
    while magnitude:
        out.append(magnitude & 0x7F)
        magnitude >>= 7
    if out[-1] & 0x40:
        out.append(0)
    if minus:
        out[-1] |= 0x40
    out[0] |= 0x80
    return bytes(reversed(out))


def int_bytes(magnitude: int, *, minus: bool) -> bytes:
    """Write an Int as short as it can be; plus zero is no byte at all, minus zero is 0x80."""
    if magnitude == 0:
        return b"\x80" if minus else b""
    length = magnitude.bit_length() // 8 + 1  # one bit more than the magnitude, for the sign
    if minus:
        magnitude |= 0x80 << (8 * (length - 1))
    return magnitude.to_bytes(length, "big")

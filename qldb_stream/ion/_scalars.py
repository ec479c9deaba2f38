"""
Read scalar bodies: ints, floats, decimals and texts, given the bounds of the body.

Rules: these readers get `(buf, start, stop)`, the body alone; the type byte has been looked at. The
`_at` readers get the whole value.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from struct import unpack_from
from typing import Final

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion._primitives import bounds, read_int, read_varint
from qldb_stream.ion._types import MAX_DECIMAL_BYTES, MAX_DECIMAL_EXPONENT, fail

# Wide enough for every exponent and coefficient that our bounds let through, so scaleb never
# rounds.
EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def decode_text(buf: bytes, start: int, stop: int) -> str:
    """
    Decode a body of UTF-8.

    Raises:
        IonDecodeError: it is not UTF-8.
    """
    try:
        return buf[start:stop].decode()
    except UnicodeDecodeError as exc:
        fail(start + exc.start, "a string is not UTF-8")


def decode_text_at(buf: bytes, pos: int, end: int) -> str:
    """Decode the string at `pos`."""
    start, stop = bounds(buf, pos, end)
    return decode_text(buf, start, stop)


def decode_int_at(buf: bytes, pos: int, end: int) -> int:
    """
    Decode the int at `pos`.

    Raises:
        IonDecodeError: it is a negative zero.
    """
    start, stop = bounds(buf, pos, end)
    value = int.from_bytes(buf[start:stop], "big")
    if buf[pos] < 0x30:
        return value
    if value == 0:
        fail(pos, "an int is minus zero")
    return -value


def decode_float(buf: bytes, start: int, stop: int) -> float:
    """Decode a float body of 0, 4 or 8 bytes; no bytes are plus zero."""
    if start == stop:
        return 0.0
    value: float = unpack_from(">d" if stop - start == 8 else ">f", buf, start)[0]
    return value


def read_decimal(buf: bytes, start: int, stop: int) -> tuple[int, int, bool]:
    """
    Read a decimal body as exponent, magnitude of the coefficient and its sign.

    Raises:
        IonDecodeError: an exponent or coefficient beyond the bounds of decimal.Decimal and ours.
    """
    if start == stop:
        return 0, 0, False
    exponent, negative, pos = read_varint(buf, start, stop)
    if exponent > MAX_DECIMAL_EXPONENT:
        fail(start, f"a decimal's exponent is beyond {MAX_DECIMAL_EXPONENT}")
    if stop - pos > MAX_DECIMAL_BYTES:
        fail(pos, f"a decimal's coefficient is longer than {MAX_DECIMAL_BYTES} bytes")
    magnitude, minus = read_int(buf, pos, stop)
    return -exponent if negative else exponent, magnitude, minus


def make_decimal(exponent: int, magnitude: int, *, minus: bool) -> Decimal:
    """Build the Decimal of exponent, magnitude and sign, without rounding."""
    value = Decimal(magnitude)
    if minus:
        value = value.copy_negate()
    return EXACT.scaleb(value, exponent) if exponent else value


def decode_decimal(buf: bytes, start: int, stop: int) -> Decimal:
    """Decode a decimal body."""
    exponent, magnitude, minus = read_decimal(buf, start, stop)
    return make_decimal(exponent, magnitude, minus=minus)


def split_decimal(value: Decimal) -> tuple[int, int]:
    """
    Take a Decimal apart into exponent and magnitude of the coefficient.

    Raises:
        IonEncodeError: it is no finite number, or beyond the bounds that the reader has.
    """
    _sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise IonEncodeError("a Decimal is not a finite number")
    if abs(exponent) > MAX_DECIMAL_EXPONENT:
        raise IonEncodeError(f"a Decimal's exponent is beyond {MAX_DECIMAL_EXPONENT}")
    if len(digits) < MAX_DECIMAL_BYTES * 5 // 2:  # a byte is 2.4 digits
        # Not through str: Python refuses to read more than 4,300 digits from one.
        magnitude = int(Decimal((0, digits, 0)))
        if magnitude.bit_length() < 8 * MAX_DECIMAL_BYTES:
            return exponent, magnitude
    raise IonEncodeError(f"a Decimal's digits need more than {MAX_DECIMAL_BYTES} bytes")

"""
Write the scalars of plain Ion text as binary Ion, each exactly as amazon.ion reads it.

Strategy: what documents hold again and again (`null`, `true`, small ints) is a table. What is left
is told by one regular expression a type, whose groups hold what binary Ion is made of: a decimal is
an exponent and an int, a timestamp its fields.

Rules: as in `_plain_text`, None is the answer to everything that is not plain, be it wrong or only
rare. Ints, coefficients and exponents have as many digits as any document of the service, and few
enough to cost nothing.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from math import copysign, isinf
from struct import pack
from typing import Final

from qldb_stream.ion._hash import decimal_body
from qldb_stream.ion._primitives import int_bytes, varint_bytes
from qldb_stream.ion._timestamps import DAY, MINUTE, MONTH, SECOND, YEAR, Instant, timestamp_body
from qldb_stream.ion._types import TYPE_OF_NIBBLE
from qldb_stream.ion._writer import SymbolWriter, container, int_value_bytes, symbol_bytes

# What is kept of earlier texts: so many names and parts of times, none longer than that.
_MAX_KEPT: Final = 4096
_MAX_KEPT_BYTES: Final = 64

_MAX_DIGITS: Final = 19
_ZERO: Final = ord("0")
_NUMBER: Final = re.compile(
    rb"(-?)(0|[1-9][0-9]{0,299})(?:\.([0-9]{0,300}))?(?:([dDeE])([+-]?[0-9]{1,4}))?"
)
_TIME: Final = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})"
    rb"(?::([0-9]{2})(?:\.([0-9]{1,300}))?)?([+-][0-9]{2}):([0-9]{2})"
)
_UTC_HEAD: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}")
_SECONDS: Final = {b"Z": b""} | {b":%02d" % second: bytes((0x80 | second,)) for second in range(60)}
_PLACES: Final = re.compile(rb"\.[0-9]{1,30}Z")
_DATE: Final = re.compile(rb"([0-9]{4})(?:T|-([0-9]{2})(?:T|-([0-9]{2})T?))")

_BARE: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*+")
_KEYWORDS: Final = (b"null", b"true", b"false", b"nan")

_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_ESCAPED: Final = dict(zip("0abtnfrv\"'?\\/", "\0\a\b\t\n\f\r\v\"'?\\/", strict=True))
_NOT_PLAIN: Final = chr(0xD800)  # a surrogate, which no text in UTF-8 has
_SURROGATES: Final = range(0xD800, 0xE000)


def _make_known() -> dict[bytes, bytes]:
    known = {b"%d" % value: int_value_bytes(value) for value in range(256)}
    for nibble, kind in reversed(list(enumerate(TYPE_OF_NIBBLE))):
        known[b"null." + kind.name.lower().encode()] = bytes((nibble << 4 | 15,))
    return known | {b"null": b"\x0f", b"true": b"\x11", b"false": b"\x10", b"{{}}": b"\xa0"}


KNOWN: Final = _make_known()
"""Scalars that need no look at their parts, as they are written in text."""


def maybe_scalar(text: bytes, symbols: SymbolWriter) -> bytes | None:
    """
    Write a number, a timestamp or a symbol.

    Args:
        text: what stands in the text, its single quotes included.
        symbols: gives out the symbol's id.

    Returns:
        The value in binary Ion; None when it is not plain.
    """
    if text[0] in b"-0123456789":
        if text.endswith(b"Z"):
            return _maybe_utc(text)
        if text.isdigit() and len(text) < _MAX_DIGITS and text[0] != _ZERO:
            return int_value_bytes(int(text))
        number = _NUMBER.fullmatch(text)
        return _maybe_timestamp(text) if number is None else _maybe_number(text, number)
    symbol = maybe_symbol_text(text)
    return None if symbol is None else symbol_bytes(symbols.sid(symbol))


def maybe_symbol_text(written: bytes) -> str | None:
    """
    Read a symbol or a field's name, bare or in quotes of either kind, without escapes.

    Returns:
        None for what is none, and for what may be an id or the name of a symbol table.
    """
    if len(written) > _MAX_KEPT_BYTES:
        return _read_symbol(written)
    return _kept_symbol(written)


def _read_symbol(written: bytes) -> str | None:
    if written[:1] in (b"'", b'"'):
        text = written[1:-1].decode()
        return None if text.startswith("$") else text
    if written in _KEYWORDS or not _BARE.fullmatch(written):
        return None
    return written.decode()


_kept_symbol: Final = lru_cache(maxsize=_MAX_KEPT)(_read_symbol)  # names come again and again


def maybe_unescaped(body: bytes) -> str | None:
    """
    Read what stands in a string's quotes.

    Returns:
        None where an escape is none of Ion's, or half of a character.
    """
    text = _ESCAPE.sub(_unescaped, body.decode())
    return None if _NOT_PLAIN in text else text


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _ESCAPED.get(match[4], _NOT_PLAIN)
    code = int(digits, 16)
    return _NOT_PLAIN if code in _SURROGATES or code > 0x10FFFF else chr(code)


def _maybe_number(text: bytes, number: re.Match[bytes]) -> bytes | None:
    """Write an int, a decimal or a float from the parts of its text."""
    minus, whole, fraction, mark, power = number.groups()
    if mark is None and fraction is None:
        return int_value_bytes(int(text))
    if mark in (b"e", b"E"):
        return _maybe_float(float(text))
    places = fraction or b""
    exponent = int(power or 0) - len(places)
    return container(0x50, decimal_body(exponent, int(whole + places), minus=minus == b"-"))


def _maybe_float(value: float) -> bytes | None:
    if value == 0 and copysign(1, value) > 0:
        return b"\x40"
    return None if isinf(value) else b"\x48" + pack(">d", value)


def _maybe_utc(text: bytes) -> bytes | None:
    """Write a timestamp in UTC, whose parts were met before for the most part."""
    if len(text) > _MAX_KEPT_BYTES:
        return None
    head, second, places = _maybe_utc_head(text[:16]), text[16:19], _maybe_places(text[19:])
    if head is None or second not in _SECONDS or places is None:
        return None
    return container(0x60, head + _SECONDS[second] + places)


@lru_cache(maxsize=256)
def _maybe_utc_head(text: bytes) -> bytes | None:
    """Write date, hour and minute, such as `2020-01-31T12:30`."""
    if _UTC_HEAD.fullmatch(text) is None:
        return None
    try:
        minute = datetime.fromisoformat(text.decode())
    except ValueError:
        return None
    return timestamp_body(Instant(minute, MINUTE, 0, 0, 0))


@lru_cache(maxsize=_MAX_KEPT)
def _maybe_places(text: bytes) -> bytes | None:
    """Write the decimal places of a second, such as `.250Z`; nothing where there are none."""
    if text in (b"", b"Z"):
        return b""
    if _PLACES.fullmatch(text) is None:
        return None
    places = text[1:-1]
    return varint_bytes(len(places), minus=True) + int_bytes(int(places), minus=False)


def _maybe_timestamp(text: bytes) -> bytes | None:
    time = _TIME.fullmatch(text)
    try:
        instant = _maybe_date(text) if time is None else _instant(time)
    except (ValueError, OverflowError):  # no such date or time, or none in UTC
        return None
    return None if instant is None else container(0x60, timestamp_body(instant))


def _instant(time: re.Match[bytes]) -> Instant:
    year, month, day, hour, minute, second, fraction, east, minutes = time.groups()
    local = datetime(  # noqa: DTZ001 - the offset is apart
        int(year), int(month), int(day), int(hour), int(minute), int(second or 0)
    )
    precision = MINUTE if second is None else SECOND
    places = -len(fraction) if fraction else 0
    coefficient = int(fraction or 0)
    offset = _offset(east, int(minutes))
    utc = local - timedelta(minutes=offset or 0)
    return Instant(utc, precision, offset, places, coefficient)


def _offset(hours: bytes, minutes: int) -> int | None:
    """
    Work out the minutes east of UTC; None for the unknown offset, `-00:00`.

    Raises:
        ValueError: there is no such offset.
    """
    east = abs(int(hours)) * 60 + minutes
    if minutes >= 60 or east >= 24 * 60:
        raise ValueError
    if not hours.startswith(b"-"):
        return east
    return -east or None


def _maybe_date(text: bytes) -> Instant | None:
    date = _DATE.fullmatch(text)
    if date is None:
        return None
    year, month, day = date.groups()
    utc = datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001 - it has no offset
    return Instant(utc, DAY if day else MONTH if month else YEAR, None, 0, 0)

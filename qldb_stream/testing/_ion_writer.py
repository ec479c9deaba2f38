"""
Write Ion and hash it in one go, for test data only.

Strategy: the generator must be fast (archives of hundreds of megabytes) and must
not share code with what it tests. So this is a second, small writer: each value
becomes its binary form and its Ion Hash form (qldb-facts 2.4) at once, and a symbol
table grows in order of first appearance, as the service wrote it. It knows the plain
types that the generator's documents are made of; for every other value it raises
`ForeignValueError`, and the caller takes the slower way through `qldb_stream.ion`.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import sha256
from struct import pack
from typing import TYPE_CHECKING, Any, Final

from qldb_stream.ion import timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "IVM",
    "ForeignValueError",
    "Symbols",
    "Written",
    "blob",
    "digest",
    "encode",
    "escaped",
    "instant",
    "integer",
    "reserve",
    "stream",
    "string",
    "struct",
    "text",
    "tlv",
]

Symbols = dict[str, bytes]
"""Field name to VarUInt of its symbol id, in order of first appearance."""

IVM: Final = b"\xe0\x01\x00\xea"
_SYSTEM_SYMBOLS: Final = {
    "$ion": 1, "$ion_1_0": 2, "$ion_symbol_table": 3, "name": 4, "version": 5,
    "imports": 6, "symbols": 7, "max_id": 8, "$ion_shared_symbol_table": 9,
}  # fmt: skip
_FIRST_LOCAL_ID: Final = 10
_UTC_OFFSET: Final = timedelta()
_END: Final = b"\x0e"
_REPEATING_CHARS: Final = 21  # shorter than an id, which comes once
_MS_EXPONENT: Final = b"\xc3"  # VarInt -3


class ForeignValueError(Exception):
    """A value that only the full writer of `qldb_stream.ion` knows."""


class Written:
    """A value that is written already and holds no symbols: binary form and hash form."""

    __slots__ = ("binary", "form")

    def __init__(self, binary: bytes, form: bytes) -> None:
        self.binary = binary
        self.form = form


def escaped(raw: bytes) -> bytes:
    """Put the escape byte before each byte that means something in a hash form."""
    raw = raw.replace(b"\x0c", b"\x0c\x0c")
    return raw.replace(b"\x0b", b"\x0c\x0b").replace(b"\x0e", b"\x0c\x0e")


@lru_cache(maxsize=4096)
def _varuint(number: int) -> bytes:
    out = [number & 0x7F | 0x80]
    number >>= 7
    while number:
        out.append(number & 0x7F)
        number >>= 7
    return bytes(reversed(out))


@cache
def _small_head(high: int, length: int) -> bytes:
    return bytes([high | length]) if length < 14 else bytes([high | 14]) + _varuint(length)  # noqa: PLR2004 - Ion's own bound


def tlv(high: int, body: bytes) -> bytes:
    """Put type and length before a body; `high` is the type code times 16."""
    length = len(body)
    if length < 4096:  # noqa: PLR2004 - bounds the cache of heads
        return _small_head(high, length) + body
    return bytes([high | 14]) + _varuint(length) + body


def string(text: str) -> bytes:
    """Write a string."""
    return tlv(0x80, text.encode())


def blob(raw: bytes) -> bytes:
    """Write a blob."""
    return tlv(0xA0, raw)


def integer(number: int) -> bytes:
    """Write an int that is not negative."""
    return tlv(0x20, _magnitude(number))


def instant(unix_ms: int) -> Written:
    """Write a time, UTC with three fractional digits."""
    minute, ms_of_minute = divmod(unix_ms, 60_000)
    second, ms = divmod(ms_of_minute, 1000)
    return Written(*_timestamp(_minute(minute), second, ms))


def digest(raw: bytes) -> Written:
    """Write a blob of 32 bytes that is hashed with what holds it."""
    return Written(b"\xae\xa0" + raw, b"\x0b\xa0" + escaped(raw) + _END)


def text(value: str) -> Written:
    """Write a string that is hashed with what holds it, and may come again."""
    return Written(string(value), _text_hash_form(value))


def reserve(symbols: Symbols, *names: str) -> None:
    """Give names their ids now, before the values inside them take theirs."""
    for name in names:
        if name not in symbols:
            _new_symbol(name, symbols)


def struct(fields: dict[str, bytes], symbols: Symbols) -> bytes:
    """Write a struct whose values are written already."""
    parts = []
    for name, value in fields.items():
        parts.append(symbols.get(name) or _new_symbol(name, symbols))
        parts.append(value)
    return tlv(0xD0, b"".join(parts))


def encode(value: Any, symbols: Symbols) -> tuple[bytes, bytes]:
    """
    Write a value of plain Python types.

    Args:
        value: None, bool, int, float, Decimal, str, bytes, time of `timestamp_ms`, list
            or dict, nested as you like.
        symbols: the record's symbol table; names that it lacks are appended.

    Returns:
        The binary Ion value, and the byte sequence whose SHA-256 is its Ion Hash.

    Raises:
        ForeignValueError: the value holds something else; `symbols` may have grown.
    """
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise ForeignValueError
    return writer(value, symbols)


def stream(symbols: Symbols, value: bytes) -> bytes:
    """Give a standalone Ion stream: version marker, symbol table, the value."""
    names = b"".join([_name(name) for name in symbols])
    table = b"\x87" + tlv(0xB0, names)  # field `symbols`
    annotated = b"\x81\x83" + tlv(0xD0, table)  # one annotation, $ion_symbol_table
    return IVM + tlv(0xE0, annotated) + value


@lru_cache(maxsize=4096)
def _name(name: str) -> bytes:
    return string(name)


@lru_cache(maxsize=4096)
def _text_hash_form(text: str) -> bytes:
    """Give the hash form of a string; statements repeat, so it is kept."""
    return b"\x0b\x80" + escaped(text.encode()) + _END


@lru_cache(maxsize=4096)
def _name_hash_form(name: str) -> bytes:
    return b"\x0b\x70" + escaped(name.encode()) + _END


def _new_symbol(name: str, symbols: Symbols) -> bytes:
    system = _SYSTEM_SYMBOLS.get(name)
    if system is not None:
        return _varuint(system)
    symbols[name] = sid = _varuint(_FIRST_LOCAL_ID + len(symbols))
    return sid


def _magnitude(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _signed_magnitude(number: int) -> bytes:
    """Give sign and magnitude as Ion's Int field; zero is empty."""
    if number == 0:
        return b""
    size = abs(number).bit_length() // 8 + 1  # one bit more than the magnitude, for the sign
    raw = abs(number).to_bytes(size, "big")
    return bytes([raw[0] | 0x80]) + raw[1:] if number < 0 else raw


def _varint(number: int) -> bytes:
    magnitude, sign = abs(number), 0x40 if number < 0 else 0
    if magnitude < 64:  # noqa: PLR2004 - six bits beside sign and stop bit
        return bytes([0x80 | sign | magnitude])
    rest = _varuint(magnitude)
    if rest[0] & 0x7F < 64:  # noqa: PLR2004 - as above
        return bytes([rest[0] | sign]) + rest[1:]
    return bytes([sign]) + rest


@lru_cache(maxsize=4096)
def _minute(unix_minutes: int) -> bytes:
    day, minute_of_day = divmod(unix_minutes, 1440)
    year, month, day_of_month = _date(day)
    hour, minute = divmod(minute_of_day, 60)
    # Offset +0, then VarUInts; all but the year fit one byte.
    return b"\x80" + _varuint(year) + bytes(n | 0x80 for n in (month, day_of_month, hour, minute))


@lru_cache(maxsize=4096)
def _date(unix_days: int) -> tuple[int, int, int]:
    found = date.fromordinal(date(1970, 1, 1).toordinal() + unix_days)
    return found.year, found.month, found.day


def _timestamp(minute: bytes, second: int, ms: int) -> tuple[bytes, bytes]:
    body = minute + bytes([second | 0x80]) + _MS_EXPONENT + _signed_magnitude(ms)
    return tlv(0x60, body), b"\x0b\x60" + escaped(body) + _END


# --- one writer for each type ---------------------------------------------------------------


def _write_none(_value: None, _symbols: Symbols) -> tuple[bytes, bytes]:
    return b"\x0f", b"\x0b\x0f\x0e"


def _write_bool(value: bool, _symbols: Symbols) -> tuple[bytes, bytes]:  # noqa: FBT001 - the value itself
    return (b"\x11", b"\x0b\x11\x0e") if value else (b"\x10", b"\x0b\x10\x0e")


def _write_int(value: int, _symbols: Symbols) -> tuple[bytes, bytes]:
    high, raw = (0x20, _magnitude(value)) if value >= 0 else (0x30, _magnitude(-value))
    return tlv(high, raw), bytes([0x0B, high]) + escaped(raw) + _END


def _write_float(value: float, _symbols: Symbols) -> tuple[bytes, bytes]:
    if not value or value != value:  # noqa: PLR0124 - NaN; it and both zeros have forms of their own
        raise ForeignValueError
    raw = pack(">d", value)
    return b"\x48" + raw, b"\x0b\x40" + escaped(raw) + _END


def _write_decimal(value: Decimal, _symbols: Symbols) -> tuple[bytes, bytes]:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or value.is_zero():
        raise ForeignValueError
    coefficient = int("".join(map(str, digits)))
    raw = _varint(exponent) + _signed_magnitude(-coefficient if sign else coefficient)
    return tlv(0x50, raw), b"\x0b\x50" + escaped(raw) + _END


def _write_str(value: str, _symbols: Symbols) -> tuple[bytes, bytes]:
    raw = value.encode()
    return tlv(0x80, raw), b"\x0b\x80" + escaped(raw) + _END


def _write_bytes(value: bytes, _symbols: Symbols) -> tuple[bytes, bytes]:
    return tlv(0xA0, value), b"\x0b\xa0" + escaped(value) + _END


def _write_time(value: Any, _symbols: Symbols) -> tuple[bytes, bytes]:
    ms, rest = divmod(value.microsecond, 1000)
    # None is the unknown offset, another thing than UTC.
    if rest or value.utcoffset() != _UTC_OFFSET or value.fractional_precision != 3:  # noqa: PLR2004 - ms
        raise ForeignValueError
    minute = b"\x80" + _varuint(value.year)
    minute += bytes(n | 0x80 for n in (value.month, value.day, value.hour, value.minute))
    return _timestamp(minute, value.second, ms)


def _write_written(value: Written, _symbols: Symbols) -> tuple[bytes, bytes]:
    return value.binary, value.form


def _write_list(value: list[Any], symbols: Symbols) -> tuple[bytes, bytes]:
    written = [encode(element, symbols) for element in value]
    return (
        tlv(0xB0, b"".join([binary for binary, _ in written])),
        b"\x0b\xb0" + b"".join([form for _, form in written]) + _END,
    )


def _write_dict(value: dict[str, Any], symbols: Symbols) -> tuple[bytes, bytes]:
    parts = []
    digests = []
    for name, field in value.items():
        # The name before the value: symbol ids count by first appearance.
        parts.append(symbols.get(name) or _new_symbol(name, symbols))
        kind = type(field)
        if kind is str and len(field) <= _REPEATING_CHARS:
            binary, field_digest = _text_field(name, field)
        else:
            writer = _WRITERS.get(kind)
            if writer is None:
                raise ForeignValueError
            binary, form = writer(field, symbols)
            field_digest = sha256(_name_hash_form(name) + form).digest()
        parts.append(binary)
        digests.append(field_digest)
    digests.sort()
    return tlv(0xD0, b"".join(parts)), b"\x0b\xd0" + escaped(b"".join(digests)) + _END


@lru_cache(maxsize=8192)
def _text_field(name: str, value: str) -> tuple[bytes, bytes]:
    """Write a short text, which is likely to come again, and digest it with its name."""
    raw = value.encode()
    form = b"\x0b\x80" + escaped(raw) + _END
    return tlv(0x80, raw), sha256(_name_hash_form(name) + form).digest()


_WRITERS: Final[dict[type, Callable[[Any, Symbols], tuple[bytes, bytes]]]] = {
    type(None): _write_none,
    bool: _write_bool,
    int: _write_int,
    float: _write_float,
    Decimal: _write_decimal,
    str: _write_str,
    bytes: _write_bytes,
    list: _write_list,
    dict: _write_dict,
    Written: _write_written,
    type(timestamp_ms(0)): _write_time,
}

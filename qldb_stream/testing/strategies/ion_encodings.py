"""
Write one Ion value in the many ways that binary Ion lets it be written.

Binary Ion has no single form for a value: lengths and ids may be padded, ints may have leading
zeros, a float may have 32 bits, fields may come in any order, padding may stand between values, and
symbol tables may be built in steps. A reader must take them all, and Ion Hash must not see a
difference. This writer shares no code with `qldb_stream.ion`'s, so that neither hides the other's
mistakes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from qldb_stream.ion import IVM, IonSlice, IonType, iter_elements, iter_fields, to_slice

__all__ = ["ion_encodings"]

_FIRST_LOCAL_ID: Final = 10
_SYSTEM_TEXTS: Final = (
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
_LENGTH_FOLLOWS: Final = 14
_END: Final = 0x80  # the bit that ends a VarUInt or VarInt
_SIGN: Final = 0x40  # the sign of a VarInt
_FLOAT64_BYTES: Final = 8
_CLOCK_FIELDS: Final = 5  # month, day, hour, minute, second: a byte each
_MINUTE_FIELDS: Final = 4
_PADS: Final = (b"\x00", b"\x01\x7f", b"\x03\xe0\x01\x00", b"\x0e\x81\x0f")


@st.composite
def ion_encodings(draw: st.DrawFn, value: Any) -> bytes:
    """
    Draw binary Ion streams that all say one value.

    Args:
        draw: given by Hypothesis.
        value: what `qldb_stream.ion.dumps` takes.
    """
    random = draw(st.randoms(use_true_random=False))
    return _Encoding(random).stream(to_slice(value))


class _Encoding:
    """Write a value with choices made at random."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.texts: list[str] = []

    def stream(self, value: IonSlice) -> bytes:
        """Write version marker, symbol tables, padding and the value."""
        body = self.value(value)
        half = self.random.randint(0, len(self.texts))
        first = self._table(self.texts[:half], b"")
        second = self._table(self.texts[half:], b"\x86\x71\x03")  # imports: $ion_symbol_table
        tables = (
            first + self._pads() + second if self._happens(0.5) else self._table(self.texts, b"")
        )
        return IVM + self._pads() + tables + self._pads() + body + self._pads()

    def _table(self, texts: list[str], imports: bytes) -> bytes:
        strings = b"".join([self._sized(0x80, text.encode()) + self._pads() for text in texts])
        symbols = self._varuint(7) + self._sized(0xB0, strings)
        open_content = self._varuint(4) + b"\x11"  # a field that means nothing here
        fields = [symbols, imports, open_content]
        self.random.shuffle(fields)
        return self._sized(0xE0, b"\x81\x83" + self._sized(0xD0, b"".join(fields)))

    def _happens(self, share: float) -> bool:
        return self.random.random() < share

    def _pads(self) -> bytes:
        return self.random.choice(_PADS) if self._happens(0.3) else b""

    def _sid(self, text: str | None) -> int:
        """Give out an id, sometimes a second one for a text that has one."""
        if text is None:
            return 0
        if text in _SYSTEM_TEXTS and self._happens(0.5):
            return _SYSTEM_TEXTS.index(text) + 1
        if text not in self.texts or self._happens(0.2):
            self.texts.append(text)
            return _FIRST_LOCAL_ID + len(self.texts) - 1
        return _FIRST_LOCAL_ID + self.texts.index(text)

    def _varuint(self, value: int) -> bytes:
        out = [value & 0x7F | _END]
        while value := value >> 7:
            out.append(value & 0x7F)
        padding = bytes(self.random.choice([0, 0, 0, 1, 3]))
        return padding + bytes(reversed(out))

    def _sized(self, nibble: int, body: bytes) -> bytes:
        """Write type byte, length and body; a short length may be written the long way."""
        if len(body) < _LENGTH_FOLLOWS and self._happens(0.7):
            return bytes([nibble | len(body)]) + body
        return bytes([nibble | _LENGTH_FOLLOWS]) + self._varuint(len(body)) + body

    def _padded_varint(self, varint: bytes) -> bytes:
        """Put a byte before a VarInt; the sign moves to it."""
        if self._happens(0.6):
            return varint
        return bytes([varint[0] & _SIGN, varint[0] & ~_SIGN]) + varint[1:]

    def _padded_int(self, signed: bytes) -> bytes:
        """Put a byte before an Int; the sign moves to it."""
        if self._happens(0.6):
            return signed
        if not signed:
            return b"\x00"
        return bytes([signed[0] & _END, signed[0] & ~_END]) + signed[1:]

    def value(self, value: IonSlice) -> bytes:
        """Write a value, its annotations first."""
        annotations = value.annotations
        if not annotations:
            return self._bare(value)
        names = b"".join([self._varuint(self._sid(name)) for name in annotations])
        return self._sized(0xE0, self._varuint(len(names)) + names + self._bare(value))

    def _bare(self, value: IonSlice) -> bytes:
        kind = value.ion_type
        if value.is_null:
            return self._null(kind)
        if kind is IonType.STRUCT:
            return self._struct(value)
        if kind in {IonType.LIST, IonType.SEXP}:
            elements = [self.value(element) + self._pads() for element in iter_elements(value)]
            nibble = 0xB0 if kind is IonType.LIST else 0xC0
            return self._sized(nibble, self._pads() + b"".join(elements))
        return self._scalar(value)

    def _null(self, kind: IonType) -> bytes:
        if kind is IonType.INT:
            return self.random.choice([b"\x2f", b"\x3f"])
        return bytes([kind << 4 | 15]) if kind < IonType.INT else bytes([(kind + 1) << 4 | 15])

    def _struct(self, value: IonSlice) -> bytes:
        fields = [(self._sid(name), self.value(field)) for name, field in iter_fields(value)]
        if fields and self._happens(0.2):
            fields.sort(key=lambda field: field[0])
            body = b"".join([self._varuint(sid) + field for sid, field in fields])
            return b"\xd1" + self._varuint(len(body)) + body
        self.random.shuffle(fields)
        parts = [self._varuint(sid) + field for sid, field in fields]
        if self._happens(0.3):
            parts.append(self._varuint(self.random.choice([0, 7, 10**6])) + b"\x02\x00\x11")
        return self._sized(0xD0, b"".join(parts))

    def _scalar(self, value: IonSlice) -> bytes:
        type_byte, body = _body(value)
        nibble = type_byte & 0xF0
        if value.ion_type is IonType.BOOL:
            return bytes([type_byte])
        if value.ion_type is IonType.FLOAT:
            return self._float(body)
        if value.ion_type is IonType.SYMBOL:
            sid = self._sid(value.decode().text)
            body = sid.to_bytes((sid.bit_length() + 7) // 8, "big")
        return self._sized(nibble, _SCALARS[nibble](self, body))

    def magnitude(self, body: bytes) -> bytes:
        """Write an int's magnitude, with leading zeros."""
        return bytes(self.random.choice([0, 0, 1, 20])) + body

    def plain(self, body: bytes) -> bytes:
        """Write a body that has one form."""
        return body

    def _float(self, body: bytes) -> bytes:
        """Write a float, in 32 bits where they say the same."""
        number = struct.unpack(">d", body)[0] if body else 0.0
        try:
            short = struct.pack(">f", number)
        except OverflowError:
            return b"\x48" + body
        if struct.pack(">d", struct.unpack(">f", short)[0]) == body.rjust(_FLOAT64_BYTES, b"\x00"):
            return self.random.choice([b"\x44" + short, b"\x48" + struct.pack(">d", number)])
        return b"\x48" + body

    def decimal(self, body: bytes) -> bytes:
        """Write a decimal, its exponent and coefficient padded."""
        if not body:
            return self.random.choice([b"", b"\x80", b"\x80\x00", b"\xc0", b"\x00\x80"])
        exponent = _varint_length(body)
        return self._padded_varint(body[:exponent]) + self._padded_int(body[exponent:])

    def timestamp(self, body: bytes) -> bytes:
        """Write a timestamp: fields padded, an offset that means nothing, a fraction of zero."""
        zone_end = _varint_length(body)
        year_end = zone_end + _varint_length(body[zone_end:])
        zone = self._padded_varint(body[:zone_end])
        year = bytes(self.random.choice([0, 1])) + body[zone_end:year_end]
        clock = body[year_end : year_end + _CLOCK_FIELDS]
        fraction = body[year_end + _CLOCK_FIELDS :]
        if len(clock) < _MINUTE_FIELDS:
            zone = self.random.choice([zone, b"\x80", b"\xc0", b"\x81", b"\xc4"])
        if fraction:
            fraction = self.decimal(fraction)
        elif len(clock) == _CLOCK_FIELDS:
            fraction = self.random.choice([b"", b"\x80", b"\x81", b"\xc0", b"\x80\x00"])
        return zone + year + clock + fraction


def _varint_length(body: bytes) -> int:
    length = 1
    while body[length - 1] < _END:
        length += 1
    return length


def _body(value: IonSlice) -> tuple[int, bytes]:
    """Take the type byte and body of a scalar that our own writer wrote."""
    raw = value.buf[value.value_start() : value.end]
    if raw[0] & 15 != _LENGTH_FOLLOWS:
        return raw[0], raw[1:]
    return raw[0], raw[1 + _varint_length(raw[1:]) :]


_SCALARS: Final[dict[int, Callable[[_Encoding, bytes], bytes]]] = {
    0x20: _Encoding.magnitude,
    0x30: _Encoding.magnitude,
    0x50: _Encoding.decimal,
    0x60: _Encoding.timestamp,
    0x70: _Encoding.magnitude,
    0x80: _Encoding.plain,
    0x90: _Encoding.plain,
    0xA0: _Encoding.plain,
}

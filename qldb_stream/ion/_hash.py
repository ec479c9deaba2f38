"""
Compute Ion Hash straight over the bytes of a value.

Strategy: each value is serialised for the hasher as facts 2.4 say (B TQ representation E), by a
table of 256 functions as in the decoder; a struct hashes each field (name, then value) and sorts
the digests. No Python value is made on the way, so nothing can be lost.

Equal values give equal hashes, whatever Ion lets be written in several ways: padded ints, float32
and float64, nan, long or short lengths, NOP padding, the order of fields, coefficients with leading
zeros.

Choices on timestamps, where the reference `ionhash` 1.2.1 differs (it hashes what amazon.ion 0.9.3
writes of the parsed value):

- an offset on a timestamp of year, month or day means nothing and is hashed as unknown (0xC0), as
  good/equivs/timestampSuperfluousOffset wants it; the reference keeps it;
- a fraction whose coefficient is minus zero is plus zero; the reference keeps the sign.

And on floats: Ion knows one nan, so it is hashed without sign and payload; the reference keeps
them.

Where it agrees on timestamps: the fields are UTC, and the offset counts; an unknown offset is not
Z; a fraction of zero without decimal places (0d0, 0d1, -0d0) is no fraction, 0d-3 is three places;
every place counts.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from math import isnan
from struct import pack
from typing import Final, Protocol

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion._decode import check_ordered
from qldb_stream.ion._primitives import (
    bounds,
    int_bytes,
    read_annotation_sids,
    read_varuint,
    varint_bytes,
)
from qldb_stream.ion._scalars import decode_float, decode_text, read_decimal
from qldb_stream.ion._symbols import SymbolTable, escape
from qldb_stream.ion._timestamps import (
    is_ms_utc,
    read_timestamp,
    timestamp_body,
)
from qldb_stream.ion._types import (
    FIRST_NULL,
    MAX_DEPTH,
    ORDERED_STRUCT,
    STACK_EXHAUSTED,
    VALUE_LENGTHS,
    fail,
)

_SHORT_DECIMAL: Final = 16  # bytes; longer ones may pass a bound


class Hasher(Protocol):
    """Hold bytes fed to it and answer their digest, as hashlib's hashers do."""

    def digest(self) -> bytes:
        """Answer the digest."""
        ...


NewHasher = Callable[[bytes], Hasher]
Serializer = Callable[[bytes, int, int, SymbolTable, int, NewHasher], bytes]


def hash_span(buf: bytes, pos: int, end: int, table: SymbolTable) -> bytes:
    """
    Compute the Ion Hash of the value that fills a span.

    Returns:
        32 bytes, SHA-256.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
    """
    return sha256(serialize(buf, pos, end, table, sha256)).digest()


def span_form(buf: bytes, pos: int, end: int, table: SymbolTable) -> bytes:
    """
    Serialise the value that fills a span: what `hash_span` hashes.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
    """
    return serialize(buf, pos, end, table, sha256)


def serialize(buf: bytes, pos: int, end: int, table: SymbolTable, new_hasher: NewHasher) -> bytes:
    """
    Serialise the value at `pos` into what Ion Hash feeds to its hasher.

    Args:
        buf: the bytes of the stream.
        pos: where the value starts, its annotation wrapper included.
        end: where it ends.
        table: what its symbol ids are looked up in.
        new_hasher: makes the hasher for struct fields from its input: sha256, or what a test
            records with.
    """
    start, stop = pos + 2, end
    if start >= end or buf[pos] != 0xDE or buf[pos + 1] - 0x80 != end - start:
        start, stop = bounds(buf, pos, end)  # no struct of 14 to 127 bytes
    try:
        return _SERIALIZERS[buf[pos]](buf, start, stop, table, 0, new_hasher)
    except RecursionError as exc:
        raise IonDecodeError(pos, STACK_EXHAUSTED) from exc


def struct_form(digests: list[bytes]) -> bytes:
    """Serialise a struct, given the digests of its fields; they come to be sorted."""
    digests.sort()
    joined = b"".join(digests)
    if 0x0C in joined or 0x0B in joined or 0x0E in joined:
        joined = escape(joined)
    return b"\x0b\xd0" + joined + b"\x0e"


def _refuse(
    _buf: bytes, start: int, _stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    fail(start - 1, "padding or a reserved byte stands where a value must")


def _constant(type_qualifier: int) -> Serializer:
    serialized = bytes((0x0B, type_qualifier, 0x0E))

    def serializer(
        _buf: bytes, _start: int, _stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
    ) -> bytes:
        return serialized

    return serializer


def _positive(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    if stop - start == 1:
        return _BYTES[buf[start]]
    return b"\x0b\x20" + escape(buf[start:stop].lstrip(b"\x00")) + b"\x0e"


# Nearly all ints have one byte: versions, indexes of statements, quantities.
_BYTES: Final = tuple(
    [b"\x0b\x20" + escape(bytes((byte,)).lstrip(b"\x00")) + b"\x0e" for byte in range(256)]
)


def _negative(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    magnitude = buf[start:stop].lstrip(b"\x00")
    if not magnitude:
        fail(start, "an int is minus zero")
    return b"\x0b\x30" + escape(magnitude) + b"\x0e"


def _float(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    value = decode_float(buf, start, stop)
    if isnan(value):
        return b"\x0b\x40\x7f\xf8\x00\x00\x00\x00\x00\x00\x0e"
    packed = pack(">d", value)
    if packed == b"\x00\x00\x00\x00\x00\x00\x00\x00":
        return b"\x0b\x40\x0e"
    return b"\x0b\x40" + escape(packed) + b"\x0e"


def _decimal(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    # As short as it can be already: one byte of an exponent that is not 0, then a coefficient of
    # which the first byte has bits besides its sign.
    if 1 < stop - start <= _SHORT_DECIMAL and buf[start] & 0xBF > 0x80 and buf[start + 1] & 0x7F:
        return b"\x0b\x50" + escape(buf[start:stop]) + b"\x0e"
    exponent, magnitude, minus = read_decimal(buf, start, stop)
    return b"\x0b\x50" + escape(decimal_body(exponent, magnitude, minus=minus)) + b"\x0e"


def decimal_body(exponent: int, magnitude: int, *, minus: bool) -> bytes:
    """Write a decimal body as short as it can be; 0d0 is no byte at all."""
    coefficient = int_bytes(magnitude, minus=minus)
    if exponent == 0 and not coefficient:
        return b""
    return varint_bytes(abs(exponent), minus=exponent < 0) + coefficient


def _timestamp(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    if is_ms_utc(buf, start, stop):
        return b"\x0b\x60" + escape(buf[start:stop]) + b"\x0e"  # as short as it can be already
    return b"\x0b\x60" + escape(timestamp_body(read_timestamp(buf, start, stop))) + b"\x0e"


def _symbol(
    buf: bytes, start: int, stop: int, table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    return table.hash_part(int.from_bytes(buf[start:stop], "big"), start)


def _string(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    return _text(buf, start, stop)


def _text(buf: bytes, start: int, stop: int) -> bytes:
    """Serialise a string's body; of those of letters and digits in ASCII `_struct` does it."""
    body = buf[start:stop]
    if not body.isascii():
        decode_text(buf, start, stop)
    if 0x0C in body or 0x0B in body or 0x0E in body:
        body = escape(body)
    return b"\x0b\x80" + body + b"\x0e"


def _clob(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    return b"\x0b\x90" + escape(buf[start:stop]) + b"\x0e"


def _blob(
    buf: bytes, start: int, stop: int, _table: SymbolTable, _depth: int, _new: NewHasher
) -> bytes:
    return b"\x0b\xa0" + escape(buf[start:stop]) + b"\x0e"


def _sequence(
    buf: bytes, start: int, stop: int, table: SymbolTable, depth: int, new: NewHasher
) -> bytes:
    if depth >= MAX_DEPTH:
        fail(start, f"values nest deeper than {MAX_DEPTH} levels")
    parts: list[bytes] = []
    while start < stop:
        type_byte = buf[start]
        body = start + 1
        length = VALUE_LENGTHS[type_byte]
        after = start + length
        if length < 0 and start + 3 < stop and buf[body] | buf[body + 1] >= 0x80:
            if buf[body] >= 0x80:
                after = start + buf[body] - 0x7E
                body += 1
            else:
                after = start + (buf[body] << 7) + buf[body + 1] - 0x7D
                body += 2
        elif length <= 0:
            body, after = bounds(buf, start, stop)
            if type_byte < FIRST_NULL:
                start = after
                continue
        if after > stop:
            fail(start, "a value runs beyond its list")
        if 0xD1 < type_byte < 0xDF:
            parts.append(_struct(buf, body, after, table, depth + 1, new))
        else:
            parts.append(_SERIALIZERS[type_byte](buf, body, after, table, depth + 1, new))
        start = after
    return b"".join(parts)


def _list(
    buf: bytes, start: int, stop: int, table: SymbolTable, depth: int, new: NewHasher
) -> bytes:
    return b"\x0b\xb0" + _sequence(buf, start, stop, table, depth, new) + b"\x0e"


def _sexp(
    buf: bytes, start: int, stop: int, table: SymbolTable, depth: int, new: NewHasher
) -> bytes:
    return b"\x0b\xc0" + _sequence(buf, start, stop, table, depth, new) + b"\x0e"


def _struct(
    buf: bytes, start: int, stop: int, table: SymbolTable, depth: int, new: NewHasher
) -> bytes:
    if depth >= MAX_DEPTH:
        fail(start, f"values nest deeper than {MAX_DEPTH} levels")
    parts = table.hash_parts
    digests: list[bytes] = []
    while start < stop:
        sid = buf[start] - 0x80
        start += 1
        if sid < 0:
            if start < stop and buf[start] >= 0x80:
                sid = (buf[start - 1] << 7) + buf[start] - 0x80
                start += 1
            else:
                sid, start = read_varuint(buf, start - 1, stop)
        if start >= stop:
            fail(start, "a field has no value")
        type_byte = buf[start]
        body = start + 1
        length = VALUE_LENGTHS[type_byte]
        after = start + length
        if length < 0 and start + 3 < stop and buf[body] | buf[body + 1] >= 0x80:
            if buf[body] >= 0x80:
                after = start + buf[body] - 0x7E
                body += 1
            else:
                after = start + (buf[body] << 7) + buf[body + 1] - 0x7D
                body += 2
        elif length <= 0:
            body, after = bounds(buf, start, stop)
            if type_byte < FIRST_NULL:
                start = after
                continue
        if after > stop:
            fail(start, "a value runs beyond its struct")
        if 0x80 <= type_byte < 0x8F:
            value = buf[body:after]
            value = b"\x0b\x80" + value + b"\x0e" if value.isalnum() else _text(buf, body, after)
        elif type_byte == 0x21:
            value = _BYTES[buf[body]]
        elif 0xD1 < type_byte < 0xDF:
            value = _struct(buf, body, after, table, depth + 1, new)
        else:
            value = _SERIALIZERS[type_byte](buf, body, after, table, depth + 1, new)
        part = parts.get(sid)
        if part is None:
            part = table.hash_part(sid, start)
        digests.append(new(part + value).digest())
        start = after
    return struct_form(digests)


def _ordered_struct(
    buf: bytes, start: int, stop: int, table: SymbolTable, depth: int, new: NewHasher
) -> bytes:
    check_ordered(buf, start, stop)
    return _struct(buf, start, stop, table, depth, new)


def _wrapper(
    buf: bytes, start: int, stop: int, table: SymbolTable, depth: int, new: NewHasher
) -> bytes:
    if depth >= MAX_DEPTH:
        fail(start, f"values nest deeper than {MAX_DEPTH} levels")
    sids, pos = read_annotation_sids(buf, start, stop)
    names = b"".join([table.hash_part(sid, start) for sid in sids])
    body, _stop = bounds(buf, pos, stop)
    value = _SERIALIZERS[buf[pos]](buf, body, stop, table, depth + 1, new)
    return b"\x0b\xe0" + names + value + b"\x0e"


_BY_NIBBLE: Final[tuple[Serializer, ...]] = (
    _refuse,
    _refuse,
    _positive,
    _negative,
    _float,
    _decimal,
    _timestamp,
    _symbol,
    _string,
    _clob,
    _blob,
    _list,
    _sexp,
    _struct,
    _wrapper,
    _refuse,
)


def _make_serializers() -> tuple[Serializer, ...]:
    rows = [_BY_NIBBLE[type_byte >> 4] for type_byte in range(256)]
    for nibble in range(14):
        rows[nibble << 4 | 15] = _constant(0x2F if nibble == 3 else nibble << 4 | 15)
    rows[0x10] = _constant(0x10)
    rows[0x11] = _constant(0x11)
    rows[ORDERED_STRUCT] = _ordered_struct
    return tuple(rows)


_SERIALIZERS: Final = _make_serializers()

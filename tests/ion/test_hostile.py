"""Hostile input: few bytes that ask for much. Only an IonDecodeError, and soon."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from qldb_stream.errors import IonDecodeError, IonEncodeError
from qldb_stream.ion import (
    IVM,
    MAX_COPIED_SYMBOLS,
    MAX_DECIMAL_BYTES,
    MAX_DECIMAL_EXPONENT,
    MAX_DEPTH,
    MAX_TABLES,
    MAX_VALUE_BYTES,
    IonSlice,
    SymbolTable,
    dumps,
    ion_hash,
    iter_slices,
    load_slice,
    loads,
    to_slice,
)

USES: list[Callable[[IonSlice], object]] = [
    IonSlice.decode,
    IonSlice.hash,
    IonSlice.to_bytes,
    lambda value: dumps([value]),
]


def nested(levels: int, nibble: int, inner: bytes, prefix: bytes = b"") -> bytes:
    """Write containers within each other."""
    value = inner
    for _ in range(levels):
        body = prefix + value
        value = bytes([nibble | 14]) + varuint(len(body)) + body
    return value


def varuint(value: int) -> bytes:
    """Write a VarUInt."""
    out = [value & 0x7F | 0x80]
    while value := value >> 7:
        out.append(value & 0x7F)
    return bytes(reversed(out))


KINDS = {"list": (0xB0, b""), "sexp": (0xC0, b""), "struct": (0xD0, b"\x84")}


@pytest.mark.parametrize("kind", KINDS)
def test_depth_is_bounded(kind: str) -> None:
    """MAX_DEPTH levels are read, hashed and copied; one more, or 100,000, are refused."""
    nibble, prefix = KINDS[kind]
    deepest = load_slice(IVM + nested(MAX_DEPTH, nibble, b"\x11", prefix))
    for use in USES[:3]:
        use(deepest)
    for levels in (MAX_DEPTH + 1, 5000):
        value = load_slice(IVM + nested(levels, nibble, b"\x11", prefix))
        for use in USES:
            with pytest.raises(IonDecodeError, match="nest deeper"):
                use(value)


def test_annotations_count_as_levels() -> None:
    """Wrappers between containers cannot double the depth."""
    value = b"\x11"
    for _ in range(MAX_DEPTH // 2 + 1):
        body = b"\x81\x84" + bytes([0xBE]) + varuint(len(value)) + value
        value = b"\xee" + varuint(len(body)) + body
    for use in USES:
        with pytest.raises(IonDecodeError, match="nest deeper"):
            use(load_slice(IVM + value))


def test_a_caller_deep_in_the_stack_gets_our_error() -> None:
    """Where Python's stack has no room left, it is still no RecursionError."""
    value = load_slice(IVM + nested(MAX_DEPTH, 0xB0, b"\x11"))
    decoded = value.decode()

    def dig(levels: int, use: Callable[[], object]) -> object:
        return dig(levels - 1, use) if levels else use()

    depth = len(_frames())
    room = sys.getrecursionlimit() - depth - 60
    for use in (value.decode, value.hash):
        with pytest.raises(IonDecodeError, match="nest deeper"):
            dig(room, use)
    for write in (value.to_bytes, lambda: to_slice(decoded)):
        with pytest.raises(IonEncodeError, match="nest deeper"):
            dig(room, write)


def _frames() -> list[Any]:
    frame, frames = sys._getframe(), []  # noqa: SLF001 - how deep the test itself stands
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames


LENGTHS = {
    "a string of 2**60 bytes": "8e 08 00 00 00 00 00 00 00 80",
    "a list of 2**69 bytes": "be 40 00 00 00 00 00 00 00 00 80",
    "a length of a thousand bytes": "be" + "7f" * 1000 + "ff",
    "a length of zeros without end": "be" + "00" * 1000,
    "a blob of one byte more": "a2 00",
    "a struct whose field is longer": "d3 84 8e 90",
    "an annotation list of 2**40 bytes": "e8 08 00 00 00 00 80 84 11",
    "a field id without end": "de 85 01 01 01 01 01",
    "a field id of a thousand bytes": "de 07 ea" + "7f" * 1001 + "ff",
    "a symbol id of 20 bytes": "7e 94" + "ff" * 20,
    "an exponent of 2**70": "5c 3f 7f 7f 7f 7f 7f 7f 7f 7f 7f ff 01",
    "a timestamp's year of 2**60": "6c c0 08 00 00 00 00 00 00 00 80 81 81",
    "an offset of 2**40 minutes": "6a 00 20 00 00 00 80 0f e5 81 81",
}


@pytest.mark.parametrize("name", LENGTHS)
def test_numbers_that_lie_are_refused(name: str) -> None:
    """Lengths, ids and fields beyond what is there are refused before anything is allocated."""
    data = IVM + bytes.fromhex(LENGTHS[name])
    with pytest.raises(IonDecodeError):
        [value.decode() for value in iter_slices(data)]
    with pytest.raises(IonDecodeError):
        [value.hash() for value in iter_slices(data)]


def test_long_ints_are_read_and_shown_by_type_only() -> None:
    """An int of a megabyte is read, hashed and written; nothing turns it into digits."""
    data = dumps(1 << 8_000_000)
    value = load_slice(data)
    assert 8_000_001 == value.decode().bit_length()
    assert data == dumps(loads(data))
    assert "<IonSlice int, 1000005 bytes>" == repr(value)


def test_long_coefficients_are_refused() -> None:
    """A coefficient whose conversion would take seconds is refused by reader, hash and writer."""
    sound = b"\xc1" + b"\x01" * MAX_DECIMAL_BYTES
    for body, is_sound in ((sound, True), (sound + b"\x01", False)):
        value = load_slice(IVM + b"\x5e" + varuint(len(body)) + body)
        if is_sound:
            assert value.hash() == to_slice(value.decode()).hash()
            continue
        for use in USES[:2]:
            with pytest.raises(IonDecodeError, match="coefficient"):
                use(value)


def test_far_exponents_are_read_or_refused_at_once() -> None:
    """An exponent is a number to us: 1d100000000000000000 costs nothing, one more is refused."""
    for exponent in (MAX_DECIMAL_EXPONENT, -MAX_DECIMAL_EXPONENT):
        value = load_slice(IVM + _decimal(exponent))
        assert exponent == value.decode().as_tuple().exponent
        assert value.hash() == to_slice(value.decode()).hash()
    for exponent in (MAX_DECIMAL_EXPONENT + 1, -MAX_DECIMAL_EXPONENT - 1):
        with pytest.raises(IonDecodeError, match="exponent"):
            loads(IVM + _decimal(exponent))


def _decimal(exponent: int) -> bytes:
    """Write a decimal of coefficient 1; its exponent in ten bytes."""
    magnitude = abs(exponent)
    parts = [magnitude >> shift & 0x7F for shift in range(63, -1, -7)]
    parts[0] |= 0x40 if exponent < 0 else 0
    parts[-1] |= 0x80
    return bytes([0x50 | 11, *parts, 1])


@pytest.mark.parametrize("places", [10, 10**6, 10**15])
def test_far_fractions_of_a_second_cost_nothing(places: int) -> None:
    """A fraction with a million places, all but the last zero, is read and written as it is."""
    exponent = _decimal(-places)[1:]
    data = b"\x80\x0f\xe5\x82\x89\x82\x90\x86" + exponent
    value = load_slice(IVM + b"\x6e" + varuint(len(data)) + data)
    read = value.decode()
    assert 0 == read.microsecond
    assert (1,) == read.fractional_seconds.as_tuple().digits
    assert value.hash() == to_slice(read).hash()


def test_repeated_names_at_every_level_cost_one_pass() -> None:
    """A struct with a repeated name is not decoded twice, so nesting them does not double."""
    value = b"\x11"
    for _ in range(60):
        body = b"\x84" + value + b"\x84\x10"
        value = b"\xde" + varuint(len(body)) + body
    decoded = loads(IVM + value)
    assert 2 == len(decoded)


def test_padding_costs_nothing() -> None:
    """A stream of a hundred thousand pads holds no values."""
    assert [] == list(iter_slices(IVM + b"\x00" * 100_000))
    assert [] == loads(IVM + b"\xbe" + varuint(100_000) + b"\x00" * 100_000)


def test_the_longest_value_is_bounded() -> None:
    """A value of more than MAX_VALUE_BYTES is refused by its length, before it is looked at."""

    class Long(bytes):
        """Claim to be longer than it is, so that the test needs no gigabyte."""

        __slots__ = ()

        def __len__(self) -> int:
            return MAX_VALUE_BYTES * 2

    data = Long(IVM + b"\xbe" + varuint(MAX_VALUE_BYTES + 1))
    with pytest.raises(IonDecodeError, match="longer than"):
        next(iter_slices(data))


def test_a_slice_of_nothing_is_refused() -> None:
    """Bounds that hold no value are an IonDecodeError, too."""
    nothing = IonSlice(b"", 0, 0, SymbolTable((None,)))
    for use in USES:
        with pytest.raises(IonDecodeError):
            use(nothing)


def test_padding_is_no_value() -> None:
    """A slice of padding or of a reserved byte cannot be used."""
    for data in (b"\x00", b"\x01\xff", b"\xf0", b"\xe0"):
        for use in USES:
            with pytest.raises(IonDecodeError):
                use(IonSlice(data, 0, len(data), SymbolTable((None,))))


def test_hashing_refuses_what_decoding_refuses() -> None:
    """A string that is not UTF-8 has no hash."""
    for form in ("81 ff", "31 00", "68 80 0f e5 8d 89 82 90 86", "71 0a", "d2 8a 11"):
        with pytest.raises(IonDecodeError):
            ion_hash(IVM + bytes.fromhex(form))


def test_appending_tables_before_one_value_are_bounded() -> None:
    """Seven bytes that copy all symbols before them come only a few times in a row."""
    first = b"\xe7\x81\x83\xd4\x86\xb2\x81a"
    append = b"\xe6\x81\x83\xd3\x86\x71\x03"
    assert 5 == load_slice(IVM + first + append * (MAX_TABLES - 1) + b"\x21\x05").decode()
    with pytest.raises(IonDecodeError, match=f"more than {MAX_TABLES} symbol tables"):
        load_slice(IVM + first + append * MAX_TABLES + b"\x21\x05")


def test_what_appending_tables_copy_is_bounded() -> None:
    """Between values, too: no stream makes more than MAX_COPIED_SYMBOLS copies."""
    strings = b"\x80" * (1 << 16)
    symbols = b"\x87\xbe" + varuint(len(strings)) + strings
    body = b"\x81\x83\xde" + varuint(len(symbols)) + symbols
    first = b"\xee" + varuint(len(body)) + body
    append = b"\xe6\x81\x83\xd3\x86\x71\x03\x11"
    values = iter_slices(IVM + first + append * 1000)
    copies = 0
    while copies <= MAX_COPIED_SYMBOLS - (1 << 16) - 10:
        copies = next(values).symbols.copied
    with pytest.raises(IonDecodeError, match=f"more than {MAX_COPIED_SYMBOLS}"):
        next(values)
    assert MAX_COPIED_SYMBOLS - (1 << 17) < copies <= MAX_COPIED_SYMBOLS


def test_a_fresh_table_counts_from_nothing() -> None:
    """Streams of any length go on, as long as each table is their own."""
    table = b"\xe7\x81\x83\xd4\x87\xb2\x81a"
    append = b"\xe6\x81\x83\xd3\x86\x71\x03"
    data = (IVM + table + b"\x71\x0a" + append + b"\x71\x0a" + table + b"\x71\x0a") * 50
    assert [0, 11, 0] * 50 == [value.symbols.copied for value in iter_slices(data)]

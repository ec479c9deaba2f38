"""What Python values encode to, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from math import inf, nan
from typing import Any

import pytest
from amazon.ion.core import IonType as AmazonType, Timestamp, TimestampPrecision
from amazon.ion.simple_types import IonPyInt, IonPyList, IonPyNull, IonPySymbol, IonPyText
from amazon.ion.symbols import ImportLocation, SymbolToken

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion import (
    IVM,
    MAX_DEPTH,
    dumps,
    ion_hash,
    iter_text,
    load_slice,
    loads,
    timestamp_ms,
    to_slice,
)


class Level(IntEnum):
    """A subclass of int."""

    HIGH = 3


class Word(StrEnum):
    """A subclass of str."""

    HELLO = "hello"


FORMS: list[tuple[Any, str]] = [
    (None, "0f"),
    (True, "11"),
    (False, "10"),
    (0, "20"),
    (255, "21 ff"),
    (256, "22 01 00"),
    (-1, "31 01"),
    (1 << 120, "2e 90 01" + " 00" * 15),
    (0.0, "40"),
    (-0.0, "48 80 00 00 00 00 00 00 00"),
    (1.5, "48 3f f8 00 00 00 00 00 00"),
    (-nan, "48 7f f8 00 00 00 00 00 00"),
    (inf, "48 7f f0 00 00 00 00 00 00"),
    (Decimal(0), "50"),
    (Decimal("-0"), "52 80 80"),
    (Decimal("0.00"), "51 c2"),
    (Decimal("1.28"), "53 c2 00 80"),
    (Decimal("-1.28"), "53 c2 80 80"),
    (Decimal("1E+64"), "53 00 c0 01"),
    ("", "80"),
    ("é", "82 c3 a9"),
    ("14 bytes long!", "8e 8e 31 34 20 62 79 74 65 73 20 6c 6f 6e 67 21"),
    (b"\x00", "a1 00"),
    (bytearray(b"\x00"), "a1 00"),
    (memoryview(b"\x00"), "a1 00"),
    ([], "b0"),
    ((1, [2]), "b5 21 01 b2 21 02"),
    ({}, "d0"),
    ({"name": 1}, "d3 84 21 01"),
    ({None: 1}, "d3 80 21 01"),
    ({SymbolToken("name", None): 1}, "d3 84 21 01"),
    (Level.HIGH, "21 03"),
    (Word.HELLO, "85 68 65 6c 6c 6f"),
    (SymbolToken("name", None), "71 04"),
    (SymbolToken(None, 0), "70"),
    (IonPySymbol.from_value(AmazonType.SYMBOL, SymbolToken("name", None), ()), "71 04"),
    (IonPyText.from_value(AmazonType.SYMBOL, "name", ()), "71 04"),
    (IonPyNull.from_value(AmazonType.LIST, None, ()), "bf"),
    (IonPyInt.from_value(AmazonType.BOOL, True, ()), "11"),
    (IonPyInt.from_value(AmazonType.INT, 5, ("name",)), "e4 81 84 21 05"),
    (IonPyList.from_value(AmazonType.SEXP, [1], ()), "c2 21 01"),
    (IonPyInt(5), "21 05"),  # 0.9.3 gives it no Ion type
    (IonPyText("a"), "81 61"),
    (IonPyNull(), "0f"),
]


@pytest.mark.parametrize(("value", "form"), FORMS)
def test_forms(value: Any, form: str) -> None:
    """Each Python value has one binary form, as short as it can be."""
    assert (IVM + bytes.fromhex(form)).hex(" ") == dumps(value).hex(" ")


TIMES: list[tuple[datetime, str]] = [
    (datetime(2021, 2, 9, 2, 16, 6, 123456, UTC), "6c 80 0f e5 82 89 82 90 86 c6 01 e2 40"),
    (datetime(2021, 2, 9, 2, 16, 6, 0, UTC), "69 80 0f e5 82 89 82 90 86 c6"),
    (datetime(2021, 2, 9, 2, 16, 6), "69 c0 0f e5 82 89 82 90 86 c6"),  # noqa: DTZ001
    (
        datetime(2021, 2, 9, 1, 46, 6, 0, timezone(timedelta(minutes=-30))),
        "69 de 0f e5 82 89 82 90 86 c6",
    ),
    (Timestamp(2021, 1, 1, precision=TimestampPrecision.YEAR), "63 c0 0f e5"),
    (Timestamp(2021, 2, 9, 23, 59, precision=TimestampPrecision.DAY), "65 c0 0f e5 82 89"),
    (
        Timestamp(2021, 2, 9, 2, 16, 59, tzinfo=UTC, precision=TimestampPrecision.MINUTE),
        "67 80 0f e5 82 89 82 90",
    ),
    (
        Timestamp(
            *(2021, 2, 9, 2, 16, 6, None, UTC),
            precision=TimestampPrecision.SECOND,
            fractional_seconds=Decimal("0.242"),
        ),
        "6b 80 0f e5 82 89 82 90 86 c3 00 f2",
    ),
    (timestamp_ms(1612836966242), "6b 80 0f e5 82 89 82 90 86 c3 00 f2"),
    (timestamp_ms(1612836966000), "69 80 0f e5 82 89 82 90 86 c3"),
    (timestamp_ms(-1), "6b 80 0f b1 8c 9f 97 bb bb c3 03 e7"),
]


@pytest.mark.parametrize(("value", "form"), TIMES)
def test_times(value: datetime, form: str) -> None:
    """A datetime has six places, a naive one no offset; a Timestamp has what it says."""
    assert (IVM + bytes.fromhex(form)).hex(" ") == dumps(value).hex(" ")


def test_timestamp_ms_is_a_timestamp_of_three_places() -> None:
    """The moment is in UTC, and its milliseconds count as such."""
    value = timestamp_ms(1714979289123)
    assert isinstance(value, Timestamp)
    assert datetime(2024, 5, 6, 7, 8, 9, 123000, UTC) == value
    assert Decimal("0.123") == value.fractional_seconds
    assert 3 == value.fractional_precision
    assert TimestampPrecision.SECOND == value.precision
    assert value == loads(dumps(value))


def test_symbols_are_numbered_in_order_of_first_use() -> None:
    """The local symbol table holds what the value uses, system symbols left out, nothing else."""
    stream = dumps({"b": {"a": 1}, "name": [SymbolToken("b", None)]})
    table = "e9 81 83 d6 87 b4 81 62 81 61"
    value = "d9 8a d3 8b 21 01 84 b2 71 0a"
    assert (IVM + bytes.fromhex(table + value)).hex(" ") == stream.hex(" ")


def test_slices_are_copied_at_any_depth() -> None:
    """A slice inside Python values is copied from its bytes, with its symbols translated."""
    (inner,) = iter_text("note::{b: sym, a: [(x y), 1.50, 2020T], a: 2}")
    stream = dumps({"z": [inner, {"a": inner}]})
    expected = dumps({"z": [inner.decode(), {"a": inner.decode()}]})
    assert ion_hash(expected) == ion_hash(stream)
    assert expected == stream


def test_slices_keep_the_form_of_their_scalars() -> None:
    """A copied scalar keeps its bytes: a float of 32 bits stays one."""
    data = IVM + bytes.fromhex("d6 84 44 3f c0 00 00")
    assert data == load_slice(data).to_bytes()
    assert data[4:] in dumps([load_slice(data)])


def test_copying_drops_padding_and_order() -> None:
    """Padding and the promise of ordered fields are not copied."""
    data = IVM + bytes.fromhex("00 d1 88 84 10 85 02 ff ff 86 11")
    assert IVM + bytes.fromhex("d4 84 10 86 11") == load_slice(data).to_bytes()


def test_a_slice_is_its_own_slice() -> None:
    """to_slice returns a slice as it is."""
    (value,) = iter_text("1")
    assert value is to_slice(value)


def test_imported_symbols_stay_imported() -> None:
    """A symbol of a shared table is written with an import of that table, and keeps its place."""
    token = SymbolToken(None, 11, ImportLocation("things", 2))
    stream = dumps([token, SymbolToken("own", None)])
    unknown, own = loads(stream)
    assert ("things", 2) == tuple(unknown.location)
    assert "own" == own.text
    assert stream == load_slice(stream).to_bytes()
    assert ion_hash([SymbolToken(None, 0), SymbolToken("own", None)]) == ion_hash(stream)


def test_too_many_imported_symbols_are_refused() -> None:
    """A symbol far out in a shared table is not written: no reader of ours would read it."""
    with pytest.raises(IonEncodeError, match="imports more than"):
        dumps(SymbolToken(None, 10, ImportLocation("things", 1 << 20)))


REFUSED: list[tuple[Any, str]] = [
    (object(), "no type for object"),
    ({1, 2}, "no type for set"),
    (1j, "no type for complex"),
    ({1: 2}, "int, not text"),
    ({b"a": 2}, "bytes, not text"),
    (Decimal("NaN"), "not a finite number"),
    (Decimal("Infinity"), "not a finite number"),
    (Decimal((0, (1,), 10**17 + 1)), "exponent"),
    (Decimal((0, (1,) * 20_000, 0)), "digits"),
    ("\ud800", "lone surrogate"),
    ({"\ud800": 1}, "lone surrogate"),
    (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "years 1 to 9999"),
    (datetime(2021, 1, 1, tzinfo=timezone(timedelta(seconds=90))), "whole minutes"),
]


@pytest.mark.parametrize(("value", "problem"), REFUSED)
def test_values_without_an_ion_form_are_refused(value: Any, problem: str) -> None:
    """What Ion has nothing for is an IonEncodeError that says why."""
    with pytest.raises(IonEncodeError, match=problem):
        dumps([value])


def test_a_value_that_would_be_read_as_a_symbol_table_is_refused() -> None:
    """At the top of a stream `$ion_symbol_table::{}` is no user's value; inside it is."""
    (inside,) = iter_text("[$ion_symbol_table::{a: 1}]")
    assert inside == load_slice(dumps(inside))
    with pytest.raises(IonEncodeError, match="symbol table"):
        dumps(inside.decode()[0])


def test_depth_is_bounded() -> None:
    """MAX_DEPTH levels are written and read, one more is refused; so is a list within itself."""
    value: list[Any] = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert value == loads(dumps(value))
    with pytest.raises(IonEncodeError, match="deeper"):
        dumps([value])
    value.append(value)
    with pytest.raises(IonEncodeError, match="deeper"):
        dumps(value)

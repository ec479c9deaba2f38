"""What binary Ion decodes to: plain Python where nothing is lost, amazon.ion's types otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from math import copysign, inf, isnan
from typing import Any

import pytest
from amazon.ion.core import IonType as AmazonType, Timestamp, TimestampPrecision
from amazon.ion.simple_types import IonPyBytes, IonPyDict, IonPyList, IonPyNull, IonPySymbol
from amazon.ion.symbols import SymbolToken

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IVM, iter_text, loads

EAST = timezone(timedelta(hours=5, minutes=30))

PLAIN = {
    "0f": None,
    "10": False,
    "11": True,
    "20": 0,
    "21 07": 7,
    "31 07": -7,
    "28 ff ff ff ff ff ff ff ff": 2**64 - 1,
    "38 80 00 00 00 00 00 00 01": -(2**63) - 1,
    "40": 0.0,
    "44 3f c0 00 00": 1.5,
    "48 7f f0 00 00 00 00 00 00": inf,
    "50": Decimal(0),
    "52 c1 7b": Decimal("12.3"),
    "52 83 05": Decimal("5E+3"),
    "80": "",
    "82 c3 a9": "é",
    "8e 8e 31 34 20 62 79 74 65 73 20 6c 6f 6e 67 21": "14 bytes long!",
    "a0": b"",
    "a2 00 ff": b"\x00\xff",
    "b0": [],
    "b4 21 01 b1 10": [1, [False]],
    "d0": {},
    "d5 84 21 01 85 d0": {"name": 1, "version": {}},
    "6c 80 0f e5 82 89 82 90 86 c6 01 e2 40": datetime(2021, 2, 9, 2, 16, 6, 123456, UTC),
    "6d 02 ca 0f e5 82 89 82 90 86 c6 01 e2 40": datetime(2021, 2, 9, 7, 46, 6, 123456, EAST),
}


@pytest.mark.parametrize("form", PLAIN)
def test_plain_values(form: str) -> None:
    """Where plain Python says all there is to say, plain Python it is, of exactly that type."""
    expected = PLAIN[form]
    actual = loads(IVM + bytes.fromhex(form))
    assert expected == actual
    assert type(expected) is type(actual)


def test_decimals_keep_sign_and_exponent() -> None:
    """Zeros keep their sign and exponent, numbers their last zeros."""
    forms = {"52 80 80": "-0", "51 c2": "0.00", "52 c2 80": "-0.00", "53 c2 27 10": "100.00"}
    for form, expected in forms.items():
        actual = loads(IVM + bytes.fromhex(form))
        assert Decimal(expected).as_tuple() == actual.as_tuple()


def test_floats_keep_their_sign_and_nan() -> None:
    """Minus zero and nan stay what they are."""
    assert copysign(1, loads(IVM + bytes.fromhex("44 80 00 00 00"))) < 0
    assert isnan(loads(IVM + bytes.fromhex("44 7f c0 00 00")))


NULLS = {
    "1f": AmazonType.BOOL,
    "2f": AmazonType.INT,
    "3f": AmazonType.INT,
    "4f": AmazonType.FLOAT,
    "5f": AmazonType.DECIMAL,
    "6f": AmazonType.TIMESTAMP,
    "7f": AmazonType.SYMBOL,
    "8f": AmazonType.STRING,
    "9f": AmazonType.CLOB,
    "af": AmazonType.BLOB,
    "bf": AmazonType.LIST,
    "cf": AmazonType.SEXP,
    "df": AmazonType.STRUCT,
}


@pytest.mark.parametrize("form", NULLS)
def test_typed_nulls(form: str) -> None:
    """A typed null is an IonPyNull of its type."""
    value = loads(IVM + bytes.fromhex(form))
    assert isinstance(value, IonPyNull)
    assert NULLS[form] == value.ion_type
    assert () == value.ion_annotations


def test_symbols() -> None:
    """A symbol is an IonPySymbol; without text it is symbol zero."""
    name = loads(IVM + bytes.fromhex("71 04"))
    assert isinstance(name, IonPySymbol)
    assert ("name", AmazonType.SYMBOL) == (name.text, name.ion_type)
    unknown = loads(IVM + bytes.fromhex("70"))
    assert (None, 0) == (unknown.text, unknown.sid)


def test_clob_and_sexp() -> None:
    """What Python has no type for is amazon.ion's bytes or list, with its Ion type."""
    clob = loads(IVM + bytes.fromhex("92 68 69"))
    assert isinstance(clob, IonPyBytes)
    assert (b"hi", AmazonType.CLOB) == (clob, clob.ion_type)
    sexp = loads(IVM + bytes.fromhex("c2 21 01"))
    assert isinstance(sexp, IonPyList)
    assert ([1], AmazonType.SEXP) == (list(sexp), sexp.ion_type)


def test_repeated_names() -> None:
    """A struct that repeats a name is an IonPyDict with all its values."""
    struct = loads(IVM + bytes.fromhex("d8 84 10 85 20 84 11 84 0f"))
    assert isinstance(struct, IonPyDict)
    assert [False, True, None] == list(struct.get_all_values("name"))
    assert 0 == struct["version"]


def test_a_field_of_unknown_name_is_under_none() -> None:
    """As in amazon.ion, a field name without text is None."""
    assert {None: True} == loads(IVM + bytes.fromhex("d2 80 11"))


ANNOTATED = ["null", "null.int", "true", "1", "1e0", "1.0", "2020T", "2020-01-01T00:00:00.000000Z"]
ANNOTATED += ["sym", '"text"', '{{"clob"}}', "{{YmxvYg==}}", "[1]", "(1)", "{a:1}", "{a:1, a:2}"]


@pytest.mark.parametrize("text", ANNOTATED)
def test_annotations(text: str) -> None:
    """An annotated value of any type is amazon.ion's, with its annotations and its Ion type."""
    (bare,) = iter_text(text)
    (annotated,) = iter_text(f"one::'two 2'::{text}")
    value = annotated.decode()
    assert ["one", "two 2"] == [token.text for token in value.ion_annotations]
    assert bare.ion_type.name == value.ion_type.name
    assert ("one", "two 2") == annotated.annotations
    assert bare.ion_type is annotated.ion_type


TIMESTAMPS: dict[str, tuple[Any, ...]] = {
    "63 c0 0f e5": (TimestampPrecision.YEAR, 2021, 1, 1, 0, 0, 0, None, "0"),
    "64 c0 0f e5 82": (TimestampPrecision.MONTH, 2021, 2, 1, 0, 0, 0, None, "0"),
    "65 c0 0f e5 82 89": (TimestampPrecision.DAY, 2021, 2, 9, 0, 0, 0, None, "0"),
    "67 80 0f e5 82 89 82 90": (TimestampPrecision.MINUTE, 2021, 2, 9, 2, 16, 0, 0, "0"),
    "67 c0 0f e5 82 89 82 90": (TimestampPrecision.MINUTE, 2021, 2, 9, 2, 16, 0, None, "0"),
    "67 c1 0f e5 82 81 80 80": (TimestampPrecision.MINUTE, 2021, 1, 31, 23, 59, 0, -1, "0"),
    "68 80 0f e5 82 89 82 90 86": (TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, 0, "0"),
    "6b 80 0f e5 82 89 82 90 86 c3 00 f2": (
        *(TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, 0),
        "0.242",
    ),
    "6a 80 0f e5 82 89 82 90 86 c3 05": (
        *(TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, 0),
        "0.005",
    ),
    "69 80 0f e5 82 89 82 90 86 c3": (
        *(TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, 0),
        "0.000",
    ),
    "6c c0 0f e5 82 89 82 90 86 c6 01 e2 40": (
        *(TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, None),
        "0.123456",
    ),
    "6d 80 0f e5 82 89 82 90 86 c9 07 5b cd 15": (
        *(TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, 0),
        "0.123456789",
    ),
    "6b 80 0f e5 82 89 82 90 86 41 e4 01": (
        *(TimestampPrecision.SECOND, 2021, 2, 9, 2, 16, 6, 0),
        "1E-228",
    ),
}


@pytest.mark.parametrize("form", TIMESTAMPS)
def test_timestamps(form: str) -> None:
    """Each precision, offset and number of places is what an amazon.ion Timestamp says."""
    precision, *fields, offset, fraction = TIMESTAMPS[form]
    value = loads(IVM + bytes.fromhex(form))
    assert isinstance(value, Timestamp)
    assert precision == value.precision
    assert fields == [
        *(value.year, value.month, value.day),
        *(value.hour, value.minute, value.second),
    ]
    expected = None if offset is None else timedelta(minutes=offset)
    assert expected == value.utcoffset()
    assert Decimal(fraction).as_tuple() == value.fractional_seconds.as_tuple()
    assert int(Decimal(fraction).scaleb(6)) == value.microsecond


def test_a_symbol_of_a_shared_table_keeps_its_place() -> None:
    """A symbol imported without its text says where it is imported from."""
    imports = _imports("things", 3)
    value = loads(IVM + imports + bytes.fromhex("71 0b"))
    assert (None, 11) == (value.text, value.sid)
    assert ("things", 2) == tuple(value.location)
    assert SymbolToken(None, 0) == SymbolToken(*loads(IVM + imports + b"\x70")[:2])


def _imports(name: str, max_id: int) -> bytes:
    """Write a symbol table that imports a shared one."""
    shared = b"\x84" + bytes([0x80 + len(name)]) + name.encode() + b"\x88\x21" + bytes([max_id])
    imported = bytes([0xD0 + len(shared)]) + shared
    imports = b"\x86" + b"\xbe" + bytes([0x80 + len(imported)]) + imported
    struct = b"\xde" + bytes([0x80 + len(imports)]) + imports
    return b"\xee" + bytes([0x80 + len(struct) + 2]) + b"\x81\x83" + struct


REFUSED = {
    "30": "0x30",
    "31 00": "minus zero",
    "12": "0x12",
    "41 00": "0x41",
    "4e 80": "0x4e",
    "60": "0x60",
    "f0": "0xf0",
    "71 0a": "symbol id 10",
    "81 ff": "UTF-8",
    "8e 8e ff 30 30 30 30 30 30 30 30 30 30 30 30 30": "UTF-8",
    "82 61": "beyond",
    "b2 21 01 10": "a second value",
    "b1 21": "beyond",
    "b2 21": "beyond",
    "d1 80": "empty",
    "d1 84 85 10 84 11": "order",
    "d1 81 84": "",
    "d2 8a 10": "symbol id 10",
    "d2 84 21": "beyond",
    "d3 84 10 85": "",
    "d3 84 22 01": "beyond",
    "d2 04 10": "",
    "e3 80 10 10": "",
    "e3 81 84 00": "padding",
    "e6 81 84 e3 81 84 10": "wrapper",
    "e4 81 84 10 10": "shorter",
    "e3 81 8a 10": "symbol id 10",
    "62 c0 80": "does not exist",
    "63 c0 0f": "",
    "65 c0 0f e5 8d 81": "does not exist",
    "66 c0 0f e5 82 89 82": "hour",
    "68 80 0f e5 82 89 98 80 80": "does not exist",
    "68 0b a0 0f e5 82 89 82 90": "a day or more",
    "68 81 4e 8f 8c 9f 97 bb": "",
    "6a 80 0f e5 82 89 82 90 86 81 01": "0 to 1",
    "6a 80 0f e5 82 89 82 90 86 c1 0a": "0 to 1",
    "6a 80 0f e5 82 89 82 90 86 c1 81": "0 to 1",
    "6b 80 0f e5 82 89 82 90 86 c1 7f ff": "0 to 1",
    "51 00": "cut off",
    "5a 3f 7f 7f 7f 7f 7f 7f 7f 7f ff": "",
}


@pytest.mark.parametrize("form", REFUSED)
def test_broken_values_are_refused(form: str) -> None:
    """What is no Ion is an IonDecodeError that says what is wrong, within the bytes."""
    data = IVM + bytes.fromhex(form)
    with pytest.raises(IonDecodeError) as caught:
        loads(data)
    assert REFUSED[form] in caught.value.problem
    assert 4 <= caught.value.offset <= len(data)

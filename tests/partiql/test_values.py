from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from amazon.ion import simple_types
from amazon.ion.core import IonType as AmazonType
from amazon.ion.symbols import SymbolToken

from qldb_stream import ion
from qldb_stream.partiql import MISSING, Bag, index_key, index_key_of
from qldb_stream.partiql._values import (
    Kind,
    element_of,
    is_equal,
    is_unknown,
    kind_of,
    member_of,
    order_key,
)


def read(text: str) -> Any:
    """Read one Ion value and decode it."""
    (value,) = ion.iter_text(text)
    return value.decode()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("null", Kind.NULL),
        ("null.int", Kind.NULL),
        ("a::null.struct", Kind.NULL),
        ("true", Kind.BOOL),
        ("a::true", Kind.BOOL),
        ("1", Kind.INT),
        ("a::1", Kind.INT),
        ("1e0", Kind.FLOAT),
        ("1.0", Kind.DECIMAL),
        ("a::1.0", Kind.DECIMAL),
        ("2017T", Kind.TIMESTAMP),
        ("2017-01-01T00:00:00.123456Z", Kind.TIMESTAMP),
        ("abc", Kind.SYMBOL),
        ("$0", Kind.SYMBOL),
        ('"abc"', Kind.STRING),
        ('{{"abc"}}', Kind.CLOB),
        ("{{aGk=}}", Kind.BLOB),
        ("[1]", Kind.LIST),
        ("a::[1]", Kind.LIST),
        ("(1)", Kind.SEXP),
        ("{a: 1}", Kind.STRUCT),
        ("{a: 1, a: 2}", Kind.STRUCT),
    ],
)
def test_kind(text: str, kind: Kind) -> None:
    """A value's kind is its Ion type, decoded or not; nulls of every type are NULL."""
    (value,) = ion.iter_text(text)
    assert kind is kind_of(value)
    assert kind is kind_of(value.decode())
    assert (kind is Kind.NULL) is is_unknown(value)


def test_kind_of_values_that_ion_lacks() -> None:
    """Bags, MISSING, bare symbol tokens and subclasses of plain types have their kinds."""

    class Name(str):
        __slots__ = ()

    assert Kind.BAG is kind_of(Bag([1]))
    assert Kind.MISSING is kind_of(MISSING)
    assert not MISSING
    assert "MISSING" == repr(MISSING)
    assert Kind.SYMBOL is kind_of(SymbolToken("a", None))
    assert Kind.STRING is kind_of(Name("a"))
    with pytest.raises(AssertionError):
        kind_of(object())


EQUAL = [
    ("1", "1.0"),
    ("1", "1e0"),
    ("1.50", "1.5"),
    ("0", "-0."),
    ("100", "1d2"),
    ("12345678901234567890123456789", "12345678901234567890123456789.0"),
    ("a::1", "1"),
    ("a::true", "true"),
    ('"abc"', "abc"),
    ('{{"hi"}}', "{{aGk=}}"),
    ("2017-01-01T01:00:00+01:00", "2017-01-01T00:00:00.000Z"),
    ("2017T", "2017-01-01T00:00:00Z"),
    ("[1, [a]]", '[1.0, ["a"]]'),
    ("(a 1)", "(a 1.)"),
    ("{a: 1, b: 2}", "{b: 2, a: 1}"),
    ("{a: 1, a: 2}", "{a: 2, a: 1}"),
    ("nan", "nan"),
    ("[null.int]", "[null]"),
    ("$0", "$0"),
]

DIFFERENT = [
    ("1", "2"),
    ("1", '"1"'),
    ("1", "true"),
    ("0", "false"),
    ("10", "1"),
    ("nan", "+inf"),
    ("-inf", "+inf"),
    ("0.1e0", "0.1"),
    ('"a"', '"A"'),
    ('"true"', "true"),
    ("[1]", "(1)"),
    ("[1, 2]", "[2, 1]"),
    ("[1]", "[1, 1]"),
    ("[[1], 2]", "[[1, 2]]"),
    ("{a: 1}", "{b: 1}"),
    ("{a: 1}", "{a: 1, a: 1}"),
    ("{a: null}", "{}"),
    ("2017T", "2018T"),
    ("2017-01-01T00:00:00.000Z", "2017-01-01T00:00:00.001Z"),
    ("{{aGk=}}", '"hi"'),
    ("$0", '""'),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_values_have_one_key(left: str, right: str) -> None:
    """Values that PartiQL calls equal are, and an index finds one by the other."""
    assert is_equal(read(left), read(right))
    assert index_key(read(left)) == index_key(read(right))
    assert index_key(read(left)) is not None


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_values_have_different_keys(left: str, right: str) -> None:
    """Values that differ are not equal and do not share an index key."""
    assert not is_equal(read(left), read(right))
    assert index_key(read(left)) != index_key(read(right))


def test_unknown_values_are_not_indexed() -> None:
    """NULL and MISSING equal nothing, so no index holds them."""
    assert [None] * 4 == [index_key(value) for value in (None, MISSING, read("null.int"), MISSING)]


def test_long_keys_are_hashed() -> None:
    """A key is never longer than 64 bytes, and long values still have keys of their own."""
    keys = {index_key("x" * length) for length in range(1, 200)}
    assert 199 == len(keys)
    assert 64 >= max(len(key or b"") for key in keys)


def test_key_of_a_slice() -> None:
    """A value still in its bytes has the key of its decoded self."""
    assert index_key({"a": [1]}) == index_key(ion.to_slice({"a": [1]}))
    assert index_key([ion.to_slice(1)]) == index_key([1])


def test_bags_compare_without_order() -> None:
    """Two bags are equal when they hold the same things, in any order."""
    assert is_equal(Bag([1, 2]), Bag([2, 1]))
    assert not is_equal([MISSING], [None])
    assert not is_equal(Bag([1, 1]), Bag([1]))


def test_instants_far_apart() -> None:
    """The first and the last moment of the calendar have keys, whatever their offsets."""
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-14)))
    assert index_key(first) != index_key(last)


@pytest.mark.parametrize(
    ("struct", "name", "case_sensitive", "expected"),
    [
        ("{VIN: 1, vin: 2}", "VIN", False, 1),
        ("{VIN: 1}", "vin", False, 1),
        ("{VIN: 1}", "vin", True, MISSING),
        ("{VIN: 1, Vin: 2}", "vin", False, MISSING),
        ("{a: 1}", "b", False, MISSING),
        ("{a: 1, a: 2}", "a", False, 1),
        ("{A: 1, A: 2}", "a", False, 1),
        ("{A: 1, A: 2}", "a", True, MISSING),
        ("x::{a: 1}", "a", True, 1),
        ("{$0: 1, a: 2}", "A", False, 2),
        ("[1]", "a", False, MISSING),
        ("null.struct", "a", False, MISSING),
    ],
)
def test_member(struct: str, name: str, case_sensitive: bool, expected: Any) -> None:  # noqa: FBT001
    """The exact name wins, then the only name in another case; a quoted name is exact."""
    (value,) = ion.iter_text(struct)
    found = member_of(value.decode(), name, case_sensitive=case_sensitive)
    assert expected == found
    assert expected == member_of(value, name, case_sensitive=case_sensitive)


def test_index_key_of_a_document() -> None:
    """An index reads a document's field as an unquoted name does."""
    document = ion.to_slice({"Vin": "1", "other": None})
    assert index_key("1") == index_key_of(document, "VIN")
    assert index_key_of(document, "other") is None
    assert index_key_of(document, "absent") is None


@pytest.mark.parametrize(
    ("container", "index", "expected"),
    [
        ("[5, 6]", 1, 6),
        ("[5, 6]", 2, MISSING),
        ("[5, 6]", -1, MISSING),
        ("(5 6)", 0, 5),
        ("[5]", "a", MISSING),
        ("{a: 1}", "a", 1),
        ("{a: 1}", "A", MISSING),
        ("{a: 1}", 0, MISSING),
        ("5", 0, MISSING),
    ],
)
def test_element(container: str, index: Any, expected: Any) -> None:
    """Brackets find elements by ordinal and members by exact name, else nothing."""
    (value,) = ion.iter_text(container)
    assert expected == element_of(value.decode(), index)
    assert expected == element_of(value, index)


def test_order_families() -> None:
    """Numbers, texts, timestamps, bytes and booleans have an order, each among themselves."""
    for low, high in [
        ("1", "1.5"),
        ("a", '"b"'),
        ("2017T", "2017-02T"),
        ('{{"a"}}', "{{Yg==}}"),
        ("false", "true"),
    ]:
        first, second = order_key(read(low)), order_key(read(high))
        assert first is not None
        assert second is not None
        assert first < second
    assert [None, None, None] == [order_key(read(text)) for text in ("nan", "[1]", "{a: 1}")]


def test_decimal_specials_do_not_break_keys() -> None:
    """A Decimal that Ion cannot hold still has a key."""
    assert index_key(Decimal("NaN")) == index_key(Decimal("NaN"))


def test_annotated_values_of_amazon_ion() -> None:
    """amazon.ion's own types compare as the plain values they hold."""
    annotated = simple_types.IonPyText.from_value(AmazonType.STRING, "abc", ("x",))
    assert is_equal(annotated, "abc")

"""IonSlice: a value still in its bytes."""

from __future__ import annotations

import pickle

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import (
    IVM,
    IonSlice,
    IonType,
    dumps,
    iter_elements,
    iter_slices,
    iter_text,
    load_slice,
    read_struct,
    to_slice,
)

TYPES = {
    "null": IonType.NULL,
    "true": IonType.BOOL,
    "1": IonType.INT,
    "-1": IonType.INT,
    "1e0": IonType.FLOAT,
    "1.0": IonType.DECIMAL,
    "2020T": IonType.TIMESTAMP,
    "sym": IonType.SYMBOL,
    '"text"': IonType.STRING,
    '{{"clob"}}': IonType.CLOB,
    "{{YmxvYg==}}": IonType.BLOB,
    "[]": IonType.LIST,
    "()": IonType.SEXP,
    "{}": IonType.STRUCT,
}


def one(text: str) -> IonSlice:
    """Read one value of Ion text."""
    (value,) = iter_text(text)
    return value


@pytest.mark.parametrize("text", TYPES)
def test_type(text: str) -> None:
    """A slice knows its type, through annotations too."""
    assert TYPES[text] is one(text).ion_type
    assert TYPES[text] is one(f"a::b::{text}").ion_type
    assert (text == "null") is one(text).is_null


def test_nulls() -> None:
    """A null of any type is null, and keeps its type."""
    for kind in IonType:
        value = one(f"a::null.{kind.name.lower()}")
        assert value.is_null
        assert kind is value.ion_type


def test_annotations() -> None:
    """Annotations are texts in order; an unknown one is None."""
    assert () == one("1").annotations
    assert ("a", "b", "a") == one("a::b::a::1").annotations
    assert (None,) == load_slice(IVM + bytes.fromhex("e3 81 80 10")).annotations


def test_equality_is_of_values() -> None:
    """Slices of different buffers and tables are equal when their values are."""
    assert one("{a: 1, b: [x]}") == one("{b: [x], a: 1}")
    assert one("{a: 1, a: 2}") == one("{a: 2, a: 1}")
    assert one("{a: 1, a: 1}") != one("{a: 1}")
    assert one("1.0") != one("1.00")
    assert one("2020-01-01T00:00Z") != one("2020-01-01T00:00-00:00")
    assert {one("[1]"), one("[1]"), one("(1)")} == {one("(1)"), one("[1]")}
    assert one("1") != 1
    first, again = iter_elements(one("[x, x]"))
    assert first == again


def test_equal_bytes_under_different_tables_are_different() -> None:
    """The same id means another symbol in another table."""
    assert to_slice({"a": 1}).buf[-4:] == to_slice({"b": 1}).buf[-4:]
    assert to_slice({"a": 1}) != to_slice({"b": 1})


def test_repr_does_not_tell_contents() -> None:
    """A slice in a log shows its type and length, never what it holds."""
    assert "<IonSlice string, 7 bytes>" == repr(one('"secret"'))
    assert "<IonSlice struct, 1 bytes>" == repr(one("{}"))


def test_to_bytes_holds_the_value_alone() -> None:
    """A part of a record becomes a stream with only the symbols it needs."""
    record = dumps({"payload": {"data": {"name": "x"}, "other": 1}, "secret": 2})
    data = read_struct(read_struct(load_slice(record))["payload"])["data"]
    assert dumps({"name": "x"}) == data.to_bytes()


def test_pickling_keeps_the_value_alone() -> None:
    """A pickled slice carries its own value, not the record it was cut from."""
    record = dumps([{"name": "x", "a": 1}, "secret" * 100])
    value = next(iter_elements(load_slice(record)))
    pickled = pickle.dumps(value)
    assert b"secret" not in pickled
    assert value == pickle.loads(pickled)  # noqa: S301 - our own bytes


def test_broken_slices_are_refused_when_they_are_used() -> None:
    """A slice of a broken value is made, and refused by what looks inside."""
    (value,) = iter_slices(IVM + bytes.fromhex("b2 b2 21"))
    for use in (value.decode, value.hash, value.to_bytes, lambda: hash(value)):
        with pytest.raises(IonDecodeError):
            use()

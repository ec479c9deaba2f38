"""Values copied with some of what is inside them exchanged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import IonDecodeError, IonEncodeError
from qldb_stream.ion import (
    LEFT_OUT,
    IonSlice,
    SymbolTable,
    iter_elements,
    iter_fields,
    iter_text,
    replaced,
    to_slice,
)
from qldb_stream.testing.strategies import ion_documents


def text(value: str) -> IonSlice:
    """A slice of a value written as Ion text."""
    (found,) = iter_text(value)
    return to_slice(found)


def members(value: IonSlice) -> dict[str | None, IonSlice]:
    """The fields of a struct, the last of each name."""
    return dict(iter_fields(value))


@pytest.mark.parametrize("put_in", [7, "text", None, [1, {"x": "y"}], b"\x00"])
def test_a_field_is_exchanged(put_in: Any) -> None:
    """What is put in stands where the field stood, and the rest is as it was."""
    value = to_slice({"a": 1, "b": {"c": "secret", "d": 2}, "e": 3})
    site = members(members(value)["b"])["c"]

    expected = {"a": 1, "b": {"c": put_in, "d": 2}, "e": 3}
    assert expected == replaced(value, {site.start: put_in}).decode()


def test_a_field_is_left_out_with_its_name() -> None:
    """Neither the value nor the name of a field that is left out is in the copy's bytes."""
    value = to_slice({"hidden_name": "secret", "b": 1})
    copy = replaced(value, {members(value)["hidden_name"].start: LEFT_OUT})

    assert {"b": 1} == copy.decode()
    assert b"secret" not in copy.buf
    assert b"hidden_name" not in copy.buf
    assert "hidden_name" not in copy.symbols.texts


def test_elements_are_exchanged() -> None:
    """Elements of lists and s-expressions are exchanged or left out by their places."""
    value = text("[1, (a b c), 3]")
    sexp = list(iter_elements(value))[1]
    b = list(iter_elements(sexp))[1]
    first = next(iter(iter_elements(value)))

    assert text('[(a "x" c), 3]') == replaced(value, {b.start: "x", first.start: LEFT_OUT})


def test_annotations_repeats_and_types_stay() -> None:
    """Containers around what is exchanged keep annotations, repeated names and typed nulls."""
    value = text("outer::{a: note::{s: 'sym', s: 1d3, n: null.int, x: 1}, a: 2}")
    inner = next(field for name, field in iter_fields(value) if name == "a")
    site = members(inner)["x"]

    expected = text("outer::{a: note::{s: 'sym', s: 1d3, n: null.int, x: 9}, a: 2}")
    assert expected == replaced(value, {site.start: 9})


def test_the_whole_is_never_exchanged() -> None:
    """A place that is no member's start changes nothing."""
    value = to_slice({"a": 1})

    assert value == replaced(value, {value.start: 5})


@given(ion_documents())
def test_without_changes_it_is_a_copy(document: Any) -> None:
    """A copy without changes is equal, in a buffer that holds nothing else."""
    value = to_slice([document, "before"])
    first = next(iter(iter_elements(value)))
    copy = replaced(first, {})

    assert first == copy
    assert first.to_bytes() == copy.buf


@given(st.data(), ion_documents())
def test_every_field_can_be_exchanged(data: st.DataObject, document: Any) -> None:
    """Exchanging a field of any document gives the document with that field exchanged."""
    value = to_slice(document)
    fields = list(iter_fields(value))
    if not fields:
        return
    place = data.draw(st.integers(0, len(fields) - 1))
    copy = replaced(value, {fields[place][1].start: "changed"})

    expected = [
        (name, to_slice("changed") if at == place else field)
        for at, (name, field) in enumerate(fields)
    ]
    assert expected == list(iter_fields(copy))


def test_broken_bytes_are_refused() -> None:
    """Bytes that end too early around a place are an IonDecodeError."""
    value = to_slice({"a": {"b": "a long enough string"}})
    site = members(members(value)["a"])["b"].start
    broken = IonSlice(value.buf[:-3], value.start, value.end - 3, SymbolTable(value.symbols.texts))

    with pytest.raises(IonDecodeError):
        replaced(broken, {site: 1})


def test_what_ion_cannot_say_is_refused() -> None:
    """What has no Ion type cannot be put in."""
    value = to_slice({"a": 1})

    with pytest.raises(IonEncodeError):
        replaced(value, {members(value)["a"].start: object()})

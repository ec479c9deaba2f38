"""Ids are 22 base62 characters."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, strategies as st

from qldb_stream.ledger import new_id
from qldb_stream.ledger._ids import encode_id

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


@pytest.mark.parametrize(
    ("expected", "number"),
    [
        ("0" * 22, 0),
        ("0" * 21 + "z", 61),
        ("0" * 20 + "10", 62),
        ("0" * 11 + "1" + "0" * 10, 62**10),
        ("7n42DGM5Tflk9n8mt7Fhc7", 2**128 - 1),
    ],
)
def test_a_number_is_written_in_base_62(expected: str, number: int) -> None:
    """Digits come before capitals, capitals before small letters; zeros fill up."""
    assert expected == encode_id(number)


@given(st.integers(0, 2**128 - 1))
def test_an_id_can_be_read_back(number: int) -> None:
    """The id says the whole number."""
    text = encode_id(number)
    assert 22 == len(text)
    value = 0
    for character in text:
        value = value * 62 + DIGITS.index(character)
    assert number == value


def test_new_ids_differ() -> None:
    """No two ids are the same."""
    assert 1000 == len({new_id() for _ in range(1000)})

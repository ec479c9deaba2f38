"""Ion down-converted to JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from qldb_stream.ion import IonSlice, iter_text, to_json, to_slice
from qldb_stream.testing.strategies import ion_values


def convert(text: str) -> str:
    """Ion text as JSON."""
    return to_json(next(iter_text(text)))


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("null", "null"),
        ("null", "null.struct"),
        ("null", "nan"),
        ("null", "-inf"),
        ("true", "true"),
        ("-17", "-17"),
        ("12.50", "12.50"),
        ("2.5", "2.5e0"),
        ("-0.0", "-0e0"),
        ('"2019-09-16T19:37:05.360Z"', "2019-09-16T19:37:05.360Z"),
        ('"2017-08-21"', "2017-08-21"),
        ('"2017T"', "2017T"),
        ('"2020-05-06T07:08+01:00"', "2020-05-06T07:08+01:00"),
        ('"text \u00e9 \\" \\n"', '"text \\u00e9 \\" \\n"'),
        ('"ab\u0080"', '{{"ab\\x80"}}'),
        ('"aGk="', "{{aGk=}}"),
        ('"symbol"', "symbol"),
        ("null", "$0"),
        ('["a", 1]', "(a 1)"),
        ("5", "x::y::5"),
        ('{"a": [1, {}], "b": null}', "{a: u::[1, {}], b: null.int}"),
        ('{"a": 1, "a": 2}', "{a: 1, a: 2}"),
    ],
)
def test_each_type(expected: str, text: str) -> None:
    """Numbers stay as they are; what JSON lacks becomes a string, null, or goes."""
    assert expected == convert(text)


def test_a_long_int() -> None:
    """No number is too long, whatever the interpreter's limit for text."""
    number = 10**9000 + 7
    assert "1" + "0" * 8999 + "7" == to_json(to_slice(number))


@given(ion_values())
def test_whatever_it_is_it_is_json(value: Any) -> None:
    """Every Ion value gives one line that a JSON parser reads."""
    ion = value if isinstance(value, IonSlice) else to_slice(value)
    text = to_json(ion)
    assert "\n" not in text
    json.loads(text, parse_int=str, parse_float=str)

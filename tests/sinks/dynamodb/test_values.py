"""Ion as attribute values: the nearest that DynamoDB has a word for."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.ion import iter_text
from qldb_stream.sinks.dynamodb._values import comparable, readable, size_of


def of(text: str) -> dict[str, Any]:
    """Read a value from Ion text, and give its attribute value."""
    (value,) = iter_text(text)
    return readable(value.decode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", {"NULL": True}),
        ("null.int", {"NULL": True}),
        ("true", {"BOOL": True}),
        ("-12", {"N": "-12"}),
        ("12.340", {"N": "12.340"}),
        ("-0.0", {"S": "-0.0"}),
        ("0.000", {"N": "0"}),
        ("1.5e0", {"N": "1.5"}),
        ("nan", {"S": "nan"}),
        ("4.9e-324", {"S": "5e-324"}),
        ("1d50", {"N": "1E+50"}),
        ("1d126", {"S": "1E+126"}),
        ("1.00000000000000000000000000000000000000001", None),
        ("12345678901234567890123456789012345678", {"N": "12345678901234567890123456789012345678"}),
        ("123456789012345678901234567890123456789", None),
        ("123456789012345678901234567890123456780", None),
        ("2020-02-29T23:59:59Z", {"S": "2020-02-29T23:59:59.000000+00:00"}),
        ("2020-02T", {"S": "2020-02T"}),
        ("abc", {"S": "abc"}),
        ('""', {"S": ""}),
        ("{{AP8=}}", {"B": b"\x00\xff"}),
        ('{{"clob"}}', {"B": b"clob"}),
        ("[1, [x]]", {"L": [{"N": "1"}, {"L": [{"S": "x"}]}]}),
        ("(a b)", {"L": [{"S": "a"}, {"S": "b"}]}),
        ("{a: {b: x::1}, '': 2}", {"M": {"a": {"M": {"b": {"N": "1"}}}}}),
        ("{a: 1, a: 2}", {"M": {"a": {"N": "2"}}}),
    ],
)
def test_each_type_has_its_value(text: str, expected: dict[str, Any] | None) -> None:
    """What DynamoDB keeps to the last digit is a number; the rest is text."""
    assert (expected or {_kind(text): text}) == of(text)


def _kind(digits: str) -> str:
    return "N" if len(digits.replace(".", "").rstrip("0")) <= 38 else "S"


def test_what_is_nested_too_deeply_is_text() -> None:
    """DynamoDB takes 32 levels; beyond, the value is its Ion text."""
    value = of("[" * 60 + "]" * 60)
    depth = 0
    while "L" in value:
        (value,) = value["L"]
        depth += 1
    assert (28, {"S": "[" * 32 + "]" * 32}) == (depth, value)


def test_sizes_are_those_that_dynamodb_counts() -> None:
    """Names and values by their bytes, and what a container takes."""
    assert 3 + (1 + 1 + 4) + (1 + 2 + 3 + 1 + 21) + (1 + 1 + 2) == size_of(
        of('{a: "µµ", bc: [1], d: {{AP8=}}}')
    )


def test_numbers_compare_by_value() -> None:
    """DynamoDB drops zeros at the end of a number; that is no change."""
    assert comparable({"N": "12.340"}) == comparable({"N": "12.34"})
    assert comparable({"M": {"a": {"L": [{"B": b"x"}]}}}) != comparable({"M": {"a": {"L": []}}})

"""Where two Ion values differ: each field, and nothing of what it holds."""

from __future__ import annotations

import pytest
from hypothesis import given

from qldb_stream.differences import iter_differences
from qldb_stream.ion import IonSlice, SymbolTable, iter_text, to_slice
from qldb_stream.testing.strategies import ion_values


def parsed(text: str) -> IonSlice:
    """Read one value of Ion text."""
    return next(iter_text(text))


def told(best: str, other: str) -> list[str]:
    """Say each difference of two values of Ion text."""
    return [found.sentence for found in iter_differences(parsed(best), parsed(other), "data")]


@pytest.mark.parametrize(
    ("best", "other", "differences"),
    [
        ("{a: 1}", "{a: 1}", []),
        ("{a: 1, b: 2}", "{b: 2, a: 1}", []),
        ("{a: 1}", "{a: 2}", ["`data.a` is another int"]),
        ("{a: 1.5}", "{a: 1.5e0}", ["`data.a` is of type decimal, not float"]),
        ("{a: 1}", "{}", ["`data.a` is there"]),
        ("{}", "{a: 1}", ["`data.a` is not there"]),
        ("{a: [1, {b: 2}]}", "{a: [1, {b: 3}]}", ["`data.a[1].b` is another int"]),
        ("{a: [1, 2]}", "{a: [1]}", ["`data.a[1]` is there"]),
        ("{a: (x)}", "{a: (y)}", ["`data.a[0]` is another symbol"]),
        ("{a: [1]}", "{a: (1)}", ["`data.a` is of type list, not sexp"]),
        ("{a: kg::{b: 1}}", "{a: {b: 1}}", ["`data.a` is another struct"]),
        ("{a: 1, a: 2}", "{a: 1, a: 3}", ["`data.a` is another int"]),
        ("{a: null.struct}", "{a: {}}", ["`data.a` is another struct"]),
        (
            "{a: {b: 1, c: 2}}",
            "{a: {b: 2, c: 3}}",
            ["`data.a.b` is another int", "`data.a.c` is another int"],
        ),
    ],
)
def test_each_difference(best: str, other: str, differences: list[str]) -> None:
    """The path to the field, and the types where these differ."""
    assert differences == told(best, other)


def test_a_part_that_only_one_has() -> None:
    """There or not there; neither is nothing to tell."""
    one = parsed("1")
    assert [] == list(iter_differences(None, None, "data"))
    assert ["MISSING"] == [found.loss for found in iter_differences(one, None, "data")]
    assert ["ADDED"] == [found.loss for found in iter_differences(None, one, "data")]


def test_what_cannot_be_read() -> None:
    """It is told as a whole."""
    broken = IonSlice(b"\xde\xff\x8a", 0, 3, SymbolTable(()))
    [found] = iter_differences(parsed("{a: 1}"), broken, "data")
    assert ("data", "readable, or of other bytes") == (found.path, found.wanted)


def test_very_deep_values() -> None:
    """They are walked to a bound, and end at what contains the rest."""
    deep = "[" * 80
    [found] = told(f"{deep}1{']' * 80}", f"{deep}2{']' * 80}")
    assert "`data" + "[0]" * 50 + "` is another list" == found


@given(ion_values(), ion_values())
def test_equal_values_have_no_differences_and_others_have(a: object, b: object) -> None:
    """Of whatever two values."""
    first, second = to_slice(a), to_slice(b)
    assert (first == second) is not any(iter_differences(first, second, "x"))

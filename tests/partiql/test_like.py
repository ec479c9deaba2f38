"""LIKE where a regular expression would take minutes: bits for each place, with a bound."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql import Context
from qldb_stream.partiql._compare import make_like
from qldb_stream.partiql._context import FIRST_VARIABLE, Evaluate, make_frame
from qldb_stream.partiql._like import LikeTooCostlyError, like_matcher

LONG = "a" * 100_000
ALPHABET = "".join(chr(0x4E00 + place) for place in range(2_000))


def fits(text: str, pattern: str, escape: str = "") -> bool:
    """Match."""
    matcher = like_matcher(text, pattern, escape)
    assert matcher is not None
    return matcher(text)


def always(text: str) -> Evaluate:
    """Make an expression that gives a text."""
    return lambda _: text


@given(
    st.text("ab", max_size=80),
    st.lists(st.sampled_from(["a", "b", "_", "%", "ab_" * 6]), max_size=9).map("".join),
)
def test_both_ways_agree(text: str, pattern: str) -> None:
    """A pattern that is too long for a regular expression gives what one would."""
    plain = "".join({"_": ".", "%": ".*"}.get(one, one) for one in pattern)
    expected = re.fullmatch(plain, text, re.DOTALL) is not None
    assert expected == fits(text, pattern)
    filled = pattern + "c" * 1_100  # the long way
    assert expected == fits(text + "c" * 1_100, filled)
    assert expected == fits("c" * 1_100 + text, "c" * 1_100 + pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        (LONG, "%" + "_" * 49_000 + "x%", False),
        (LONG, "%_" + "a" * 49_000 + "x%", False),
        (LONG, "%_" + "a" * 49_000 + "_%", True),
        (LONG + "x", "%_" + "a" * 49_000 + "_x%", True),
        (LONG, "%_" * 49_000 + "x%", False),
        (LONG, "%_" * 49_000 + "_%", True),
        (LONG, "%a_" * 40_000 + "x%", False),
        (LONG, ("%" + "a" * 18 + "_") * 6_000 + "x%", False),
        (LONG, "a" * 100_000, True),
        (LONG, "a" * 99_999, False),
        (LONG, "%" + "a" * 100_001, False),
        (LONG, "%" + "b" * 2_000 + "%", False),
        (ALPHABET * 50, "%_" + ALPHABET * 25 + "_%", True),
        (ALPHABET * 50, "%" + ALPHABET * 25 + "_x%", False),
        (ALPHABET * 50 + "x" * 17, "%" + ALPHABET[100:] + "_%", True),
        (ALPHABET + "x" * 2_000, "%_" + ALPHABET[100:200] + "x%", False),
    ],
)
def test_long_patterns(text: str, pattern: str, expected: bool) -> None:  # noqa: FBT001 - an outcome
    """Texts and patterns as long as parameters are matched at all, and right."""
    assert expected is fits(text, pattern)


def test_escapes_in_long_patterns() -> None:
    """They mean what they mean in short ones."""
    assert fits("%" * 2_000, "\\%" * 2_000, "\\")
    assert not fits("a" * 2_000, "\\%" * 2_000, "\\")
    assert like_matcher("a", "a" * 2_000 + "\\a", "\\") is None


def test_beyond_all_measure_is_refused() -> None:
    """More steps or places than fit into a statement's time and memory are an error."""
    with pytest.raises(LikeTooCostlyError):
        like_matcher("a" * (1 << 20), "%_" * (1 << 14), "")
    text = ALPHABET * 500
    with pytest.raises(LikeTooCostlyError):
        fits(text, "%_" + ALPHABET * 4 + "_%")


def test_like_tells_its_cost_and_its_place() -> None:
    """What it costs counts as rows; what costs too much is a located error."""
    counted: list[int] = []

    def count(rows: int = 1) -> None:
        counted.append(rows)

    def failure(problem: str) -> PartiqlEvaluationError:
        return PartiqlEvaluationError(1, 2, problem)

    frame = make_frame(Context(None, check=count), FIRST_VARIABLE)  # type: ignore[arg-type]  # no tables
    for pattern, expected in (("a%", True), ("%" + "_" * 4_095, True)):
        like = make_like(always(LONG), always(pattern), None, failure, negated=False)
        assert expected is like(frame)
    assert [100_000 * 2 // 4_096, 100_000] == counted
    like = make_like(always(LONG), always(LONG * 2), None, failure, negated=False)
    with pytest.raises(PartiqlEvaluationError, match="takes too many steps"):
        like(frame)

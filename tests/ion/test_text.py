"""Ion text, through amazon.ion: nothing may change on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IVM, MAX_DEPTH, IonSlice, dumps, iter_text, loads, to_slice, to_text
from qldb_stream.ion._text import _iter_python, _maybe_c_reader


def read(text: str | bytes) -> list[Any]:
    """Decode every value of Ion text."""
    return [value.decode() for value in iter_text(text)]


def test_values_are_read_one_by_one() -> None:
    """Text holds any number of values, with or without a version marker."""
    assert [1, "two", [3.5], {"four": None}] == read('$ion_1_0 1 "two" [3.5e0] {four: null}')
    assert [] == read("")
    assert [] == read(b" // nothing\n")


def test_a_byte_order_mark_is_skipped() -> None:
    """Editors add one to saved digests (facts 7)."""
    assert [1] == read("\ufeff1")
    assert [1] == read("\ufeff1".encode())


TEXTS = ["é", "𝄞", "\x80", "\u0800\uffff\U0010ffff", 'quote " and \\ and \n', "\x0b\x0c\x0e"]


@pytest.mark.parametrize("text", TEXTS)
def test_characters(text: str) -> None:
    """Every character is read as itself, raw or escaped, from str and from UTF-8."""
    written = to_text(to_slice([text]))
    assert [[text]] == read(written)
    assert [[text]] == read(written.encode())
    if text.isprintable() and '"' not in text:
        assert [text] == read(f"'''{text}'''")
        assert [text] == read(f"'''{text}'''".encode())
        assert [{text: 1}] == read(f"{{'''{text}''': 1}}")


ALTERED_BY_C = {
    "1234567890123456789012345678901234567890d-2": Decimal(
        "12345678901234567890123456789012345678.90"
    ),
    "1_2345678901234567890123456789012345678.90": Decimal(
        "12345678901234567890123456789012345678.90"
    ),
    "1d7000": Decimal("1E+7000"),
    "1.5d-65536": Decimal("1.5E-65536"),
    "0d6112": Decimal("0E+6112"),
}


@pytest.mark.parametrize("text", ALTERED_BY_C)
def test_decimals_beyond_decimal128_are_read_exactly(text: str) -> None:
    """Digits and exponents that amazon.ion's C part rounds are kept."""
    (value,) = read(text)
    assert ALTERED_BY_C[text].as_tuple() == value.as_tuple()
    assert None is _maybe_c_reader(text)


def test_fractions_of_a_second_are_read_exactly() -> None:
    """Places beyond the ninth, which amazon.ion's C part cuts, are kept."""
    (value,) = read("2020-01-01T00:00:00.12345678901Z")
    assert Decimal("0.12345678901") == value.fractional_seconds


@given(st.text(st.sampled_from("{}[]()\"':,.0123456789-+TZdeax$_ /*\\né"), max_size=40))
def test_both_parts_of_amazon_ion_agree(text: str) -> None:
    """A text that both parts read whole has the same values to both (the C part takes more)."""
    quick = _values(lambda: _maybe_c_reader(text) or iter([]))
    thorough = _values(lambda: _iter_python(text))
    if _maybe_c_reader(text) is not None and quick is not None and thorough is not None:
        assert thorough == quick


def _values(make_reader: Callable[[], Iterator[Any]]) -> list[IonSlice] | None:
    """Read all values, or None when the reader refuses one."""
    try:
        return [to_slice(value) for value in make_reader()]
    except Exception:  # noqa: BLE001 - the C part raises what it likes
        return None


REFUSED = [
    "{a:1",
    "[1,2",
    '"abc',
    "}",
    "{",
    "1 2 ]",
    "{{abc}}",
    "2020-13-01T",
    "/* abc",
    "é",
    "a.b",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_ion_text_is_refused(text: str) -> None:
    """Broken text is an IonDecodeError, and the message does not quote it."""
    with pytest.raises(IonDecodeError) as caught:
        read("'secret text' " + text)
    assert "secret" not in str(caught.value)
    assert 0 <= caught.value.offset <= len(text) + 14


@pytest.mark.parametrize("text", ["'''a'''/*", "'''a'''//\n/* b", "['''a''' /*"])
def test_text_that_ends_inside_a_comment_is_refused(text: str) -> None:
    """An open comment after a long string, at which amazon.ion reads for ever, is refused."""
    with pytest.raises(IonDecodeError):
        read(text)


def test_values_before_a_broken_one_are_read() -> None:
    """Text is read lazily."""
    values = iter_text("1 [2] }")
    assert [1, [2]] == [next(values).decode() for _ in range(2)]
    with pytest.raises(IonDecodeError):
        next(values)


def test_no_digit_of_a_second_is_cut() -> None:
    """amazon.ion's Python part keeps 28: what stands behind them would be anyone's."""
    moment = "2020-01-01T00:00:00." + "1" * 28
    (kept,) = iter_text(f"a::{moment}Z")
    assert f"a::{moment}Z" == to_text(kept)
    (small,) = iter_text("a::2020-01-01T00:00:00." + "0" * 40 + "1Z")
    assert to_text(small).endswith("0" * 40 + "1Z")
    with pytest.raises(IonDecodeError, match="more than 28 digits"):
        list(iter_text(f"a::{moment}9Z"))


def test_an_error_says_where() -> None:
    """The offset is amazon.ion's, in characters."""
    with pytest.raises(IonDecodeError) as caught:
        read("12345 }")
    assert 7 == caught.value.offset


NO_TEXT = [
    (b"\xff1", "UTF-8"),
    ("\ud800", "UTF-8"),
    (b"12 \xc3", "UTF-8"),
    (IVM + b"\x11", "binary"),
]


@pytest.mark.parametrize(("data", "problem"), NO_TEXT)
def test_what_is_no_text_is_refused(data: str | bytes, problem: str) -> None:
    """Bytes that are not UTF-8, lone surrogates and binary Ion never reach amazon.ion."""
    with pytest.raises(IonDecodeError, match=problem):
        read(data)


def test_depth_is_bounded() -> None:
    """Text that nests deeper than MAX_DEPTH is an IonDecodeError, however deep."""
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(IonDecodeError):
            read("[" * depth + "]" * depth)


def test_huge_ints_are_refused() -> None:
    """Python does not turn more than 4,300 digits into an int; we write them all the same."""
    with pytest.raises(IonDecodeError):
        read("9" * 5000)
    assert 6021 == len(to_text(to_slice(1 << 20_000)))


def test_writing() -> None:
    """A value is written on one line, or indented as asked."""
    value = to_slice({"a": [1, None], "b": "x"})
    assert '{a:[1,null],b:"x"}' == to_text(value).replace(" ", "")
    lines = to_text(value, indent="  ").split("\n")
    assert "  a: [" == lines[1].rstrip()
    assert [loads(dumps(value))] == read("\n".join(lines))


def test_null_and_scalars_are_written() -> None:
    """A lone value of any type is text, without version marker."""
    assert ["null", "1", '"x"'] == [to_text(to_slice(value)) for value in (None, 1, "x")]


@pytest.mark.parametrize("text", ["'$10'", "['$1']", "{'$0':'$2'::'$3'}", "{'':\"\"}"])
def test_a_symbol_that_looks_like_an_id_is_quoted(text: str) -> None:
    """amazon.ion does not quote '$10' and makes another value of it; we quote it."""
    (value,) = iter_text(text)
    assert text == to_text(value)
    assert [value] == list(iter_text(to_text(value, indent=" ")))


def test_symbol_zero_is_written() -> None:
    """The symbol of unknown text is $0."""
    (value,) = iter_text("[$0, a]")
    assert "[$0,a]" == to_text(value).replace(" ", "")

"""The table of losses: of every value that there is, without an error and without an end."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from hypothesis import given

from qldb_stream.ion import HashTree, IonSlice, iter_text, load_slice, to_slice, to_text
from qldb_stream.testing.strategies import ion_values
from qldb_stream.verification._literals import iter_literals
from qldb_stream.verification.diagnosis._candidate import shown_text
from qldb_stream.verification.diagnosis._damage import iter_damage, iter_names, iter_texts
from qldb_stream.verification.diagnosis._losses import LOSSES, iter_losses, kind_of


def parsed(text: str) -> IonSlice:
    """Read one value of Ion text."""
    return next(iter_text(text))


def was(text: str) -> dict[str, list[str]]:
    """Give the first values that a value may have been, in Ion text, by loss."""
    return {
        loss.code: [to_text(to_slice(value), is_part=True) for value in islice(values, 3)]
        for loss, values in iter_losses(parsed(text))
    }


@given(ion_values())
def test_every_value_has_losses_that_can_be_told(value: Any) -> None:
    """Whatever it is: each candidate can be written and hashed."""
    found = to_slice(value)
    if found.ion_type.name in {"LIST", "SEXP", "STRUCT"} and not found.is_null:
        return
    kind_of(found)
    for _, values in iter_losses(found):
        for known in islice(values, 30):
            assert 32 == len(to_slice(known).hash())


@given(ion_values())
def test_every_value_may_have_been_damaged(value: Any) -> None:
    """Bits, digits, texts and names of any value are tried without an error."""
    for node in HashTree(to_slice({"field": value}), limit=100).nodes[1:]:
        for candidate in islice(iter_damage(node), 40):
            candidate.text()
        assert all(candidate.text() for candidate in iter_texts(node))
        assert all(form for _, form in iter_names(node))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("12.5", "DECIMAL"),
        ("0.1234567890123456", "DECIMAL LONG"),
        ('"2020-01-01"', "STRING TIME"),
        ('"12.50"', "STRING NUMBER"),
        ('"aGVsbG8gd29ybGQ="', "STRING BASE64"),
        ('"word"', "STRING"),
        ("null.int", "NULL"),
        ("1e0", "FLOAT"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    """What looks like another type goes with what else looks so."""
    assert kind == kind_of(parsed(text))


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        ("nan", {"FLOAT_FOR_DECIMAL": [], "FLOAT_FOR_INT": []}),
        ("+inf", {"FLOAT_FOR_DECIMAL": [], "FLOAT_FOR_INT": []}),
        ("1e300", {"FLOAT_FOR_DECIMAL": [], "FLOAT_FOR_INT": []}),
        ("1d500", {"DECIMAL_FOR_FLOAT": [], "DECIMAL_PLACES": [], "DECIMAL_FOR_INT": []}),
    ],
)
def test_numbers_beyond_measure(text: str, losses: dict[str, list[str]]) -> None:
    """What no business writes is not tried in a hundred forms, and nothing breaks on it."""
    assert losses == was(text)


@pytest.mark.parametrize("text", ["2020-02-31", "2020-13-01T00:00:00Z", "2020-01-01T25:00Z"])
def test_times_that_do_not_exist(text: str) -> None:
    """They are strings, and were."""
    assert [] == was(f'"{text}"')["STRING_FOR_TIMESTAMP"]


def test_times_at_the_end_of_time() -> None:
    """Offsets that would lead beyond the years there are, are left out."""
    for text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"):
        ((_, values),) = iter_losses(parsed(text))
        assert all(to_slice(value).hash() for value in values)


def test_texts_and_bytes_that_are_no_other() -> None:
    """No clob is beyond Latin-1, no string is no UTF-8, and no base64 is of odd length."""
    assert [] == was('"€"')["STRING_FOR_CLOB"]
    assert [] == was("{{/w==}}")["BLOB_FOR_STRING"]
    assert [] == was('"aGVsbG8gd29ybGQ"')["STRING_FOR_BLOB"]
    assert [] == was('"word"')["STRING_FOR_NUMBER"]
    assert 12 == len(list(dict(iter_losses_of("null.int"))["NULL_TYPE"]))


def iter_losses_of(text: str) -> list[tuple[str, list[Any]]]:
    """Give the losses of a value by code."""
    return [(loss.code, list(values)) for loss, values in iter_losses(parsed(text))]


def test_a_symbol_without_text() -> None:
    """It was no string."""
    value = load_slice(b"\xe0\x01\x00\xea\x70")
    assert [("SYMBOL_FOR_STRING", [])] == [
        (loss.code, list(values)) for loss, values in iter_losses(value)
    ]


def test_each_code_is_there_once() -> None:
    """Codes are stable, and tell one loss each."""
    codes = [loss.code for loss in LOSSES]
    assert sorted(set(codes)) == sorted(codes)


def test_long_values_are_shown_by_their_beginning() -> None:
    """A report is no place for a novel."""
    assert "x" * 200 + "..." == shown_text("x" * 999)
    assert "12.50" == shown_text(parsed("12.50"))


def test_literals_of_a_statement() -> None:
    """Strings, numbers of both signs, Ion literals and words; names and damaged Ion are none."""
    text = """UPDATE "T" SET a = 'it''s', b = 7, c = -1.50, d = `2020T`, e = `{`, f = TRUE,
        g7 = null"""
    found = list(iter_literals(text, 20))
    expected = ["it's", 7, -7, Decimal("1.50"), Decimal("-1.50"), parsed("2020T"), True, None]
    assert [to_slice(value) for value in expected] == found
    assert 1 == len(list(iter_literals("'a' 'b'", 1)))
    assert [] == list(iter_literals(f"`{'x' * 5000}`", 5))
    assert ["0"] == [to_text(value) for value in iter_literals("LIMIT 0", 5)]

"""Statements in a text: where they end, and what they ask for."""

from __future__ import annotations

import pytest

from qldb_stream.errors import PartiqlParseError
from qldb_stream.partiql import StatementText, split_statements


@pytest.mark.parametrize("text", ["", " \n", ";", " ; ;; ", "-- nothing", "/* ; */ ;"])
def test_nothing(text: str) -> None:
    """A text without tokens has no statement, however many semicolons."""
    assert [] == list(split_statements(text))


def test_statements_and_what_they_ask_for() -> None:
    """Each statement is cut out with its offset, its parameters, and whether it was ended."""
    text = "SELECT 1;\n INSERT INTO t << ?, ? >> ; SELECT ?"
    expected = [
        StatementText("SELECT 1", 0, 0, ended=True),
        StatementText("INSERT INTO t << ?, ? >>", 11, 2, ended=True),
        StatementText("SELECT ?", 38, 1, ended=False),
    ]

    assert expected == list(split_statements(text))


def test_what_is_quoted_is_whole() -> None:
    """Semicolons and question marks in strings, names, Ion and comments end and ask nothing."""
    text = 'SELECT \';?\', "a;?", `{b:";?"}` -- ;?\n FROM t /* ;? */ WHERE a = ?;'
    statement, *rest = split_statements(text)

    assert [] == rest
    assert (1, True, text[:-1]) == (statement.parameters, statement.ended, statement.text)


def test_a_quote_that_is_not_closed() -> None:
    """What starts no token is an error, located in the whole text."""
    with pytest.raises(PartiqlParseError) as caught:
        list(split_statements("SELECT 1;\nSELECT 'abc"))

    assert (2, 8) == (caught.value.line, caught.value.column)

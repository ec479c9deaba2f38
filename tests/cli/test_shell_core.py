"""The shell without a terminal: when an input is complete, and what it asks for."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from qldb_stream.cli._shell_core import (
    HELP,
    WORDS,
    Action,
    Command,
    Explain,
    Run,
    Say,
    SetFormat,
    SetTiming,
    is_complete,
    point_at,
    read_input,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "SELECT 1;",
        "SELECT 1; -- done",
        "SELECT *\nFROM t;",
        "SELECT *\nFROM t\n",
        "SELECT 'open\n ",
        "help",
        "Start  Transaction",
        "commit;",
        "\\format json",
        "\\nonsense",
        "\\explain SELECT 1;",
        "\\explain SELECT 1\n",
        ";",
        "-- only this;",
    ],
)
def test_complete(text: str) -> None:
    """A semicolon, an empty line, a word of the shell's and nothing at all end an input."""
    assert is_complete(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT *\nFROM t",
        "SELECT ';'",
        "SELECT 1; SELECT 2",
        "SELECT 'open;",
        "start",
        "\\explain SELECT",
    ],
)
def test_incomplete(text: str) -> None:
    """All else waits for more, a semicolon inside a quote and a second statement included."""
    assert not is_complete(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("SELECT 1;", [Run("SELECT 1")]),
        ("SELECT 1; SELECT\n2\n", [Run("SELECT 1"), Run("SELECT\n2")]),
        ("begin; SELECT 1; commit;", [Command.BEGIN, Run("SELECT 1"), Command.COMMIT]),
        ("START  transaction", [Command.BEGIN]),
        ("abort", [Command.ABORT]),
        ("ROLLBACK;", [Command.ABORT]),
        ("exit", [Command.QUIT]),
        ("quit;", [Command.QUIT]),
        ("\\q", [Command.QUIT]),
        ("help", [Say(HELP)]),
        ("\\?", [Say(HELP)]),
        ("\\format ion", [SetFormat("ion")]),
        ("\\FORMAT Table", [SetFormat("table")]),
        ("\\timing off", [SetTiming(on=False)]),
        ("\\timing on", [SetTiming(on=True)]),
        ("\\explain SELECT\n1; SELECT 2;", [Explain("SELECT\n1"), Explain("SELECT 2")]),
        ("\\explain", []),
        ("\\nonsense now", [Say("there is no command \\nonsense; HELP lists them\n")]),
        ("\\format csv", [Say("\\format takes one of: table, ion, json\n")]),
        ("\\Timing", [Say("\\timing takes one of: on, off\n")]),
    ],
)
def test_what_is_asked_for(text: str, expected: list[Action]) -> None:
    """An input is statements and the shell's own words, in order."""
    assert expected == list(read_input(text))


def test_show_tables() -> None:
    """`SHOW TABLES` is a statement on the catalog."""
    (action,) = read_input("show tables;")

    assert isinstance(action, Run)
    assert "information_schema.user_tables" in action.text


def test_a_quote_that_is_not_closed_is_shown() -> None:
    """What starts no token is told with a caret, and nothing of the input runs."""
    (action,) = read_input("SELECT 1;\nSELECT 'abc\n")

    assert isinstance(action, Say)
    assert "\n  SELECT 'abc\n         ^\n" in action.text


def test_too_much_at_once() -> None:
    """A file pasted by mistake is refused."""
    (action,) = read_input("SELECT 1;" * 200_000)

    assert isinstance(action, Say)
    assert "1,000,000" in action.text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No: line 1, column 1: x", "No: line 1, column 1: x\n  SELECT *\n  ^\n"),
        ("at line 2, column 6", "at line 2, column 6\n   FROM t\n       ^\n"),
        ("line 2, column 8", "line 2, column 8\n   FROM t\n         ^\n"),
        ("line 2, column 9", "line 2, column 9\n"),
        ("line 3, column 1", "line 3, column 1\n"),
        ("line 0, column 1", "line 0, column 1\n"),
        ("No open transaction", "No open transaction\n"),
    ],
)
def test_the_caret(message: str, expected: str) -> None:
    """The caret stands under the column that a message names, where there is one."""
    assert expected == point_at("SELECT *\n\tFROM t", message)


@given(st.text("SELECT 'a;`\"\\\n-/*?", max_size=40))
def test_any_text(text: str) -> None:
    """Any text is complete or not, and is read without an error."""
    is_complete(text)
    list(read_input(text))


@pytest.mark.parametrize("word", WORDS)
def test_the_words_are_understood(word: str) -> None:
    """Each word that is offered for completion does something that is no statement of PartiQL."""
    if word == "\\explain":
        assert [Explain("SELECT 1")] == list(read_input(f"{word} SELECT 1;"))
        return
    (action,) = read_input(word)

    assert isinstance(action, Run) == (word == "SHOW TABLES")

from __future__ import annotations

import pytest

from qldb_stream.errors import PartiqlParseError
from qldb_stream.partiql import locate
from qldb_stream.partiql._lexer import tokenize
from qldb_stream.partiql._words import RESERVED_WORDS

END_TWICE = ["end of statement"] * 2


def test_words_of_every_case() -> None:
    """A reserved word is one in any case, and other words keep their spelling."""
    tokens = tokenize("select SeLeCt SELECT Vin")
    assert ["SELECT", "SELECT", "SELECT", "identifier", *END_TWICE] == tokens.kinds
    assert "Vin" == tokens.values[3]


def test_comments_and_white_space() -> None:
    """Both kinds of comment and all white space separate tokens and leave no trace."""
    tokens = tokenize("-- one\n/* two * / three **/ a\t/**/\r\n.b--end")
    assert ["a", ".", "b", ""] == tokens.values


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("'it''s'", "string", "it's"),
        ("''", "string", ""),
        ('"a ""b"""', "quoted identifier", 'a "b"'),
        ("`{a: \"x`y\", b: '`'}`", "ion literal", "{a: \"x`y\", b: '`'}"),
        ("12", "number", "12"),
        ("1.50", "number", "1.50"),
        (".5", "number", ".5"),
        ("1e-3", "number", "1e-3"),
        ("<<", "<<", "<<"),
        ("||", "||", "||"),
        ("!=", "!=", "!="),
    ],
)
def test_token(text: str, kind: str, value: str) -> None:
    """Each kind of token is read whole, its quotes undone."""
    tokens = tokenize(text)
    assert [kind, *END_TWICE] == tokens.kinds
    assert value == tokens.values[0]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a 'b", 1, 3, "unterminated literal or quoted name, it starts with '"),
        ('\n"b', 2, 1, 'unterminated literal or quoted name, it starts with "'),
        ("a\n  `{", 2, 3, "unterminated literal or quoted name, it starts with `"),
        ("a ~ b", 1, 3, "invalid character, U+007E"),
        ("12ab", 1, 1, "invalid number, it runs into a name"),
    ],
)
def test_no_token(text: str, line: int, column: int, problem: str) -> None:
    """What starts no token is an error at its place, and its text is not repeated."""
    with pytest.raises(PartiqlParseError) as caught:
        tokenize(text)
    assert PartiqlParseError(line, column, problem) == caught.value


def test_hostile_comment_is_linear() -> None:
    """A hundred thousand characters that nearly close a comment take no time to speak of."""
    with pytest.raises(PartiqlParseError):
        tokenize("/*" + "*" * 100_000 + "'")


def test_locate() -> None:
    """Lines and columns count from 1."""
    assert [(1, 1), (1, 2), (2, 1), (2, 3)] == [locate("a\nbcd", pos) for pos in (0, 1, 2, 4)]


def test_reserved_words_of_the_facts() -> None:
    """The words that facts 5.6 adds to SQL-92's are all there."""
    added = "BAG BLOB CLOB DATE_ADD INDEX LIMIT MISSING PIVOT REMOVE TXID UNDROP UTCNOW EXEC"
    assert set(added.split()) <= RESERVED_WORDS
    assert {"ABSOLUTE", "ZONE", "YEAR", "VALUE"} <= RESERVED_WORDS

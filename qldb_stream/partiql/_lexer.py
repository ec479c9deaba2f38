"""
Statement text -> tokens, as three parallel tuples.

One regular expression finds a token and skips the white space and comments before
it. A token's kind is its own text for punctuation, the upper-case word for a
reserved word, and one of the lower-case kinds below for everything else, so that
the parser's tables are keyed by kind alone and no kind can be mistaken for another.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from qldb_stream.errors import PartiqlParseError
from qldb_stream.partiql._words import WORDS

IDENT: Final = "identifier"
QUOTED: Final = "quoted identifier"
STRING: Final = "string"
NUMBER: Final = "number"
ION: Final = "ion literal"
END: Final = "end of statement"

# Possessive quantifiers keep a hostile text linear: nothing is ever tried twice.
_TOKEN: Final = re.compile(
    r"""(?:\s++|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+(?:
      ([A-Za-z_$][A-Za-z0-9_$]*+)
    | (<<|>>|<=|>=|<>|!=|\|\||[=<>+\-*/%()\[\]{},:;?@]|\.(?![0-9]))
    | '([^']*+(?:''[^']*+)*+)'
    | ((?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?(?![A-Za-z0-9_$]))
    | "([^"]*+(?:""[^"]*+)*+)"
    | `((?:[^`"']|"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')*+)`
    | (\Z)
    | (.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORD: Final = 1
_PUNCTUATION: Final = 2
_STRING: Final = 3
_QUOTED: Final = 5
_NUMBER: Final = 4
_END: Final = 7
_KINDS: Final = ("", IDENT, "", STRING, NUMBER, QUOTED, ION, END, "")


@attrs.frozen
class Tokens:
    """What stands in a statement: the n-th token's kind, value and offset."""

    kinds: list[str]
    values: list[str]
    starts: list[int]


def tokenize(text: str) -> Tokens:
    """
    Cut a statement into tokens; the last one is always END, its kind stands there twice.

    Raises:
        PartiqlParseError: a character that starts no token, or a quote not closed.

    """
    kinds: list[str] = []
    values: list[str] = []
    starts: list[int] = []
    words = WORDS
    for match in _TOKEN.finditer(text):
        index = match.lastindex or 0
        value = match[index]
        start = match.start(index)
        if index == _PUNCTUATION:
            kind = value
        elif index == _WORD:
            kind = words.get(value) or words.get(value.upper()) or IDENT
        elif index <= _END:
            kind = _KINDS[index]
            if index not in (_NUMBER, _END):
                start -= 1
                value = _unescape(index, value)
        else:
            raise _bad_character(text, start, value)
        kinds.append(kind)
        values.append(value)
        starts.append(start)
        if index == _END:
            break
    kinds.append(END)  # so that the token after any token can be looked at
    return Tokens(kinds, values, starts)


def locate(text: str, pos: int) -> tuple[int, int]:
    """Turn an offset into (line, column), both counted from 1."""
    return text.count("\n", 0, pos) + 1, pos - text.rfind("\n", 0, pos)


def _unescape(index: int, value: str) -> str:
    """Undo the doubling of quotes inside a string or a quoted identifier."""
    if index == _STRING:
        return value.replace("''", "'")
    if index == _QUOTED:
        return value.replace('""', '"')
    return value


def _bad_character(text: str, pos: int, value: str) -> PartiqlParseError:
    """Say what cannot be read: quotes without end are named, text is never quoted."""
    line, column = locate(text, pos)
    if value in "'\"`":
        problem = f"unterminated literal or quoted name, it starts with {value}"
    elif value.isdigit():
        problem = "invalid number, it runs into a name"
    else:
        problem = f"invalid character, U+{ord(value):04X}"
    return PartiqlParseError(line, column, problem)

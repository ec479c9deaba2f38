"""Cut a text into statements at its semicolons; strings, quoted names and comments are whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from qldb_stream.partiql._lexer import END, tokenize

__all__ = ["StatementText", "split_statements"]

_SEMICOLON: Final = ";"
_PARAMETER: Final = "?"


@attrs.frozen
class StatementText:
    """
    One of the statements in a text.

    Attributes:
        text: from its first token up to the semicolon, without it.
        start: its offset in the whole text.
        parameters: how many `?` it has.
        ended: a semicolon follows.
    """

    text: str
    start: int
    parameters: int
    ended: bool


def split_statements(text: str) -> Iterator[StatementText]:
    """
    Cut a text into statements; what is empty between semicolons is left out.

    Raises:
        PartiqlParseError: something in the text starts no token, as a quote that is not
            closed; line and column are those of the whole text.
    """
    tokens = tokenize(text)
    first = 0
    for index, kind in enumerate(tokens.kinds[:-1]):
        if kind not in {_SEMICOLON, END}:
            continue
        if index > first:
            start, end = tokens.starts[first], tokens.starts[index]
            inner = tokens.kinds[first:index]
            yield StatementText(
                text[start:end].rstrip(), start, inner.count(_PARAMETER), kind == _SEMICOLON
            )
        first = index + 1

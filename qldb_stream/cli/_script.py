"""
The statements of one text, and where in it an error is.

Who runs a statement, we or a server, counts lines from that statement's beginning; who wrote
the text looks for the line of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from qldb_stream.cli._shell_core import PLACE
from qldb_stream.errors import (
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    StatementError,
    UnsupportedPartiqlError,
)
from qldb_stream.ion import IonSlice

__all__ = ["Bound", "Script"]

# What is one statement's fault; a conflict or a file's damage is none's.
_FAULTS: Final = (
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    StatementError,
    UnsupportedPartiqlError,
)


@attrs.frozen
class Bound:
    """
    A statement with its parameters.

    Attributes:
        text: the statement.
        start: its offset in the whole text.
        parameters: a value for each `?`.
    """

    text: str
    start: int
    parameters: Sequence[IonSlice]


class Script:
    """Gives its statements in order, as often as asked, and knows which one is at work."""

    def __init__(self, text: str, statements: Sequence[Bound]) -> None:
        self._text: Final = text
        self._statements: Final = statements
        self._at: int | None = None

    def __iter__(self) -> Iterator[Bound]:
        for at, statement in enumerate(self._statements):
            self._at = at
            yield statement
        self._at = None

    @contextmanager
    def located(self) -> Iterator[None]:
        """
        Name in a `with` the statement that is at fault, and its place in the whole text.

        Raises:
            StatementError: one failed.
        """
        try:
            yield
        except _FAULTS as exc:
            if self._at is None:
                raise
            raise StatementError(self._name(self._at, str(exc))) from exc

    def _name(self, at: int, message: str) -> str:
        before = self._text[: self._statements[at].start]
        lines, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)

        def shift(place: re.Match[str]) -> str:
            line = int(place[1])
            return f"line {line + lines}, column {int(place[2]) + (column if line == 1 else 0)}"

        total = len(self._statements)
        which = "" if total == 1 else f"statement {at + 1} of {total}, line {lines + 1}: "
        return which + PLACE.sub(shift, message, count=1)

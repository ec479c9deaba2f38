"""
Which name means what, decided once when a statement is compiled.

A name is, in this order: a variable in scope (FROM alias, AT or BY variable; innermost
first, exact spelling before the other case), else a field of what the FROM clause
ranges over (with several sources: of the first that has it). A name in a FROM clause
that is no variable is a table. Facts 5.4 ("Case"), working.nested for `@`.
"""

from __future__ import annotations

from typing import NoReturn

import attrs

from qldb_stream.errors import (
    PartiqlEvaluationError,
    PartiqlSemanticError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql._context import FIRST_VARIABLE, Evaluate, TableRef
from qldb_stream.partiql._lexer import locate
from qldb_stream.partiql.ast import Expr, Identifier


@attrs.frozen
class Variable:
    """A name bound by a FROM clause, and its place in the frame."""

    name: str
    slot: int
    is_source: bool = True
    explicit: bool = True
    table: TableRef | None = None
    by_of: int | None = None  # slot of the source whose document id this is


@attrs.frozen
class AggregateCall:
    """An aggregate of a SELECT list: what to fold, and where the result goes."""

    name: str
    argument: Evaluate | None
    slot: int
    line: int
    column: int


class Scope:
    """The variables in scope while a statement is compiled, and the frame's size so far."""

    __slots__ = ("aggregates", "size", "text", "variables")

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = FIRST_VARIABLE
        self.variables: list[Variable] = []
        # Where aggregates may stand, the list they are put in.
        self.aggregates: list[AggregateCall] | None = None

    def reserve(self) -> int:
        """Take two places of the frame: the raw value and the decoded one."""
        self.size += 2
        return self.size - 2

    def find(self, name: str, *, case_sensitive: bool) -> Variable | None:
        """Find the variable that a name means, innermost first."""
        for variable in reversed(self.variables):
            if variable.name == name:
                return variable
        if case_sensitive:
            return None
        folded = name.lower()
        for variable in reversed(self.variables):
            if variable.name.lower() == folded:
                return variable
        return None

    def variable_of(self, expr: Expr) -> Variable | None:
        """Find the variable that an expression is, if it is one."""
        if not isinstance(expr, Identifier):
            return None
        return self.find(expr.name, case_sensitive=expr.case_sensitive)

    def sources(self) -> list[Variable]:
        """List what a name that is no variable may be a field of, innermost first."""
        return [variable for variable in reversed(self.variables) if variable.is_source]

    def locate(self, pos: int) -> tuple[int, int]:
        """Turn an offset into (line, column)."""
        return locate(self.text, pos)

    def reject(self, pos: int, problem: str) -> NoReturn:
        """Raise a located PartiqlSemanticError."""
        raise PartiqlSemanticError(*self.locate(pos), problem)

    def refuse(self, pos: int, feature: str) -> NoReturn:
        """Raise a located UnsupportedPartiqlError."""
        raise UnsupportedPartiqlError(*self.locate(pos), feature)

    def failure(self, pos: int, problem: str) -> PartiqlEvaluationError:
        """Build a located error for an execution to raise."""
        return PartiqlEvaluationError(*self.locate(pos), problem)

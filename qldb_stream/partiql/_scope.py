"""
Which name means what, decided once when a statement is compiled.

A name is, in this order: a variable in scope (FROM alias, AT or BY variable; innermost
first, exact spelling before the other case), else a field of what the FROM clause
ranges over (with several sources: of the first that has it). Where only the case tells a
name from a source that was given no alias, as `i` from a table `I`, a field of exactly that
spelling comes first, row by row (facts 5.4: exact match first). A name that stands alone in
a FROM clause is a table, unless a variable is spelled exactly so: tables are written in
their own case, and `FROM A AS a, A AS b` names one twice. Facts 5.4 ("Case"),
working.nested for `@`.
"""

from __future__ import annotations

from typing import NoReturn

import attrs

from qldb_stream.errors import (
    PartiqlEvaluationError,
    PartiqlSemanticError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql._context import FIRST_VARIABLE, Evaluate, SourceAccess, TableRef
from qldb_stream.partiql._lexer import locate
from qldb_stream.partiql.ast import Expr, FieldStep, Identifier, Path, Step


@attrs.frozen
class Variable:
    """A name bound by a FROM clause, and its place in the frame."""

    name: str
    slot: int
    is_source: bool = True
    explicit: bool = True
    table: TableRef | None = None
    by_of: int | None = None  # slot of the source whose document id this is
    origin: Origin | None = None


@attrs.frozen
class Origin:
    """
    Where a nested collection's elements stand: a path in another source's row.

    It begins with the field `exact`, where the row has one that is spelled so.
    """

    parent: Variable
    steps: tuple[Step, ...]
    position_slot: int  # the element's ordinal; MISSING for what is no list
    exact: str | None = None


@attrs.frozen
class AggregateCall:
    """An aggregate of a SELECT list: what to fold, and where the result goes."""

    name: str
    argument: Evaluate | None
    slot: int
    line: int
    column: int
    distinct: bool = False


@attrs.frozen
class Grouping:
    """
    What GROUP BY left visible: the keys, by how they are spelled, and their places.

    `rows` are the variables of single rows, which only aggregates still see.
    """

    rows: list[Variable]
    slots: dict[str, int]

    def maybe_slot(self, expr: Expr) -> int | None:
        """Find the place of the key that an expression is, if it is one."""
        return self.slots.get(spelling(expr, self.rows))


def spelling(expr: Expr, variables: list[Variable]) -> str:
    """Spell an expression so that `a` and `t.a` over a single source `t` are the same."""
    root = expr.root if isinstance(expr, Path) else expr
    if not isinstance(root, Identifier):
        return repr(expr)
    steps = expr.steps if isinstance(expr, Path) else ()
    variable = _find(variables, root.name, case_sensitive=root.case_sensitive)
    if variable is not None and _may_be_field(root, variable):
        return repr((root.name, "a field or a source", steps))
    if variable is None:
        steps = (FieldStep(root.name, root.case_sensitive), *steps)
        sources = [found for found in variables if found.is_source]
        variable = sources[0] if len(sources) == 1 else None
    return repr((None if variable is None else variable.name, steps))


def _find(variables: list[Variable], name: str, *, case_sensitive: bool) -> Variable | None:
    """Find the variable that a name means, innermost first."""
    for variable in reversed(variables):
        if variable.name == name:
            return variable
    if case_sensitive:
        return None
    folded = name.lower()
    for variable in reversed(variables):
        if variable.name.lower() == folded:
            return variable
    return None


def _may_be_field(name: Identifier, variable: Variable) -> bool:
    """Tell whether a name that means a variable means a field of its spelling before."""
    return not (variable.explicit or name.lexical or variable.name == name.name)


class Scope:
    """The variables in scope while a statement is compiled, and the frame's size so far."""

    __slots__ = ("accesses", "aggregates", "depth", "grouping", "size", "text", "variables")

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = FIRST_VARIABLE
        self.variables: list[Variable] = []
        # Where aggregates may stand, the list they are put in.
        self.aggregates: list[AggregateCall] | None = None
        # Behind GROUP BY, what it left visible.
        self.grouping: Grouping | None = None
        # How each source is reached, in nesting order, and how many queries are around.
        self.accesses: list[SourceAccess] = []
        self.depth = 0

    def reserve(self) -> int:
        """Take two places of the frame: the raw value and the decoded one."""
        self.size += 2
        return self.size - 2

    def find(self, name: str, *, case_sensitive: bool) -> Variable | None:
        """Find the variable that a name means, innermost first."""
        return _find(self.variables, name, case_sensitive=case_sensitive)

    def is_hidden(self, expr: Identifier) -> bool:
        """Tell whether a name is one that GROUP BY hides."""
        if self.grouping is None:
            return False
        rows, case_sensitive = self.grouping.rows, expr.case_sensitive
        found = _find(rows, expr.name, case_sensitive=case_sensitive)
        return found is not None or not self.sources()

    def variable_of(self, expr: Expr) -> Variable | None:
        """Find the variable that an expression is, if it is one."""
        if not isinstance(expr, Identifier):
            return None
        return self.find(expr.name, case_sensitive=expr.case_sensitive)

    def may_be_field(self, expr: Expr) -> bool:
        """Tell whether a name that means a variable means a field of its spelling before."""
        variable = self.variable_of(expr)
        return (
            variable is not None and isinstance(expr, Identifier) and _may_be_field(expr, variable)
        )

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

"""Expressions, and what every node is made of."""

from __future__ import annotations

from typing import Any

import attrs


def node_pos() -> int:
    """Declare the offset field that every node ends with."""
    return attrs.field(default=0, eq=False, repr=False, kw_only=False)


@attrs.frozen
class Node:
    """Anything that stands in a syntax tree."""


@attrs.frozen
class Expr(Node):
    """A node that has a value."""


@attrs.frozen
class Statement(Node):
    """A node that can be executed."""


@attrs.frozen
class Literal(Expr):
    """A constant: None, bool, int, Decimal, str or MISSING."""

    value: Any
    pos: int = node_pos()


@attrs.frozen
class IonLiteral(Expr):
    """A value in back-ticks; `value` is its IonSlice, `text` what stood between them."""

    text: str
    value: Any = attrs.field(eq=False, repr=False)
    pos: int = node_pos()


@attrs.frozen
class Parameter(Expr):
    """A `?`; `index` counts from 0 in the order of the text."""

    index: int
    pos: int = node_pos()


@attrs.frozen
class Identifier(Expr):
    """A name; `lexical` when written with `@` (never a table then)."""

    name: str
    case_sensitive: bool = False
    lexical: bool = False
    pos: int = node_pos()


@attrs.frozen
class Step(Node):
    """One step of a path."""


@attrs.frozen
class FieldStep(Step):
    """`.name` or `."name"`."""

    name: str
    case_sensitive: bool = False
    pos: int = node_pos()


@attrs.frozen
class IndexStep(Step):
    """`[expr]`: an ordinal from 0, or a field name when the value is a string."""

    index: Expr
    pos: int = node_pos()


@attrs.frozen
class WildcardStep(Step):
    """`[*]` (every element) or `.*` (every member's value, `fields` true)."""

    fields: bool
    pos: int = node_pos()


@attrs.frozen
class Path(Expr):
    """A root and at least one step."""

    root: Expr
    steps: tuple[Step, ...]
    pos: int = node_pos()


@attrs.frozen
class Unary(Expr):
    """`NOT`, `-` or `+` before an operand."""

    operator: str
    operand: Expr
    pos: int = node_pos()


@attrs.frozen
class Binary(Expr):
    """Arithmetic, `||` or a comparison (`!=` is stored as `<>`)."""

    operator: str
    left: Expr
    right: Expr
    pos: int = node_pos()


@attrs.frozen
class Logical(Expr):
    """`AND` or `OR` over two or more operands, flat so that long chains stay shallow."""

    operator: str
    operands: tuple[Expr, ...]
    pos: int = node_pos()


@attrs.frozen
class In(Expr):
    """`value [NOT] IN collection`."""

    value: Expr
    collection: Expr
    negated: bool = False
    pos: int = node_pos()


@attrs.frozen
class Is(Expr):
    """`value IS [NOT] type`; the type's name in upper case."""

    value: Expr
    type_name: str
    negated: bool = False
    pos: int = node_pos()


@attrs.frozen
class Between(Expr):
    """`value [NOT] BETWEEN low AND high`, both ends included."""

    value: Expr
    low: Expr
    high: Expr
    negated: bool = False
    pos: int = node_pos()


@attrs.frozen
class Like(Expr):
    """`value [NOT] LIKE pattern [ESCAPE escape]`."""

    value: Expr
    pattern: Expr
    escape: Expr | None = None
    negated: bool = False
    pos: int = node_pos()


@attrs.frozen
class ListExpr(Expr):
    """`[a, b]`, or `(a, b)` after IN."""

    items: tuple[Expr, ...]
    pos: int = node_pos()


@attrs.frozen
class BagExpr(Expr):
    """`<< a, b >>`."""

    items: tuple[Expr, ...]
    pos: int = node_pos()


@attrs.frozen
class StructExpr(Expr):
    """`{ key: value, ... }`; keys are expressions that must give text."""

    members: tuple[tuple[Expr, Expr], ...]
    pos: int = node_pos()


@attrs.frozen
class Call(Expr):
    """A function call; `keyword` is a date part, or where TRIM trims."""

    name: str
    arguments: tuple[Expr, ...]
    keyword: str | None = None
    pos: int = node_pos()


@attrs.frozen
class Cast(Expr):
    """`CAST(value AS type)`; the type's name in upper case."""

    value: Expr
    type_name: str
    pos: int = node_pos()


@attrs.frozen
class Aggregate(Expr):
    """AVG, COUNT, MAX, MIN or SUM; no argument means `COUNT(*)`."""

    name: str
    argument: Expr | None
    distinct: bool = False
    pos: int = node_pos()


@attrs.frozen
class Case(Expr):
    """
    `CASE [operand] WHEN a THEN b ... [ELSE otherwise] END`; an extension.

    Without an operand each `a` is a condition, else what the operand must equal.
    """

    operand: Expr | None
    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr | None = None
    pos: int = node_pos()

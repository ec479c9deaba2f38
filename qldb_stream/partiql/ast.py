"""
The syntax tree of a PartiQL statement: frozen values, nothing else.

Every node carries `pos`, the offset of its first character in the statement text,
so that whatever is found wrong later can still be located. `pos` takes no part in
equality: two trees are equal when their statements mean the same. Names are kept
as written, without their quotes; `case_sensitive` says that there were quotes.
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = [
    "Aggregate",
    "Assignment",
    "BagExpr",
    "Between",
    "Binary",
    "Call",
    "Cast",
    "CreateIndex",
    "CreateTable",
    "Delete",
    "DropIndex",
    "DropTable",
    "Exec",
    "Expr",
    "FieldStep",
    "History",
    "Identifier",
    "In",
    "IndexStep",
    "Insert",
    "InsertInto",
    "IonLiteral",
    "Is",
    "Like",
    "ListExpr",
    "Literal",
    "Logical",
    "Modify",
    "Node",
    "Operation",
    "Parameter",
    "Path",
    "Remove",
    "Select",
    "SelectAll",
    "SelectItem",
    "SetFields",
    "Source",
    "Statement",
    "Step",
    "StructExpr",
    "Unary",
    "UndropTable",
    "WildcardStep",
]


def _pos() -> int:
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


# --- expressions ---------------------------------------------------------------------------


@attrs.frozen
class Literal(Expr):
    """A constant: None, bool, int, Decimal, str or MISSING."""

    value: Any
    pos: int = _pos()


@attrs.frozen
class IonLiteral(Expr):
    """A value in back-ticks; `value` is its IonSlice, `text` what stood between them."""

    text: str
    value: Any = attrs.field(eq=False, repr=False)
    pos: int = _pos()


@attrs.frozen
class Parameter(Expr):
    """A `?`; `index` counts from 0 in the order of the text."""

    index: int
    pos: int = _pos()


@attrs.frozen
class Identifier(Expr):
    """A name; `lexical` when written with `@` (never a table then)."""

    name: str
    case_sensitive: bool = False
    lexical: bool = False
    pos: int = _pos()


@attrs.frozen
class Step(Node):
    """One step of a path."""


@attrs.frozen
class FieldStep(Step):
    """`.name` or `."name"`."""

    name: str
    case_sensitive: bool = False
    pos: int = _pos()


@attrs.frozen
class IndexStep(Step):
    """`[expr]`: an ordinal from 0, or a field name when the value is a string."""

    index: Expr
    pos: int = _pos()


@attrs.frozen
class WildcardStep(Step):
    """`[*]` (every element) or `.*` (every member's value, `fields` true)."""

    fields: bool
    pos: int = _pos()


@attrs.frozen
class Path(Expr):
    """A root and at least one step."""

    root: Expr
    steps: tuple[Step, ...]
    pos: int = _pos()


@attrs.frozen
class Unary(Expr):
    """`NOT`, `-` or `+` before an operand."""

    operator: str
    operand: Expr
    pos: int = _pos()


@attrs.frozen
class Binary(Expr):
    """Arithmetic, `||` or a comparison (`!=` is stored as `<>`)."""

    operator: str
    left: Expr
    right: Expr
    pos: int = _pos()


@attrs.frozen
class Logical(Expr):
    """`AND` or `OR` over two or more operands, flat so that long chains stay shallow."""

    operator: str
    operands: tuple[Expr, ...]
    pos: int = _pos()


@attrs.frozen
class In(Expr):
    """`value [NOT] IN collection`."""

    value: Expr
    collection: Expr
    negated: bool = False
    pos: int = _pos()


@attrs.frozen
class Is(Expr):
    """`value IS [NOT] type`; the type's name in upper case."""

    value: Expr
    type_name: str
    negated: bool = False
    pos: int = _pos()


@attrs.frozen
class Between(Expr):
    """`value [NOT] BETWEEN low AND high`, both ends included."""

    value: Expr
    low: Expr
    high: Expr
    negated: bool = False
    pos: int = _pos()


@attrs.frozen
class Like(Expr):
    """`value [NOT] LIKE pattern [ESCAPE escape]`."""

    value: Expr
    pattern: Expr
    escape: Expr | None = None
    negated: bool = False
    pos: int = _pos()


@attrs.frozen
class ListExpr(Expr):
    """`[a, b]`, or `(a, b)` after IN."""

    items: tuple[Expr, ...]
    pos: int = _pos()


@attrs.frozen
class BagExpr(Expr):
    """`<< a, b >>`."""

    items: tuple[Expr, ...]
    pos: int = _pos()


@attrs.frozen
class StructExpr(Expr):
    """`{ key: value, ... }`; keys are expressions that must give text."""

    members: tuple[tuple[Expr, Expr], ...]
    pos: int = _pos()


@attrs.frozen
class Call(Expr):
    """A function call; `keyword` is a date part, or where TRIM trims."""

    name: str
    arguments: tuple[Expr, ...]
    keyword: str | None = None
    pos: int = _pos()


@attrs.frozen
class Cast(Expr):
    """`CAST(value AS type)`; the type's name in upper case."""

    value: Expr
    type_name: str
    pos: int = _pos()


@attrs.frozen
class Aggregate(Expr):
    """AVG, COUNT, MAX, MIN or SUM; no argument means `COUNT(*)`."""

    name: str
    argument: Expr | None
    pos: int = _pos()


# --- queries -------------------------------------------------------------------------------


@attrs.frozen
class History(Expr):
    """`history(table [, start [, end]])`; `is_id` when the table is given as 'tableId'."""

    table: str
    is_id: bool = False
    bounds: tuple[Expr, ...] = ()
    pos: int = _pos()


@attrs.frozen
class Source(Node):
    """One item of a FROM clause; `condition` is what follows ON of a join."""

    item: Expr
    alias: str | None = None
    at: str | None = None
    by: str | None = None
    condition: Expr | None = None
    pos: int = _pos()


@attrs.frozen
class SelectItem(Node):
    """One column: `expr [AS alias]`."""

    value: Expr
    alias: str | None = None
    pos: int = _pos()


@attrs.frozen
class SelectAll(Node):
    """`expr.*` as a column."""

    value: Expr
    pos: int = _pos()


@attrs.frozen
class Select(Statement, Expr):
    """A query: `value` for SELECT VALUE, no items and no value for `SELECT *`."""

    items: tuple[SelectItem | SelectAll, ...]
    value: Expr | None
    sources: tuple[Source, ...]
    where: Expr | None = None
    pos: int = _pos()


# --- statements that write -----------------------------------------------------------------


@attrs.frozen
class Assignment(Node):
    """`target = value` of a SET."""

    target: Expr
    value: Expr
    pos: int = _pos()


@attrs.frozen
class Operation(Node):
    """What an UPDATE or a FROM statement does to each document."""


@attrs.frozen
class SetFields(Operation):
    """`SET path = expr, ...`."""

    assignments: tuple[Assignment, ...]
    pos: int = _pos()


@attrs.frozen
class InsertInto(Operation):
    """`INSERT INTO path VALUE expr [AT key]`."""

    target: Expr
    value: Expr
    key: Expr | None = None
    pos: int = _pos()


@attrs.frozen
class Remove(Operation):
    """`REMOVE path`."""

    target: Expr
    pos: int = _pos()


@attrs.frozen
class Insert(Statement):
    """`INSERT INTO table VALUE doc`, `<< docs >>` or `?`; `single` when VALUE was written."""

    table: Identifier
    documents: Expr
    single: bool = False
    pos: int = _pos()


@attrs.frozen
class Modify(Statement):
    """`UPDATE table op [WHERE]`, or `FROM sources [WHERE] op` (`from_form`)."""

    sources: tuple[Source, ...]
    operation: Operation
    where: Expr | None = None
    from_form: bool = False
    pos: int = _pos()


@attrs.frozen
class Delete(Statement):
    """`DELETE FROM table [AS a] [BY id] [WHERE cond]`."""

    source: Source
    where: Expr | None = None
    pos: int = _pos()


# --- DDL and procedures --------------------------------------------------------------------


@attrs.frozen
class CreateTable(Statement):
    """`CREATE TABLE name [WITH (aws_tags = ...)]`."""

    name: str
    tags: Expr | None = None
    pos: int = _pos()


@attrs.frozen
class DropTable(Statement):
    """`DROP TABLE name`."""

    name: str
    pos: int = _pos()


@attrs.frozen
class UndropTable(Statement):
    """`UNDROP TABLE "tableId"`."""

    table_id: str
    pos: int = _pos()


@attrs.frozen
class CreateIndex(Statement):
    """`CREATE INDEX ON table (field)`."""

    table: str
    field: str
    pos: int = _pos()


@attrs.frozen
class DropIndex(Statement):
    """`DROP INDEX "indexId" ON table WITH (purge = true)`."""

    index_id: str
    table: str
    pos: int = _pos()


@attrs.frozen
class Exec(Statement):
    """`EXEC procedure a, b, c`; the procedure's name in lower case."""

    procedure: str
    arguments: tuple[Expr, ...]
    pos: int = _pos()

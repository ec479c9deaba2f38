"""
Expressions, by Pratt's method: what may start one, what may continue it.

`PREFIX` maps the kind of a first token to its reader, `_POWER` the kind of an
operator to how tightly it binds (the reference parser's order: OR, AND, NOT,
equality, comparison, additive, multiplicative). AND and OR are read into one flat
node however many operands they have, because applications send WHERE clauses with
hundreds of them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.partiql import _values
from qldb_stream.partiql._cursor import MAX_NESTING, Cursor
from qldb_stream.partiql._ion_literals import read_ion_literal
from qldb_stream.partiql._lexer import IDENT, ION, NUMBER, QUOTED, STRING
from qldb_stream.partiql._walk import pos_of
from qldb_stream.partiql._words import TYPE_NAMES
from qldb_stream.partiql.ast import (
    BagExpr,
    Between,
    Binary,
    Call,
    Expr,
    FieldStep,
    Identifier,
    In,
    IndexStep,
    IonLiteral,
    Is,
    Like,
    ListExpr,
    Literal,
    Logical,
    Parameter,
    Path,
    Step,
    StructExpr,
    Unary,
    WildcardStep,
)

_OR: Final = 10
_AND: Final = 20
_NOT: Final = 30
_EQUALITY: Final = 40
_COMPARISON: Final = 50
_ADDITIVE: Final = 60
_MULTIPLICATIVE: Final = 70
_SIGN: Final = 80

_POWER: Final = {
    "OR": _OR,
    "AND": _AND,
    "=": _EQUALITY,
    "<>": _EQUALITY,
    "!=": _EQUALITY,
    "IS": _EQUALITY,
    "IN": _EQUALITY,
    "NOT": _COMPARISON,  # as tight as NOT LIKE; what follows decides
    "<": _COMPARISON,
    "<=": _COMPARISON,
    ">": _COMPARISON,
    ">=": _COMPARISON,
    "LIKE": _COMPARISON,
    "BETWEEN": _COMPARISON,
    "+": _ADDITIVE,
    "-": _ADDITIVE,
    "||": _ADDITIVE,
    "*": _MULTIPLICATIVE,
    "/": _MULTIPLICATIVE,
    "%": _MULTIPLICATIVE,
}
_NEGATABLE: Final = frozenset({"IN", "LIKE", "BETWEEN"})


def parse_expression(cursor: Cursor, power: int = 0) -> Expr:
    """Read one expression, as far as operators bind tighter than `power`."""
    cursor.depth += 1
    if cursor.depth > MAX_NESTING:
        cursor.fail_too_deep()
    left = _parse_operand(cursor)
    while True:
        kind = cursor.kind
        strength = _POWER.get(kind, 0)
        if strength <= power:
            break
        if kind == "NOT":
            kind = cursor.peek()
            strength = _POWER[kind] if kind in _NEGATABLE else 0
            if strength <= power:
                break
        left = _parse_infix(cursor, left, kind, strength)
    cursor.depth -= 1
    return left


def parse_operand_path(cursor: Cursor) -> Expr:
    """Read a name with its path, and nothing that continues an expression."""
    cursor.enter()
    operand = _parse_operand(cursor)
    cursor.depth -= 1
    return operand


def parse_items(cursor: Cursor, closing: str) -> tuple[Expr, ...]:
    """Read expressions between commas up to the closing token, which is stepped over."""
    if cursor.take(closing):
        return ()
    items = [parse_expression(cursor)]
    while cursor.take(","):
        items.append(parse_expression(cursor))
    cursor.expect(closing)
    return tuple(items)


def parse_type_name(cursor: Cursor) -> str:
    """Read a type's name; a length or precision after it is read and has no effect."""
    name = TYPE_NAMES.get(cursor.kind)
    if name is None:
        cursor.fail("expected type name")
    word = cursor.kind
    cursor.advance()
    if word == "DOUBLE":
        cursor.take("PRECISION")
    elif word in ("CHARACTER", "CHAR"):
        cursor.take("VARYING")
    if cursor.kind == "(" and word in ("CHARACTER", "CHAR", "VARCHAR", "DECIMAL", "NUMERIC", "DEC"):
        cursor.advance()
        parse_items(cursor, ")")
    return name


# --- operands ------------------------------------------------------------------------------


def _parse_operand(cursor: Cursor) -> Expr:
    """Read what may start an expression, and the path behind it."""
    reader = PREFIX.get(cursor.kind)
    if reader is None:
        cursor.fail("expected expression", cursor.reserved_hint())
    operand = reader(cursor)
    if cursor.kind in (".", "["):
        return _parse_steps(cursor, operand)
    return operand


def _parse_steps(cursor: Cursor, root: Expr) -> Expr:
    """Read the steps of a path."""
    steps: list[Step] = []
    while cursor.kind in (".", "["):
        pos = cursor.starts[cursor.place]
        if cursor.kind == "[":
            cursor.advance()
            steps.append(_parse_index_step(cursor, pos))
        elif cursor.peek() != "*":
            cursor.advance()
            steps.append(_parse_field_step(cursor, pos))
        elif cursor.peek(2) in (".", "["):
            cursor.advance()
            cursor.advance()
            steps.append(WildcardStep(fields=True, pos=pos))
        else:  # a last `.*` belongs to SELECT's list or stands where nothing may
            break
    return Path(root, tuple(steps), pos_of(root)) if steps else root


def _parse_field_step(cursor: Cursor, pos: int) -> Step:
    """Read the name after a dot."""
    kind = cursor.kind
    if kind not in (IDENT, QUOTED):
        cursor.fail("invalid path component", cursor.reserved_hint())
    return FieldStep(cursor.advance(), kind == QUOTED, pos)


def _parse_index_step(cursor: Cursor, pos: int) -> Step:
    """Read what stands between brackets."""
    if cursor.kind == "*" and cursor.peek() == "]":
        cursor.advance()
        cursor.advance()
        return WildcardStep(fields=False, pos=pos)
    index = parse_expression(cursor)
    cursor.expect("]")
    return IndexStep(index, pos)


def _parse_identifier(cursor: Cursor) -> Expr:
    """Read a name, or a call of a function that is not a reserved word."""
    pos, quoted = cursor.pos, cursor.kind == QUOTED
    name = cursor.advance()
    if cursor.kind != "(" or quoted:
        return Identifier(name, quoted, pos=pos)
    cursor.advance()
    arguments = parse_items(cursor, ")")
    refuse_window(cursor)
    return Call(name.upper(), arguments, None, pos)


def refuse_window(cursor: Cursor) -> None:
    """Refuse `OVER (`, by name, behind a call."""
    if cursor.is_word("over") and cursor.peek() == "(":
        cursor.refuse("window function (OVER)")


def _parse_lexical(cursor: Cursor) -> Expr:
    """Read `@name`."""
    pos = cursor.pos
    cursor.advance()
    quoted = cursor.kind == QUOTED
    return Identifier(cursor.name("variable after @"), quoted, lexical=True, pos=pos)


def _parse_string(cursor: Cursor) -> Expr:
    pos = cursor.pos
    return Literal(cursor.advance(), pos)


def _parse_number(cursor: Cursor) -> Expr:
    """Read a number: int, or decimal with the digits as written (facts 5.4)."""
    pos = cursor.pos
    text = cursor.advance()
    if text.isdigit():
        if len(text) > _values.MAX_DIGITS:
            cursor.fail(f"number of more than {_values.MAX_DIGITS} digits", pos=pos)
        return Literal(int(text), pos)
    value = Decimal(text)
    if not _values.MIN_EXPONENT <= value.adjusted() <= _values.MAX_EXPONENT:
        cursor.fail("number out of range", pos=pos)
    return Literal(value, pos)


def _parse_ion(cursor: Cursor) -> Expr:
    """Read the one Ion value between back-ticks."""
    pos = cursor.pos
    text = cursor.advance()
    try:
        values = read_ion_literal(text)
    except DecodeError as exc:
        cursor.fail(f"invalid Ion literal ({exc})", pos=pos)
    if len(values) != 1:
        cursor.fail(f"expected one Ion value between back-ticks, found {len(values)}", pos=pos)
    return IonLiteral(text, values[0], pos)


def _parse_constant(cursor: Cursor) -> Expr:
    pos, kind = cursor.pos, cursor.kind
    cursor.advance()
    return Literal(_CONSTANTS[kind], pos)


def _parse_parameter(cursor: Cursor) -> Expr:
    pos = cursor.pos
    cursor.advance()
    cursor.parameter_count += 1
    return Parameter(cursor.parameter_count - 1, pos)


def _parse_parenthesis(cursor: Cursor) -> Expr:
    """Read `(expr)`, a sub-query, or a list `(a, b)`."""
    pos = cursor.pos
    cursor.advance()
    items = parse_items(cursor, ")")
    return items[0] if len(items) == 1 else ListExpr(items, pos)


def _parse_list(cursor: Cursor) -> Expr:
    pos = cursor.pos
    cursor.advance()
    return ListExpr(parse_items(cursor, "]"), pos)


def _parse_bag(cursor: Cursor) -> Expr:
    pos = cursor.pos
    cursor.advance()
    return BagExpr(parse_items(cursor, ">>"), pos)


def _parse_struct(cursor: Cursor) -> Expr:
    """Read `{ key: value, ... }`."""
    pos = cursor.pos
    cursor.advance()
    members: list[tuple[Expr, Expr]] = []
    while cursor.kind != "}":
        if members:
            cursor.expect(",")
        key = parse_expression(cursor)
        cursor.expect(":")
        members.append((key, parse_expression(cursor)))
    cursor.advance()
    return StructExpr(tuple(members), pos)


def _parse_not(cursor: Cursor) -> Expr:
    pos = cursor.pos
    cursor.advance()
    return Unary("NOT", parse_expression(cursor, _NOT), pos)


def _parse_sign(cursor: Cursor) -> Expr:
    pos = cursor.pos
    operator = cursor.advance()
    return Unary(operator, parse_expression(cursor, _SIGN), pos)


def _refuse_pivot(cursor: Cursor) -> Expr:
    cursor.refuse(cursor.kind)


# --- what may continue an expression --------------------------------------------------------


def _parse_infix(cursor: Cursor, left: Expr, kind: str, strength: int) -> Expr:
    """Read an operator and its right side."""
    pos = cursor.pos
    special = _INFIX.get(kind)
    if special is not None:
        negated = cursor.take("NOT")
        cursor.advance()
        return special(cursor, left, negated, pos)
    cursor.advance()
    if cursor.kind in ("ALL", "ANY", "SOME"):
        cursor.refuse(f"a comparison with {cursor.kind}")
    if cursor.kind not in PREFIX:
        cursor.place -= 1
        cursor.kind = kind
        cursor.fail("expected expression", "Missing right-hand side expression of infix operator")
    if kind in ("AND", "OR"):
        return _parse_logical(cursor, left, kind, strength)
    right = parse_expression(cursor, strength)
    return Binary("<>" if kind == "!=" else kind, left, right, pos)


def _parse_logical(cursor: Cursor, left: Expr, kind: str, strength: int) -> Expr:
    """Read every operand of a chain of one of AND and OR."""
    operands = [left, parse_expression(cursor, strength)]
    while cursor.kind == kind and cursor.peek() in PREFIX:
        cursor.advance()
        operands.append(parse_expression(cursor, strength))
    return Logical(kind, tuple(operands), pos_of(left))


def _parse_in(cursor: Cursor, left: Expr, negated: bool, pos: int) -> Expr:  # noqa: FBT001 - a row of _INFIX
    """Read the right side of IN; a parenthesis there is a list, even of one."""
    if cursor.kind == "(" and cursor.peek() != "SELECT":
        start = cursor.pos
        cursor.advance()
        return In(left, ListExpr(parse_items(cursor, ")"), start), negated, pos)
    return In(left, parse_expression(cursor, _EQUALITY), negated, pos)


def _parse_is(cursor: Cursor, left: Expr, _: bool, pos: int) -> Expr:  # noqa: FBT001 - a row of _INFIX
    negated = cursor.take("NOT")
    return Is(left, parse_type_name(cursor), negated, pos)


def _parse_between(cursor: Cursor, left: Expr, negated: bool, pos: int) -> Expr:  # noqa: FBT001 - a row of _INFIX
    low = parse_expression(cursor, _COMPARISON)
    cursor.expect("AND")
    return Between(left, low, parse_expression(cursor, _COMPARISON), negated, pos)


def _parse_like(cursor: Cursor, left: Expr, negated: bool, pos: int) -> Expr:  # noqa: FBT001 - a row of _INFIX
    pattern = parse_expression(cursor, _COMPARISON)
    escape = parse_expression(cursor, _COMPARISON) if cursor.take("ESCAPE") else None
    return Like(left, pattern, escape, negated, pos)


_INFIX: Final[dict[str, Callable[[Cursor, Expr, bool, int], Expr]]] = {
    "IN": _parse_in,
    "IS": _parse_is,
    "BETWEEN": _parse_between,
    "LIKE": _parse_like,
}
_CONSTANTS: Final = {"TRUE": True, "FALSE": False, "NULL": None, "MISSING": _values.MISSING}

# Kind of a first token -> its reader. The calls, clauses and queries rooms add their rows.
PREFIX: Final[dict[str, Callable[[Cursor], Expr]]] = {
    IDENT: _parse_identifier,
    QUOTED: _parse_identifier,
    STRING: _parse_string,
    NUMBER: _parse_number,
    ION: _parse_ion,
    "@": _parse_lexical,
    "?": _parse_parameter,
    "(": _parse_parenthesis,
    "[": _parse_list,
    "<<": _parse_bag,
    "{": _parse_struct,
    "NOT": _parse_not,
    "-": _parse_sign,
    "+": _parse_sign,
    "PIVOT": _refuse_pivot,
    "UNPIVOT": _refuse_pivot,
    **dict.fromkeys(_CONSTANTS, _parse_constant),
}

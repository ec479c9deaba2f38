"""Calls whose syntax is their own: aggregates, CAST, EXTRACT, TRIM, date parts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from qldb_stream.partiql._clauses import take_distinct
from qldb_stream.partiql._cursor import QUOTE_IT, Cursor
from qldb_stream.partiql._expressions import (
    PREFIX,
    parse_expression,
    parse_items,
    parse_type_name,
    refuse_window,
)
from qldb_stream.partiql._words import AGGREGATES, DATE_PARTS, EXTRACT_PARTS, FUNCTION_WORDS
from qldb_stream.partiql.ast import Aggregate, Call, Cast, Expr

_TRIM_WORDS: Final = frozenset({"LEADING", "TRAILING", "BOTH"})


def _open(cursor: Cursor) -> int:
    """Step over a function's name and its parenthesis; tell where the name stood."""
    pos = cursor.pos
    cursor.advance()
    if cursor.kind != "(":
        is_count = cursor.kind == "*" and cursor.peek() == "FROM"  # COUNT * without parentheses
        cursor.fail("expected (", "" if is_count else QUOTE_IT, pos)
    cursor.advance()
    return pos


def _parse_call(cursor: Cursor) -> Expr:
    """Read a function whose name is a reserved word."""
    name = cursor.kind
    pos = _open(cursor)
    return Call(name, parse_items(cursor, ")"), None, pos)


def _parse_aggregate(cursor: Cursor) -> Expr:
    """Read `COUNT(*)` or `SUM(expr)`; DISTINCT is an extension, OVER refused by name."""
    name = cursor.kind
    pos = _open(cursor)
    argument: Expr | None = None
    distinct = take_distinct(cursor)
    if name == "COUNT" and cursor.kind == "*" and not distinct:
        cursor.advance()
    else:
        argument = parse_expression(cursor)
    cursor.expect(")")
    refuse_window(cursor)
    return Aggregate(name, argument, distinct, pos)


def _parse_cast(cursor: Cursor) -> Expr:
    """Read `CAST(value AS type)`."""
    pos = _open(cursor)
    value = parse_expression(cursor)
    cursor.expect("AS")
    type_name = parse_type_name(cursor)
    cursor.expect(")")
    return Cast(value, type_name, pos)


def _parse_extract(cursor: Cursor) -> Expr:
    """Read `EXTRACT(part FROM timestamp)`."""
    pos = _open(cursor)
    part = _take_part(cursor, EXTRACT_PARTS)
    cursor.expect("FROM")
    value = parse_expression(cursor)
    cursor.expect(")")
    return Call("EXTRACT", (value,), part, pos)


def _parse_date_call(cursor: Cursor) -> Expr:
    """Read `DATE_ADD(part, n, timestamp)` or `DATE_DIFF(part, t1, t2)`."""
    name = cursor.kind
    pos = _open(cursor)
    part = _take_part(cursor, DATE_PARTS)
    cursor.expect(",")
    return Call(name, parse_items(cursor, ")"), part, pos)


def _take_part(cursor: Cursor, parts: Collection[str]) -> str:
    """Take the name of a part of a timestamp."""
    part = cursor.kind
    if part not in parts:
        cursor.fail("expected one of: " + ", ".join(sorted(parts)))
    cursor.advance()
    return part


def _parse_trim(cursor: Cursor) -> Expr:
    """Read `TRIM([LEADING|TRAILING|BOTH [chars] FROM] text)`: arguments are text, then chars."""
    pos = _open(cursor)
    mode = cursor.advance().upper() if cursor.kind in _TRIM_WORDS else None
    chars: Expr | None = None
    if mode is not None and cursor.take("FROM"):
        text = parse_expression(cursor)
    else:
        text = parse_expression(cursor)
        if cursor.take("FROM"):
            chars, text = text, parse_expression(cursor)
        elif mode is not None:
            cursor.expect("FROM")
    cursor.expect(")")
    return Call("TRIM", (text,) if chars is None else (text, chars), mode or "BOTH", pos)


PREFIX.update(dict.fromkeys(FUNCTION_WORDS, _parse_call))
PREFIX.update(dict.fromkeys(AGGREGATES, _parse_aggregate))
PREFIX.update(dict.fromkeys(("DATE_ADD", "DATE_DIFF"), _parse_date_call))
PREFIX.update({"CAST": _parse_cast, "EXTRACT": _parse_extract, "TRIM": _parse_trim})

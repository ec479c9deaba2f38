"""SELECT, and the FROM clause that SELECT, UPDATE, DELETE and FROM statements share."""

from __future__ import annotations

from typing import Final

from qldb_stream.partiql._clauses import parse_clauses, refused_word, take_distinct
from qldb_stream.partiql._cursor import Cursor
from qldb_stream.partiql._expressions import (
    PREFIX,
    parse_expression,
    parse_items,
    parse_operand_path,
)
from qldb_stream.partiql._lexer import IDENT, QUOTED, STRING
from qldb_stream.partiql.ast import Expr, History, Select, SelectAll, SelectItem, Source

_REFUSED_JOINS: Final = {
    "LEFT": "LEFT JOIN",
    "RIGHT": "RIGHT JOIN",
    "FULL": "FULL JOIN",
    "OUTER": "OUTER JOIN",
    "CROSS": "CROSS JOIN",
    "NATURAL": "NATURAL JOIN",
}
# Not reserved, but read as the start of a clause that is refused, never as a bare alias.
_NO_ALIAS: Final = frozenset({"offset", "returning"})
_REFUSED_SOURCES: Final = frozenset({"PIVOT", "UNPIVOT"})


def parse_select(cursor: Cursor) -> Select:
    """Read a query, up to the end of its last clause."""
    pos = cursor.pos
    cursor.enter()
    cursor.advance()
    distinct = take_distinct(cursor)
    value: Expr | None = None
    items: tuple[SelectItem | SelectAll, ...] = ()
    if cursor.take("VALUE"):
        value = parse_expression(cursor)
    elif cursor.kind == "*":
        cursor.advance()
    else:
        items = _parse_select_items(cursor)
    cursor.expect("FROM")
    sources = parse_sources(cursor)
    where = parse_where(cursor)
    clauses = parse_clauses(cursor, distinct=distinct)
    cursor.depth -= 1
    return Select(items, value, sources, where, clauses, pos)


def parse_sources(cursor: Cursor) -> tuple[Source, ...]:
    """Read what follows FROM: sources between commas and inner joins, flat."""
    sources = [parse_source(cursor)]
    while True:
        if cursor.kind in _REFUSED_JOINS:
            cursor.refuse(_REFUSED_JOINS[cursor.kind])
        if cursor.take(","):
            sources.append(parse_source(cursor))
        elif cursor.kind in ("INNER", "JOIN"):
            cursor.take("INNER")
            cursor.expect("JOIN")
            sources.append(parse_source(cursor, joined=True))
        else:
            return tuple(sources)


def parse_source(cursor: Cursor, *, joined: bool = False) -> Source:
    """Read one source with its alias, AT, BY and, when joined, its ON."""
    pos = cursor.pos
    if cursor.kind in _REFUSED_SOURCES:
        cursor.refuse(cursor.kind)
    item = _parse_history(cursor) if _is_history(cursor) else parse_operand_path(cursor)
    alias = _parse_alias(cursor)
    at = cursor.name("AT variable") if cursor.take("AT") else None
    by = cursor.name("BY variable") if cursor.take("BY") else None
    condition: Expr | None = None
    if joined:
        cursor.expect("ON")
        condition = parse_expression(cursor)
    return Source(item, alias, at, by, condition, pos)


def parse_where(cursor: Cursor) -> Expr | None:
    """Read a WHERE clause if one stands here."""
    return parse_expression(cursor) if cursor.take("WHERE") else None


def _parse_select_items(cursor: Cursor) -> tuple[SelectItem | SelectAll, ...]:
    items = [_parse_select_item(cursor)]
    while cursor.take(","):
        items.append(_parse_select_item(cursor))
    return tuple(items)


def _parse_select_item(cursor: Cursor) -> SelectItem | SelectAll:
    """Read one column: `expr.*`, or `expr [[AS] alias]`."""
    pos = cursor.pos
    if cursor.kind == "*":
        cursor.fail("unexpected token found", "`*` must stand alone in a SELECT list")
    value = parse_expression(cursor)
    if cursor.kind == "." and cursor.peek() == "*":
        cursor.advance()
        cursor.advance()
        return SelectAll(value, pos)
    return SelectItem(value, _parse_alias(cursor), pos)


def _parse_alias(cursor: Cursor) -> str | None:
    """Read `AS name`, or a bare name."""
    if cursor.take("AS"):
        return cursor.name("alias")
    if cursor.kind == QUOTED:
        return cursor.advance()
    if cursor.kind != IDENT:
        return None
    word = cursor.values[cursor.place]
    clause = refused_word(word)
    if clause is not None and cursor.peek() == IDENT:
        cursor.refuse(clause)
    return None if word.lower() in _NO_ALIAS else cursor.advance()


def _is_history(cursor: Cursor) -> bool:
    return cursor.is_word("history") and cursor.peek() == "("


def _parse_history(cursor: Cursor) -> Expr:
    """Read `history(table [, start [, end]])`; 'tableId' names a table by id (facts 5.3)."""
    pos = cursor.pos
    cursor.advance()
    cursor.advance()
    is_id = cursor.kind == STRING
    if not is_id and cursor.kind not in (IDENT, QUOTED):
        cursor.fail("expected table name or 'tableId'", cursor.reserved_hint())
    table = cursor.advance()
    bounds: tuple[Expr, ...] = ()
    if cursor.take(","):
        bounds = parse_items(cursor, ")")
    else:
        cursor.expect(")")
    if len(bounds) > 2:  # noqa: PLR2004 - start and end
        cursor.fail("expected at most a start and an end time in history()", pos=pos)
    return History(table, is_id, bounds, pos)


PREFIX["SELECT"] = parse_select

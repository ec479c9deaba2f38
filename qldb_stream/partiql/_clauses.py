"""
What QLDB did not have: GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET, DISTINCT, CASE.

Without extensions each is refused by name, where it stands (facts 5.5, last paragraph);
with them it is read. Set operations, outer joins and windows are refused either way.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.partiql._cursor import Cursor
from qldb_stream.partiql._expressions import PREFIX, parse_expression
from qldb_stream.partiql._lexer import IDENT
from qldb_stream.partiql.ast import Case, Clauses, Expr, GroupKey, SortKey

_EXTENSIONS: Final = {
    "ORDER": "ORDER BY",
    "GROUP": "GROUP BY",
    "HAVING": "HAVING",
    "LIMIT": "LIMIT",
}
_REFUSED: Final = {
    "UNION": "UNION",
    "EXCEPT": "EXCEPT",
    "INTERSECT": "INTERSECT",
    "FETCH": "FETCH",
}
# Not reserved words; the next token tells them from an alias that is out of place.
_REFUSED_WORDS: Final = {"let": "LET", "qualify": "QUALIFY", "window": "WINDOW"}


def take_distinct(cursor: Cursor) -> bool:
    """Step over DISTINCT or ALL; tell whether it was DISTINCT."""
    if cursor.kind == "DISTINCT":
        cursor.refuse_unless_extended("DISTINCT")
    distinct = cursor.take("DISTINCT")
    if not distinct:
        cursor.take("ALL")
    return distinct


def parse_clauses(cursor: Cursor, *, distinct: bool) -> Clauses | None:
    """Read what may follow WHERE; None when there is nothing, and no DISTINCT."""
    if not cursor.extensions:
        refuse_clauses(cursor)
        return None
    group_by = _parse_group_by(cursor)
    group_as: str | None = None
    if group_by and cursor.kind == "GROUP" and cursor.peek() == "AS":
        cursor.advance()
        cursor.advance()
        group_as = cursor.name("GROUP AS variable")
    having = parse_expression(cursor) if cursor.take("HAVING") else None
    order_by = _parse_order_by(cursor)
    limit = parse_expression(cursor) if cursor.take("LIMIT") else None
    offset: Expr | None = None
    if cursor.is_word("offset"):
        cursor.advance()
        offset = parse_expression(cursor)
    refuse_clauses(cursor)
    clauses = Clauses(distinct, group_by, group_as, having, order_by, limit, offset)
    return None if clauses == _NOTHING else clauses


_NOTHING: Final = Clauses()


def refuse_clauses(cursor: Cursor) -> None:
    """Name the clause that QLDB did not support, when one stands here."""
    refused = _REFUSED.get(cursor.kind)
    if cursor.kind in _EXTENSIONS:
        cursor.refuse_unless_extended(_EXTENSIONS[cursor.kind])
    if cursor.is_word("offset"):
        cursor.refuse_unless_extended("OFFSET")
    if cursor.kind == IDENT and cursor.peek() == IDENT:
        refused = refused_word(cursor.values[cursor.place]) or refused
    if refused is not None:
        cursor.refuse(refused)


def refused_word(word: str) -> str | None:
    """Name the clause that a word which is not reserved would begin after a FROM clause."""
    return _REFUSED_WORDS.get(word.lower())


def _parse_group_by(cursor: Cursor) -> tuple[GroupKey, ...]:
    """Read `GROUP BY expr [AS alias], ...` if it stands here."""
    if not cursor.take("GROUP"):
        return ()
    cursor.expect("BY")
    keys: list[GroupKey] = []
    while not keys or cursor.take(","):
        pos = cursor.pos
        value = parse_expression(cursor)
        alias = cursor.name("alias") if cursor.take("AS") else None
        keys.append(GroupKey(value, alias, pos))
    return tuple(keys)


def _parse_order_by(cursor: Cursor) -> tuple[SortKey, ...]:
    """Read `ORDER BY expr [ASC|DESC] [NULLS FIRST|LAST], ...` if it stands here."""
    if not cursor.take("ORDER"):
        return ()
    cursor.expect("BY")
    keys: list[SortKey] = []
    while not keys or cursor.take(","):
        pos = cursor.pos
        value = parse_expression(cursor)
        descending = cursor.take("DESC")
        if not descending:
            cursor.take("ASC")
        keys.append(SortKey(value, descending, _parse_nulls(cursor), pos))
    return tuple(keys)


def _parse_nulls(cursor: Cursor) -> bool | None:
    """Read `NULLS FIRST` or `NULLS LAST` if it stands here; tell whether it is FIRST."""
    if not cursor.is_word("nulls"):
        return None
    cursor.advance()
    if cursor.take("FIRST"):
        return True
    if not cursor.take("LAST"):
        cursor.fail("expected keyword first or last")
    return False


def _parse_case(cursor: Cursor) -> Expr:
    """Read `CASE [operand] WHEN a THEN b ... [ELSE c] END`."""
    cursor.refuse_unless_extended("CASE")
    pos = cursor.pos
    cursor.advance()
    operand = None if cursor.kind == "WHEN" else parse_expression(cursor)
    branches: list[tuple[Expr, Expr]] = []
    while not branches or cursor.kind == "WHEN":
        cursor.expect("WHEN")
        condition = parse_expression(cursor)
        cursor.expect("THEN")
        branches.append((condition, parse_expression(cursor)))
    otherwise = parse_expression(cursor) if cursor.take("ELSE") else None
    cursor.expect("END")
    return Case(operand, tuple(branches), otherwise, pos)


PREFIX["CASE"] = _parse_case

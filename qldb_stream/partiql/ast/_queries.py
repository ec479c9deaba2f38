"""Queries: SELECT, its FROM clause, and the clauses that only extensions allow."""

from __future__ import annotations

import attrs

from qldb_stream.partiql.ast._expressions import Expr, Node, Statement, node_pos


@attrs.frozen
class History(Expr):
    """`history(table [, start [, end]])`; `is_id` when the table is given as 'tableId'."""

    table: str
    is_id: bool = False
    bounds: tuple[Expr, ...] = ()
    pos: int = node_pos()


@attrs.frozen
class Source(Node):
    """One item of a FROM clause; `condition` is what follows ON of a join."""

    item: Expr
    alias: str | None = None
    at: str | None = None
    by: str | None = None
    condition: Expr | None = None
    pos: int = node_pos()


@attrs.frozen
class SelectItem(Node):
    """One column: `expr [AS alias]`."""

    value: Expr
    alias: str | None = None
    pos: int = node_pos()


@attrs.frozen
class SelectAll(Node):
    """`expr.*` as a column."""

    value: Expr
    pos: int = node_pos()


@attrs.frozen
class GroupKey(Node):
    """One key of GROUP BY: `expr [AS alias]`."""

    value: Expr
    alias: str | None = None
    pos: int = node_pos()


@attrs.frozen
class SortKey(Node):
    """One key of ORDER BY; `nulls_first` is None where the text does not say."""

    value: Expr
    descending: bool = False
    nulls_first: bool | None = None
    pos: int = node_pos()


@attrs.frozen
class Clauses(Node):
    """What QLDB did not have of a query: only extensions allow it."""

    distinct: bool = False
    group_by: tuple[GroupKey, ...] = ()
    group_as: str | None = None
    having: Expr | None = None
    order_by: tuple[SortKey, ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None


@attrs.frozen
class Select(Statement, Expr):
    """A query: `value` for SELECT VALUE, no items and no value for `SELECT *`."""

    items: tuple[SelectItem | SelectAll, ...]
    value: Expr | None
    sources: tuple[Source, ...]
    where: Expr | None = None
    clauses: Clauses | None = None
    pos: int = node_pos()

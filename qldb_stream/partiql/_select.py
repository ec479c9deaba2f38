"""SELECT: from bound rows to the rows of an answer (facts 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from qldb_stream.partiql import _case as _case  # noqa: PLC0414 - registers its row in COMPILERS
from qldb_stream.partiql._aggregates import Fold
from qldb_stream.partiql._compile import (
    COMPILERS,
    compile_expression,
    compile_raw,
    failure_at,
    ion_value,
    make_struct,
)
from qldb_stream.partiql._context import Evaluate, Frame
from qldb_stream.partiql._from import (
    Condition,
    SourcePlan,
    compile_sources,
    iter_matches,
    make_condition,
)
from qldb_stream.partiql._group import GroupPlan, compile_grouping
from qldb_stream.partiql._holding import Holding, evaluate_all
from qldb_stream.partiql._order import Arrangement, Count, SortPlan
from qldb_stream.partiql._scope import AggregateCall, Scope
from qldb_stream.partiql._values import (
    MISSING,
    Bag,
    Kind,
    decoded,
    iter_members,
    kind_of,
)
from qldb_stream.partiql._walk import children
from qldb_stream.partiql.ast import (
    Aggregate,
    Clauses,
    Expr,
    FieldStep,
    Identifier,
    IndexStep,
    Literal,
    Node,
    Path,
    Select,
    SelectAll,
    SelectItem,
    SortKey,
)


@attrs.frozen
class QueryPlan:
    """A compiled query: what it ranges over, groups, folds and keeps, what makes a row."""

    sources: tuple[SourcePlan, ...]
    aggregates: tuple[AggregateCall, ...]
    project: Evaluate
    grouping: GroupPlan | None = None
    having: Condition | None = None
    arrangement: Arrangement | None = None

    def iter_values(self, frame: Frame) -> Iterator[Any]:
        """Yield row after row; with aggregates and no GROUP BY exactly one."""
        project = self.project
        matches: Iterator[Any] = iter_matches(frame, self.sources)
        if self.grouping is not None:
            matches = self.grouping.iter_groups(frame, matches, self.aggregates)
        elif self.aggregates or self.having is not None:
            matches = _fold_all(frame, matches, self.aggregates)
        if self.having is not None:
            matches = _iter_having(frame, matches, self.having)
        if self.arrangement is not None:
            yield from self.arrangement.iter_values(frame, matches, project)
            return
        for _ in matches:
            yield project(frame)


def _fold_all(
    frame: Frame, matches: Iterator[Any], calls: tuple[AggregateCall, ...]
) -> Iterator[None]:
    """Make one group of all rows, even of none."""
    with Holding(frame) as holding:
        folds = [Fold(call, holding) for call in calls]
        for _ in matches:
            for fold in folds:
                fold.feed(frame)
    for fold in folds:
        fold.store(frame)
    yield


def _iter_having(frame: Frame, matches: Iterator[Any], having: Condition) -> Iterator[None]:
    for _ in matches:
        if having.holds(frame):
            yield


def compile_query(select: Select, scope: Scope) -> QueryPlan:
    """
    Compile a query; the scope is left with the variables it had.

    Raises:
        PartiqlSemanticError: a name that means nothing, a column beside an aggregate.
        UnsupportedPartiqlError: a function or form that the ledger does not know.

    """
    outer = list(scope.variables), scope.aggregates, scope.grouping
    scope.aggregates, scope.grouping = None, None
    sources = compile_sources(select.sources, select.where, scope)
    clauses = select.clauses or Clauses()
    grouping = compile_grouping(clauses, scope, outer[0]) if clauses.group_by else None
    calls: list[AggregateCall] = []
    scope.aggregates = calls
    project = _compile_projection(select, scope, sources)
    having = None if clauses.having is None else make_condition(clauses.having, scope)
    arrangement = _compile_arrangement(select, scope)
    if grouping is None and (calls or having is not None):
        _check_columns(select, scope)
    if select.value is None and not select.items and (grouping or calls or having):
        scope.reject(select.pos, "`SELECT *` cannot stand for groups; name the columns")
    scope.variables, scope.aggregates, scope.grouping = outer
    return QueryPlan(sources, tuple(calls), project, grouping, having, arrangement)


def _compile_arrangement(select: Select, scope: Scope) -> Arrangement | None:
    """Compile DISTINCT, ORDER BY, LIMIT and OFFSET; None when there are none."""
    clauses = select.clauses
    if clauses is None:
        return None
    keys = tuple(_compile_sort_key(key, select, scope) for key in clauses.order_by)
    limit = _compile_count("LIMIT", clauses.limit, scope)
    offset = _compile_count("OFFSET", clauses.offset, scope)
    if not (clauses.distinct or keys or limit or offset):
        return None
    return Arrangement(clauses.distinct, keys, limit, offset)


def _compile_sort_key(key: SortKey, select: Select, scope: Scope) -> SortPlan:
    """Compile one key; a column's name means that column, NULLs come last unless DESC."""
    if isinstance(key.value, Literal):
        scope.reject(key.pos, "ORDER BY takes names and expressions, not positions")
    evaluate = compile_expression(_column_named(key.value, select), scope)
    nulls_first = key.descending if key.nulls_first is None else key.nulls_first
    return SortPlan(evaluate, key.descending, nulls_first)


def _column_named(expr: Expr, select: Select) -> Expr:
    """Find the column that a name in ORDER BY means; itself when it means none."""
    if isinstance(expr, Identifier):
        for item in select.items:
            if isinstance(item, SelectItem):
                name = item.alias or _column_name(item.value)
                if name == expr.name:
                    return item.value
    return expr


def _compile_count(word: str, expr: Expr | None, scope: Scope) -> Count | None:
    """Compile LIMIT or OFFSET, which see no row."""
    if expr is None:
        return None
    before = scope.variables, scope.aggregates, scope.grouping
    scope.variables, scope.aggregates, scope.grouping = [], None, None
    count = Count(word, compile_expression(expr, scope), failure_at(scope, expr))
    scope.variables, scope.aggregates, scope.grouping = before
    return count


def _compile_subquery(select: Select, scope: Scope) -> Evaluate:
    """Compile a query that stands as an expression; its value is a bag."""
    scope.depth += 1
    plan = compile_query(select, scope)
    scope.depth -= 1

    def subquery(frame: Frame) -> Any:
        values = Bag()
        with Holding(frame) as holding:
            for value in plan.iter_values(frame):
                holding.add(value)
                values.append(value)
        return values

    return subquery


COMPILERS[Select] = _compile_subquery


# --- the SELECT list -----------------------------------------------------------------------------


def _compile_projection(select: Select, scope: Scope, sources: tuple[SourcePlan, ...]) -> Evaluate:
    """Compile what makes a row: SELECT VALUE, `SELECT *` or a list of columns."""
    if select.value is not None:
        value = compile_raw(select.value, scope)

        def bare(frame: Frame) -> Any:
            return ion_value(value(frame))

        return bare
    if not select.items:
        return _compile_star([plan.slot for plan in sources])
    columns = [
        _compile_column(item, place, scope) for place, item in enumerate(select.items, start=1)
    ]
    names = [name for name, _ in columns]
    if None not in names and len(set(names)) == len(names):
        return _plain_row([(name, value) for name, value in columns if name is not None])
    return _mixed_row(columns)


def _compile_star(slots: list[int]) -> Evaluate:
    """Compile `*`: the document itself, or the members of all sources together."""

    def document(frame: Frame) -> Any:
        value = frame[slots[0]]
        return value if _is_struct(value) else {"_1": ion_value(value)}

    def together(frame: Frame) -> Any:
        members: list[tuple[str, Any]] = []
        for place, slot in enumerate(slots, start=1):
            members.extend(_members(frame[slot], place))
        return make_struct(members)

    return document if len(slots) == 1 else together


def _compile_column(
    item: SelectItem | SelectAll, place: int, scope: Scope
) -> tuple[str | None, Evaluate]:
    """Compile a column with its name; None as name for `expr.*`."""
    value = compile_raw(item.value, scope)
    if isinstance(item, SelectAll):
        return None, value
    return item.alias or _column_name(item.value) or f"_{place}", value


def _column_name(expr: Expr) -> str | None:
    """Name a column by its last name; None leaves it to its position."""
    if isinstance(expr, Identifier):
        return expr.name
    if isinstance(expr, Path):
        last = expr.steps[-1]
        if isinstance(last, FieldStep):
            return last.name
        if isinstance(last, IndexStep) and isinstance(last.index, Literal):
            return last.index.value if isinstance(last.index.value, str) else None
    return None


def _plain_row(columns: list[tuple[str, Evaluate]]) -> Evaluate:
    """Make rows whose names are known and different; MISSING leaves its column out."""
    names = [name for name, _ in columns]
    parts = [value for _, value in columns]

    def row(frame: Frame) -> Any:
        members = {}
        for name, found in zip(names, evaluate_all(frame, parts), strict=True):
            if found is not MISSING:
                members[name] = list(found) if type(found) is Bag else found
        return members

    return row


def _mixed_row(columns: list[tuple[str | None, Evaluate]]) -> Evaluate:
    """Make rows with `expr.*` or repeated names among the columns."""
    names = [name for name, _ in columns]
    parts = [value for _, value in columns]

    def row(frame: Frame) -> Any:
        members: list[tuple[str, Any]] = []
        values = evaluate_all(frame, parts)
        for place, (name, found) in enumerate(zip(names, values, strict=True), start=1):
            if name is None:
                members.extend(_members(found, place))
            elif found is not MISSING:
                members.append((name, found))
        return make_struct(members)

    return row


def _members(value: Any, place: int) -> Iterator[tuple[str, Any]]:
    """Yield the members that `.*` stands for; another value gets a name by position."""
    if _is_struct(value):
        for name, member in iter_members(decoded(value)):
            yield name or "", member
    elif value is not MISSING:
        yield f"_{place}", value


def _is_struct(value: Any) -> bool:
    return type(value) is dict or kind_of(value) is Kind.STRUCT


def _check_columns(select: Select, scope: Scope) -> None:
    """Refuse a column that stands for many rows beside an aggregate that stands for one."""
    outside: list[Node] = [item.value for item in select.items]
    if select.value is not None:
        outside.append(select.value)
    if select.clauses is not None:
        outside += children(attrs.evolve(select.clauses, limit=None, offset=None))
    while outside:
        node = outside.pop()
        if isinstance(node, Identifier):
            scope.reject(
                node.pos,
                f"'{node.name}' stands beside an aggregate, which needs GROUP BY, an extension",
            )
        if not isinstance(node, Aggregate | Select):
            outside.extend(children(node))

"""
The FROM clause: tables, views, history, nested collections, sub-queries, joins.

Each source becomes a SourcePlan; rows are the nested loop over them, left to right.
A condition is checked as soon as the variables it names are bound. Tables are asked
for through the Sources protocol, once per row of what stands further left, with the
look-ups that this row allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import attrs

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._compare import truth_of
from qldb_stream.partiql._compile import compile_expression, failure_at
from qldb_stream.partiql._context import (
    CONTEXT,
    Evaluate,
    Frame,
    SourceAccess,
    TableKind,
    TableRef,
    bind,
)
from qldb_stream.partiql._holding import Holding
from qldb_stream.partiql._lookups import LookupPlan, conjuncts, depth_of, make_lookups
from qldb_stream.partiql._scope import Origin, Scope, Variable
from qldb_stream.partiql._values import MISSING, Kind, decoded, kind_of
from qldb_stream.partiql._walk import is_light
from qldb_stream.partiql.ast import Expr, FieldStep, History, Identifier, Path, Source

COMMITTED_PREFIX: Final = "_ql_committed_"
_SYSTEM_SCHEMA: Final = "information_schema"

Failure = Callable[[str], PartiqlEvaluationError]


@attrs.frozen
class Condition:
    """A condition and what locates its failure."""

    evaluate: Evaluate
    failure: Failure

    def holds(self, frame: Frame) -> bool:
        """Tell whether it is true; unknown is not."""
        value = self.evaluate(frame)
        return value is True or (value is not False and truth_of(value, self.failure) is True)


@attrs.frozen
class SourcePlan:
    """One source: where its rows come from, where they go, what they must fulfil."""

    table: TableRef | None
    collection: Evaluate | None
    bounds: tuple[Evaluate, ...]
    lookups: tuple[LookupPlan, ...]
    conditions: tuple[Condition, ...]
    slot: int
    at_slot: int
    by_slot: int
    is_light: bool  # computing the collection builds nothing

    def iter_bound(self, frame: Frame) -> Iterator[str | None]:
        """Bind row after row that fulfils the conditions; yield its document id."""
        slot = self.slot
        conditions = self.conditions
        check = frame[CONTEXT].check
        for document_id, position, value in self._iter_rows(frame):
            if check is not None:
                check()
            bind(frame, slot, value)
            if self.at_slot:
                bind(frame, self.at_slot, position)
            if self.by_slot:
                bind(frame, self.by_slot, MISSING if document_id is None else document_id)
            for condition in conditions:
                if not condition.holds(frame):
                    break
            else:
                yield document_id

    def _iter_rows(self, frame: Frame) -> Iterable[tuple[str | None, Any, Any]]:
        """Yield (document id, position, value)."""
        if self.collection is not None:
            found = self.collection(frame)
            return _iter_collection(found) if self.is_light else _iter_held(frame, found)
        return self._iter_table(frame)

    def _iter_table(self, frame: Frame) -> Iterator[tuple[str | None, Any, Any]]:
        with Holding(frame) as holding:
            found = [plan.evaluate(frame, holding) for plan in self.lookups]
            lookups = tuple(lookup for lookup in found if lookup is not None)
            bounds = tuple(bound(frame) for bound in self.bounds)
            assert self.table is not None
            rows = frame[CONTEXT].sources.iter_rows(self.table, lookups, bounds)
            for document_id, value in rows:
                yield document_id, MISSING, value


def _iter_held(frame: Frame, value: Any) -> Iterator[tuple[None, Any, Any]]:
    """Range over a value that was built for this, and is there until all has gone by."""
    with Holding(frame) as holding:
        holding.add(value)
        yield from _iter_collection(value)


def _iter_collection(value: Any) -> Iterator[tuple[None, Any, Any]]:
    """Range over a value; what is no collection counts as a collection of itself."""
    value = decoded(value)
    kind = kind_of(value)
    if kind in (Kind.LIST, Kind.SEXP):
        for position, item in enumerate(value):
            yield None, position, item
    elif kind is Kind.BAG:
        for item in value:
            yield None, MISSING, item
    elif kind is not Kind.MISSING:
        yield None, MISSING, value


def iter_matches(
    frame: Frame, plans: tuple[SourcePlan, ...], place: int = 0
) -> Iterator[str | None]:
    """Bind every combination of rows that fulfils all conditions; yield the first source's id."""
    rows = plans[place].iter_bound(frame)
    return rows if place == len(plans) - 1 else _iter_joined(frame, plans, place, rows)


def _iter_joined(
    frame: Frame, plans: tuple[SourcePlan, ...], place: int, rows: Iterator[str | None]
) -> Iterator[str | None]:
    for document_id in rows:
        for _ in iter_matches(frame, plans, place + 1):
            yield document_id


@attrs.frozen
class _Bound:
    """A source whose variables are in scope; `level` counts the variables up to here."""

    source: Source
    variable: Variable
    collection: Evaluate | None
    bounds: tuple[Evaluate, ...]
    level: int


def compile_sources(
    sources: tuple[Source, ...], where: Expr | None, scope: Scope, *, changing: bool = False
) -> tuple[SourcePlan, ...]:
    """
    Compile a FROM clause with its WHERE.

    The scope keeps the variables afterwards: the caller compiles what may use them
    and then restores it. With `changing` they know where nested elements stand.

    Raises:
        PartiqlSemanticError: a name that means nothing; AT or BY where it makes no sense.

    """
    place_of_first = len(scope.accesses)
    bound = [_bind_source(source, scope, changing=changing) for source in sources]
    conditions = [*conjuncts(where)]
    for source in sources:
        conditions.extend(conjuncts(source.condition))
    levels = [entry.level for entry in bound]
    placed = _place(conditions, levels, scope)
    plans = tuple(
        _make_plan(entry, conditions, placed[place], scope) for place, entry in enumerate(bound)
    )
    # In front of what sub-queries have added meanwhile.
    scope.accesses[place_of_first:place_of_first] = [
        SourceAccess(
            entry.variable.name,
            plan.table,
            tuple(lookup.use for lookup in plan.lookups),
            len(plan.conditions),
            scope.depth,
        )
        for entry, plan in zip(bound, plans, strict=True)
    ]
    return plans


def _bind_source(source: Source, scope: Scope, *, changing: bool) -> _Bound:
    """Compile what a source ranges over, then bring its variables into scope."""
    table = table_of(source.item, scope)
    collection = None if table is not None else compile_expression(source.item, scope)
    bounds: tuple[Evaluate, ...] = ()
    if isinstance(source.item, History):
        bounds = tuple(compile_expression(bound, scope) for bound in source.item.bounds)
    name = source.alias or _implicit_alias(source.item) or f"_{len(scope.variables) + 1}"
    origin = _origin_of(source.item, scope) if changing and table is None else None
    explicit = source.alias is not None
    variable = Variable(name, scope.reserve(), explicit=explicit, table=table, origin=origin)
    scope.variables.append(variable)
    if source.at is not None:
        slot = scope.reserve() if origin is None else origin.position_slot
        scope.variables.append(Variable(source.at, slot, is_source=False))
    if source.by is not None:
        if table is None:
            scope.reject(source.pos, "BY is only allowed with a table")
        scope.variables.append(
            Variable(source.by, scope.reserve(), is_source=False, by_of=variable.slot)
        )
    return _Bound(source, variable, collection, bounds, len(scope.variables))


def _origin_of(item: Expr, scope: Scope) -> Origin | None:
    """Tell where the elements of a collection stand; None when it is no part of a row."""
    root = item.root if isinstance(item, Path) else item
    parent = scope.variable_of(root)
    if parent is None or not (parent.table is not None or parent.origin is not None):
        return None
    exact = None
    if scope.may_be_field(root):
        # With other sources it might be a field of theirs, which has another place.
        if scope.sources() != [parent]:
            return None
        assert isinstance(root, Identifier)
        exact = root.name
    return Origin(parent, item.steps if isinstance(item, Path) else (), scope.reserve(), exact)


def _make_plan(
    entry: _Bound, conditions: list[Expr], placed: list[Expr], scope: Scope
) -> SourcePlan:
    source, variable = entry.source, entry.variable
    lookups: tuple[LookupPlan, ...] = ()
    if variable.table is not None:
        lookups = make_lookups(conditions, scope, variable, compile_expression)
    return SourcePlan(
        variable.table,
        entry.collection,
        entry.bounds,
        lookups,
        tuple(make_condition(condition, scope) for condition in placed),
        variable.slot,
        _position_slot(source, variable, scope),
        _slot_after(scope, variable, by=True) if source.by is not None else 0,
        is_light(source.item),
    )


def make_condition(condition: Expr, scope: Scope) -> Condition:
    """Compile a condition."""
    return Condition(compile_expression(condition, scope), failure_at(scope, condition))


def _position_slot(source: Source, variable: Variable, scope: Scope) -> int:
    if variable.origin is not None:
        return variable.origin.position_slot
    return _slot_after(scope, variable, by=False) if source.at is not None else 0


def _slot_after(scope: Scope, variable: Variable, *, by: bool) -> int:
    """Find the slot of a source's BY or AT variable, which stand behind it."""
    place = scope.variables.index(variable) + 1
    while (scope.variables[place].by_of is not None) is not by:
        place += 1
    return scope.variables[place].slot


def _place(conditions: list[Expr], levels: list[int], scope: Scope) -> list[list[Expr]]:
    """Put each condition behind the first source that leaves none of its names unbound."""
    placed: list[list[Expr]] = [[] for _ in levels]
    for condition in conditions:
        depth = depth_of(condition, scope)
        place = next(place for place, level in enumerate(levels) if depth <= level)
        placed[place].append(condition)
    return placed


def table_of(item: Expr, scope: Scope) -> TableRef | None:
    """Tell which table a FROM item names; None when it is an expression."""
    if isinstance(item, History):
        return _table(TableKind.HISTORY, item.table, scope, item.pos, is_id=item.is_id)
    if isinstance(item, Identifier) and not item.lexical:
        # Exactly as it is spelled: in `FROM A AS a, A AS b` the second `A` is the table too.
        variable = scope.find(item.name, case_sensitive=True)
        # A table may be joined with itself under its own name: `FROM T, T AS b`.
        if variable is None or (not variable.explicit and variable.table is not None):
            return _table_named(item, scope)
    if isinstance(item, Path) and isinstance(item.root, Identifier):
        root, step = item.root, item.steps[0]
        if (
            root.name.lower() == _SYSTEM_SCHEMA
            and scope.variable_of(root) is None
            and len(item.steps) == 1
            and isinstance(step, FieldStep)
        ):
            name = step.name if step.case_sensitive else step.name.lower()
            return _table(TableKind.SYSTEM, name, scope, item.pos)
    return None


def _table_named(item: Identifier, scope: Scope) -> TableRef:
    if item.name.startswith(COMMITTED_PREFIX):
        name = item.name.removeprefix(COMMITTED_PREFIX)
        return _table(TableKind.COMMITTED, name, scope, item.pos)
    return _table(TableKind.USER, item.name, scope, item.pos)


def _table(kind: TableKind, name: str, scope: Scope, pos: int, *, is_id: bool = False) -> TableRef:
    return TableRef(kind, name, is_id, *scope.locate(pos))


def _implicit_alias(item: Expr) -> str | None:
    """Name a source that was given no alias: by its last name."""
    if isinstance(item, Identifier):
        return item.name
    if isinstance(item, Path) and isinstance(item.steps[-1], FieldStep):
        return item.steps[-1].name
    return None

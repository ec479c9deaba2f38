"""
GROUP BY: rows put together by their keys, one group after another in the frame.

Keys are equal as `=` has it, and NULL and MISSING are one key, which is NULL (PartiQL's
specification, section 11). Groups come in the order of their first rows. Kept are the keys
and what the aggregates have folded, and with GROUP AS the rows themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from qldb_stream.partiql._aggregates import Fold
from qldb_stream.partiql._compile import compile_expression, ion_value
from qldb_stream.partiql._context import Evaluate, Frame, bind
from qldb_stream.partiql._holding import Holding, charge_values, evaluate_all
from qldb_stream.partiql._scope import AggregateCall, Grouping, Scope, Variable, spelling
from qldb_stream.partiql._values import MISSING, Bag, group_key
from qldb_stream.partiql.ast import Clauses, FieldStep, GroupKey, Identifier, Path


@attrs.frozen
class _Group:
    """One group: its keys' values, its aggregates, and for GROUP AS its rows."""

    values: list[Any]
    folds: list[Fold]
    members: Bag


@attrs.frozen
class GroupPlan:
    """Where keys come from and go to; `members` names the variables that GROUP AS keeps."""

    keys: tuple[tuple[Evaluate, int], ...]
    members: tuple[tuple[str, int], ...]
    members_slot: int

    def iter_groups(
        self, frame: Frame, matches: Iterable[Any], calls: tuple[AggregateCall, ...]
    ) -> Iterator[None]:
        """Read all rows, then bind group after group."""
        with Holding(frame) as holding:
            yield from self._iter_held_groups(frame, matches, calls, holding)

    def _iter_held_groups(
        self,
        frame: Frame,
        matches: Iterable[Any],
        calls: tuple[AggregateCall, ...],
        holding: Holding,
    ) -> Iterator[None]:
        groups: dict[tuple[bytes, ...], _Group] = {}
        for _ in matches:
            values = evaluate_all(frame, [key for key, _ in self.keys])
            charge_values(frame, *values)
            identity = tuple(map(group_key, values))
            group = groups.get(identity)
            if group is None:
                group = _Group(values, [Fold(call, holding) for call in calls], Bag())
                holding.add(identity, values, group.folds)
                groups[identity] = group
            for fold in group.folds:
                fold.feed(frame)
            if self.members_slot:
                member = {name: ion_value(frame[slot]) for name, slot in self.members}
                holding.add(member)
                group.members.append(member)
        for group in groups.values():
            self._bind(frame, group)
            yield

    def _bind(self, frame: Frame, group: _Group) -> None:
        for (_, slot), value in zip(self.keys, group.values, strict=True):
            bind(frame, slot, None if value is MISSING else value)
        for fold in group.folds:
            fold.store(frame)
        if self.members_slot:
            bind(frame, self.members_slot, group.members)


def compile_grouping(clauses: Clauses, scope: Scope, outer: list[Variable]) -> GroupPlan:
    """
    Compile GROUP BY; from here on the scope knows the keys, and rows only in aggregates.

    Args:
        clauses: with at least one key.
        scope: with the variables of the FROM clause.
        outer: the variables of the queries around this one.

    Raises:
        PartiqlSemanticError: a name that means nothing.

    """
    rows = list(scope.variables)
    grouping = Grouping(rows, {})
    keys: list[tuple[Evaluate, int]] = []
    variables: list[Variable] = []
    for key in clauses.group_by:
        slot = scope.reserve()
        keys.append((compile_expression(key.value, scope), slot))
        grouping.slots[spelling(key.value, rows)] = slot
        name = key.alias or _last_name(key)
        if name is not None:
            variables.append(Variable(name, slot, is_source=False))
    members_slot = 0
    if clauses.group_as is not None:
        members_slot = scope.reserve()
        variables.append(Variable(clauses.group_as, members_slot, is_source=False))
    scope.variables = [*outer, *variables]
    scope.grouping = grouping
    inner = rows[len(outer) :]
    members = tuple((variable.name, variable.slot) for variable in inner if variable.is_source)
    return GroupPlan(tuple(keys), members, members_slot)


def _last_name(key: GroupKey) -> str | None:
    """Name a key without alias by its last name, as a column would be."""
    if isinstance(key.value, Identifier):
        return key.value.name
    last = key.value.steps[-1] if isinstance(key.value, Path) else None
    return last.name if isinstance(last, FieldStep) else None

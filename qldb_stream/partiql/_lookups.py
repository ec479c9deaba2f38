"""
Which conditions of a WHERE clause an index could answer (facts 5.7).

Only what stands at the top level, joined by AND, and says `=` or IN about a field at a
document's top, or about its id. The other side may use parameters, constants and the
variables of sources further left, so that a join becomes look-ups by itself. What is
found here is a hint: the WHERE clause is checked on every row all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from qldb_stream.partiql._context import Evaluate, Frame, Lookup, LookupUse, TableKind
from qldb_stream.partiql._holding import Holding, evaluate_all
from qldb_stream.partiql._scope import Scope, Variable
from qldb_stream.partiql._values import SEQUENCES, decoded, is_unknown, kind_of
from qldb_stream.partiql._walk import is_light, walk
from qldb_stream.partiql.ast import (
    Binary,
    Expr,
    FieldStep,
    Identifier,
    In,
    ListExpr,
    Logical,
    Path,
    Select,
)

CompileExpression = Callable[[Expr, Scope], Evaluate]


@attrs.frozen
class LookupPlan:
    """A field (None: the document id) and what computes the values it must have one of."""

    use: LookupUse
    field: str | None
    values: tuple[Evaluate, ...]
    spread: bool  # the one value is a collection, its elements are the values
    is_light: bool  # computing the values builds nothing

    def evaluate(self, frame: Frame, holding: Holding) -> Lookup | None:
        """Compute the values for the rows further left; None when there is nothing to say."""
        if self.is_light:
            values = [decoded(value(frame)) for value in self.values]
        else:
            values = [decoded(value) for value in evaluate_all(frame, self.values)]
            holding.add(*values)
        if len(values) == 1 and type(values[0]) is str:  # most look-ups: an id
            return None if self.spread else Lookup(self.field, (values[0],))
        if self.spread:
            if is_unknown(values[0]) or kind_of(values[0]) not in SEQUENCES:
                return None
            values = [decoded(value) for value in values[0]]
        return Lookup(self.field, tuple(value for value in values if not is_unknown(value)))


def conjuncts(where: Expr | None) -> list[Expr]:
    """Take a condition apart into the conditions that AND joins."""
    if where is None:
        return []
    if isinstance(where, Logical) and where.operator == "AND":
        return [part for operand in where.operands for part in conjuncts(operand)]
    return [where]


def make_lookups(
    conditions: list[Expr], scope: Scope, source: Variable, compile_expression: CompileExpression
) -> tuple[LookupPlan, ...]:
    """
    Find the look-ups that one source's conditions allow.

    Args:
        conditions: what must hold, in the order of the text.
        scope: the variables up to and including this source and its AT and BY.
        source: the source's variable; it must be a table.
        compile_expression: the compiler of the other side.

    """
    plans: list[LookupPlan] = []
    for condition in conditions:
        for target, values, spread in _candidates(condition):
            if not _is_target(target, scope, source) or _depends(values, scope, source):
                continue
            computed = tuple(compile_expression(value, scope) for value in values)
            field = _field_of(target, scope, source)
            use = LookupUse(field, "=" if isinstance(condition, Binary) else "IN")
            plans.append(LookupPlan(use, field, computed, spread, is_light(*values)))
            break
    return tuple(plans)


def depth_of(expr: Expr, scope: Scope) -> int:
    """
    Tell how many variables must be bound before an expression can be evaluated.

    Everything, when it holds a query or a name whose source is only known at run time.
    """
    deepest = 0
    everything = len(scope.variables)
    for node in walk(expr):
        if isinstance(node, Select):
            return everything
        if isinstance(node, Identifier):
            variable = scope.variable_of(node)
            if variable is None or scope.may_be_field(node):
                return everything
            deepest = max(deepest, scope.variables.index(variable) + 1)
    return deepest


def _candidates(condition: Expr) -> list[tuple[Expr, tuple[Expr, ...], bool]]:
    """List what a condition says: this expression equals one of those."""
    if isinstance(condition, Binary) and condition.operator == "=":
        left, right = condition.left, condition.right
        return [(left, (right,), False), (right, (left,), False)]
    if isinstance(condition, In) and not condition.negated:
        collection = condition.collection
        if isinstance(collection, ListExpr):
            return [(condition.value, collection.items, False)]
        return [(condition.value, (collection,), True)]
    return []


def _depends(values: tuple[Expr, ...], scope: Scope, source: Variable) -> bool:
    """Tell whether values need this source's own row."""
    known = scope.variables.index(source)
    return any(depth_of(value, scope) > known for value in values)


def _is_target(target: Expr, scope: Scope, source: Variable) -> bool:
    """Tell whether an expression is the document id or a field an index may have."""
    variable = scope.variable_of(target)
    if variable is not None:
        return variable.by_of == source.slot
    return _classify(_names(target, scope, source), source) is not _NO_TARGET


def _field_of(target: Expr, scope: Scope, source: Variable) -> str | None:
    """Name the field that a target is; None for the document id."""
    if scope.variable_of(target) is not None:
        return None
    return _classify(_names(target, scope, source), source)


def _names(target: Expr, scope: Scope, source: Variable) -> list[FieldStep]:
    """List the field names that lead from a source's row to a target."""
    root = target.root if isinstance(target, Path) else target
    steps = list(target.steps) if isinstance(target, Path) else []
    if not isinstance(root, Identifier) or not all(isinstance(step, FieldStep) for step in steps):
        return []
    names = [step for step in steps if isinstance(step, FieldStep)]
    variable = scope.variable_of(root)
    if variable is source:
        # An index knows nothing of rows in which the name is a field's.
        return [] if scope.may_be_field(root) else names
    alone = scope.sources() == [source]
    if variable is None and alone and not root.lexical:
        return [FieldStep(root.name, root.case_sensitive), *names]
    return []


# Stands for "no target"; a field that really has this name is scanned for.
_NO_TARGET: Final = "\0"


def _classify(names: list[FieldStep], source: Variable) -> str | None:
    """Tell what the names mean in the source's view: a field, the id (None), or no target."""
    assert source.table is not None
    kind = source.table.kind
    if kind in (TableKind.USER, TableKind.SYSTEM):
        return names[0].name if len(names) == 1 else _NO_TARGET
    if len(names) != 2:  # noqa: PLR2004 - data.field or metadata.id
        return _NO_TARGET
    if _is_named(names[0], "metadata") and _is_named(names[1], "id"):
        return None
    if kind is TableKind.COMMITTED and _is_named(names[0], "data"):
        return names[1].name
    return _NO_TARGET


def _is_named(step: FieldStep, name: str) -> bool:
    return step.name == name or (not step.case_sensitive and step.name.lower() == name)

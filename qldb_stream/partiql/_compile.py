"""
Expressions become functions of a frame, once per statement text.

`compile_expression` gives decoded values, ready to compare. `compile_raw` gives what is
stored or returned: a parameter or a whole document passes through as the IonSlice it
came as. Nothing is looked up by name while rows are read: names become places in the
frame here.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.ion import IonSlice
from qldb_stream.partiql._arithmetic import make_arithmetic, make_concatenation, make_sign
from qldb_stream.partiql._casts import make_cast
from qldb_stream.partiql._compare import (
    make_between,
    make_equal,
    make_in,
    make_in_items,
    make_is,
    make_like,
    make_logical,
    make_not,
    make_ordered,
)
from qldb_stream.partiql._context import PARAMETERS, RAW_PARAMETERS, Evaluate, Frame, touch
from qldb_stream.partiql._functions import compile_call
from qldb_stream.partiql._holding import evaluate_all, make_operands
from qldb_stream.partiql._scope import AggregateCall, Scope
from qldb_stream.partiql._values import (
    MISSING,
    TEXTS,
    Bag,
    element_of,
    is_unknown,
    kind_of,
    member_of,
    text_of,
)
from qldb_stream.partiql._walk import is_light, pos_of
from qldb_stream.partiql.ast import (
    Aggregate,
    BagExpr,
    Between,
    Binary,
    Call,
    Cast,
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
    Node,
    Parameter,
    Path,
    Step,
    StructExpr,
    Unary,
    WildcardStep,
)


def compile_expression(expr: Expr, scope: Scope) -> Evaluate:
    """
    Compile an expression to a function that gives its decoded value.

    Raises:
        PartiqlSemanticError: a name that means nothing here.
        UnsupportedPartiqlError: a function or form that the ledger does not know.

    """
    key = maybe_key(expr, scope)
    return COMPILERS[type(expr)](expr, scope) if key is None else key


def maybe_key(expr: Expr, scope: Scope) -> Evaluate | None:
    """Compile an expression that is a key of GROUP BY; None when it is none."""
    slot = None if scope.grouping is None else scope.grouping.maybe_slot(expr)
    return None if slot is None else _slot(slot)


def compile_raw(expr: Expr, scope: Scope) -> Evaluate:
    """Compile an expression whose value is stored or returned: slices stay slices."""
    key = maybe_key(expr, scope)
    if key is not None:
        return key
    if isinstance(expr, Parameter):
        return _raw_parameter(expr.index)
    if isinstance(expr, IonLiteral):
        return constant(expr.value)
    if isinstance(expr, StructExpr):
        return _compile_struct(expr, scope, compile_raw)
    if isinstance(expr, ListExpr):
        return _compile_items(expr.items, scope, compile_raw, list)
    if isinstance(expr, BagExpr):
        return _compile_items(expr.items, scope, compile_raw, Bag)
    variable = scope.variable_of(expr)
    if variable is not None:
        return _exact_first(expr, scope, _raw_slot(variable.slot))
    return compile_expression(expr, scope)


# --- constants, parameters, names ------------------------------------------------------------


def constant(value: Any) -> Evaluate:
    """Make what gives the same value for every row."""

    def always(_: Frame) -> Any:
        return value

    return always


def _compile_literal(expr: Literal, _: Scope) -> Evaluate:
    return constant(expr.value)


def _compile_ion_literal(expr: IonLiteral, _: Scope) -> Evaluate:
    return constant(expr.value.decode())


def _raw_parameter(index: int) -> Evaluate:
    def parameter(frame: Frame) -> Any:
        return frame[RAW_PARAMETERS][index]

    return parameter


def _compile_parameter(expr: Parameter, _: Scope) -> Evaluate:
    index = expr.index

    def parameter(frame: Frame) -> Any:
        value = frame[PARAMETERS][index]
        if type(value) is IonSlice:
            value = frame[PARAMETERS][index] = value.decode()
        return value

    return parameter


def _raw_slot(slot: int) -> Evaluate:
    def variable(frame: Frame) -> Any:
        return frame[slot]

    return variable


def _slot(slot: int) -> Evaluate:
    def variable(frame: Frame) -> Any:
        value = frame[slot + 1]
        return touch(frame, slot) if value is None else value

    return variable


def _compile_identifier(expr: Identifier, scope: Scope) -> Evaluate:
    """Compile a name: a variable, or a field of what FROM ranges over."""
    variable = scope.variable_of(expr)
    if variable is not None:
        return _exact_first(expr, scope, _slot(variable.slot))
    if scope.is_hidden(expr):
        scope.reject(expr.pos, f"'{expr.name}' is neither a key of GROUP BY nor in an aggregate")
    sources = scope.sources()
    if expr.lexical or not sources:
        problem = f"No such variable named '{expr.name}'"
        scope.reject(expr.pos, f"{problem}; {problem}")
    step = FieldStep(expr.name, expr.case_sensitive, expr.pos)
    if len(sources) == 1:
        return _field_of_slot(sources[0].slot, step)
    return _field_of_first(tuple(_field_of_slot(source.slot, step) for source in sources))


def _exact_first(expr: Expr, scope: Scope, variable: Evaluate) -> Evaluate:
    """Read a variable; before it a field, where the name may mean one of its spelling."""
    if not scope.may_be_field(expr):
        return variable
    assert isinstance(expr, Identifier)
    step = FieldStep(expr.name, True, expr.pos)  # noqa: FBT003 - the tree's field
    fields = tuple(_field_of_slot(source.slot, step) for source in scope.sources())
    return _field_of_first((*fields, variable))


def _field_of_slot(slot: int, step: FieldStep) -> Evaluate:
    """Read a field of a variable; the way of nearly every WHERE clause."""
    name = step.name
    case_sensitive = step.case_sensitive
    decoded_slot = slot + 1

    def field(frame: Frame) -> Any:
        value = frame[decoded_slot]
        if value is None:
            value = touch(frame, slot)
        if type(value) is dict:
            found = value.get(name, MISSING)
            if type(found) is IonSlice:
                found = value[name] = found.decode()
            if found is not MISSING:
                return found
        return member_of(value, name, case_sensitive=case_sensitive)

    return field


def _field_of_first(fields: tuple[Evaluate, ...]) -> Evaluate:
    """Read what comes first of these and is there."""

    def field(frame: Frame) -> Any:
        for candidate in fields:
            value = candidate(frame)
            if value is not MISSING:
                return value
        return MISSING

    return field


# --- paths -----------------------------------------------------------------------------------


def _compile_path(expr: Path, scope: Scope) -> Evaluate:
    """Compile a path; its first field is read straight from a variable's place."""
    variable = scope.variable_of(expr.root)
    first = expr.steps[0]
    is_variable = variable is not None and not scope.may_be_field(expr.root)
    if variable is not None and is_variable and isinstance(first, FieldStep):
        return _compile_steps(_field_of_slot(variable.slot, first), expr.steps[1:], scope)
    return _compile_steps(compile_expression(expr.root, scope), expr.steps, scope)


def _compile_steps(value: Evaluate, steps: tuple[Step, ...], scope: Scope) -> Evaluate:
    for step in steps:
        value = _compile_step(value, step, scope)
    return value


def _compile_step(value: Evaluate, step: Step, scope: Scope) -> Evaluate:
    if isinstance(step, WildcardStep):
        scope.refuse(step.pos, "a wildcard in a path")
    if isinstance(step, FieldStep):
        return _field(value, step.name, case_sensitive=step.case_sensitive)
    assert isinstance(step, IndexStep)
    return _element(value, compile_expression(step.index, scope), light=is_light(step.index))


def _field(value: Evaluate, name: str, *, case_sensitive: bool) -> Evaluate:
    def field(frame: Frame) -> Any:
        return member_of(value(frame), name, case_sensitive=case_sensitive)

    return field


def _element(value: Evaluate, index: Evaluate, *, light: bool) -> Evaluate:
    operands = make_operands(value, index, light=light)

    def element(frame: Frame) -> Any:
        return element_of(*operands(frame))

    return element


# --- constructors ------------------------------------------------------------------------------


def ion_value(value: Any) -> Any:
    """Give what is stored or returned for a value: a bag becomes a list (facts 5.4)."""
    if type(value) is Bag:
        return list(value)
    return None if value is MISSING else value


def _compile_items(
    items: tuple[Expr, ...],
    scope: Scope,
    compile_item: Callable[[Expr, Scope], Evaluate],
    make: Callable[[Any], Any],
) -> Evaluate:
    """Compile a list or bag; MISSING among its items becomes NULL."""
    parts = tuple(compile_item(item, scope) for item in items)

    def sequence(frame: Frame) -> Any:
        return make([ion_value(value) for value in evaluate_all(frame, parts)])

    return sequence


def _compile_list(expr: ListExpr, scope: Scope) -> Evaluate:
    return _compile_items(expr.items, scope, compile_expression, list)


def _compile_bag(expr: BagExpr, scope: Scope) -> Evaluate:
    return _compile_items(expr.items, scope, compile_expression, Bag)


def _compile_struct_expr(expr: StructExpr, scope: Scope) -> Evaluate:
    return _compile_struct(expr, scope, compile_expression)


def _compile_struct(
    expr: StructExpr, scope: Scope, compile_value: Callable[[Expr, Scope], Evaluate]
) -> Evaluate:
    """Compile a struct; members that are MISSING are left out, a repeated name is kept."""
    keys = tuple(_compile_key(key, scope) for key, _ in expr.members)
    parts = tuple(compile_value(value, scope) for _, value in expr.members)

    def struct(frame: Frame) -> Any:
        members = zip(evaluate_all(frame, keys), evaluate_all(frame, parts), strict=True)
        return make_struct([(name, value) for name, value in members if value is not MISSING])

    return struct


def _compile_key(key: Expr, scope: Scope) -> Evaluate:
    """Compile a struct's key, which must turn out to be text."""
    value = compile_expression(key, scope)
    failure = failure_at(scope, key)

    def name(frame: Frame) -> str:
        found = value(frame)
        if is_unknown(found) or kind_of(found) not in TEXTS:
            raise failure("a struct's key must be text")
        return str(text_of(found) or "")

    return name


def make_struct(members: list[tuple[str, Any]]) -> Any:
    """Build a struct: a dict, or the type that can hold repeated names."""
    struct = {name: ion_value(value) for name, value in members}
    if len(struct) == len(members):
        return struct
    from amazon.ion.simple_types import IonPyDict  # rarely needed, and not cheap to import

    repeated = IonPyDict()
    for name, value in members:
        repeated.add_item(name, ion_value(value))
    return repeated


# --- operators ---------------------------------------------------------------------------------


def failure_at(scope: Scope, node: Node) -> Callable[[str], PartiqlEvaluationError]:
    """Give what builds a located evaluation error for a node."""
    pos = pos_of(node)

    def failure(problem: str) -> PartiqlEvaluationError:
        return scope.failure(pos, problem)

    return failure


def _compile_unary(expr: Unary, scope: Scope) -> Evaluate:
    if expr.operator == "-" and isinstance(expr.operand, Literal):
        number = expr.operand.value
        if isinstance(number, Decimal):
            return constant(number.copy_negate())
        if type(number) is int:
            return constant(-number)
    operand = compile_expression(expr.operand, scope)
    if expr.operator == "NOT":
        return make_not(operand, failure_at(scope, expr))
    return make_sign(expr.operator, operand, failure_at(scope, expr))


def _compile_binary(expr: Binary, scope: Scope) -> Evaluate:
    left = compile_expression(expr.left, scope)
    right = compile_expression(expr.right, scope)
    operator = expr.operator
    light = is_light(expr.right)
    if operator in ("=", "<>"):
        return make_equal(left, right, negated=operator == "<>", light=light)
    if operator in ("<", "<=", ">", ">="):
        return make_ordered(operator, left, right, light=light)
    if operator == "||":
        return make_concatenation(left, right, failure_at(scope, expr))
    return make_arithmetic(operator, left, right, failure_at(scope, expr), light=light)


def _compile_logical(expr: Logical, scope: Scope) -> Evaluate:
    operands = tuple(compile_expression(operand, scope) for operand in expr.operands)
    return make_logical(expr.operator, operands, failure_at(scope, expr))


def _compile_in(expr: In, scope: Scope) -> Evaluate:
    value = compile_expression(expr.value, scope)
    if isinstance(expr.collection, ListExpr):
        items = tuple(compile_expression(item, scope) for item in expr.collection.items)
        light = is_light(*expr.collection.items)
        return make_in_items(value, items, negated=expr.negated, light=light)
    collection = compile_expression(expr.collection, scope)
    return make_in(value, collection, negated=expr.negated, light=is_light(expr.value))


def _compile_is(expr: Is, scope: Scope) -> Evaluate:
    return make_is(compile_expression(expr.value, scope), expr.type_name, negated=expr.negated)


def _compile_between(expr: Between, scope: Scope) -> Evaluate:
    return make_between(
        compile_expression(expr.value, scope),
        compile_expression(expr.low, scope),
        compile_expression(expr.high, scope),
        negated=expr.negated,
        light=is_light(expr.low, expr.high),
    )


def _compile_like(expr: Like, scope: Scope) -> Evaluate:
    escape = None if expr.escape is None else compile_expression(expr.escape, scope)
    return make_like(
        compile_expression(expr.value, scope),
        compile_expression(expr.pattern, scope),
        escape,
        failure_at(scope, expr),
        negated=expr.negated,
        light=is_light(expr.pattern) and (expr.escape is None or is_light(expr.escape)),
    )


# --- calls -------------------------------------------------------------------------------------


def _compile_call(expr: Call, scope: Scope) -> Evaluate:
    arguments = tuple(compile_expression(argument, scope) for argument in expr.arguments)
    return compile_call(expr, arguments, scope, failure_at(scope, expr))


def _compile_cast(expr: Cast, scope: Scope) -> Evaluate:
    value = compile_expression(expr.value, scope)
    return make_cast(value, expr.type_name, failure_at(scope, expr))


def _compile_aggregate(expr: Aggregate, scope: Scope) -> Evaluate:
    """Give an aggregate its place in the frame; the SELECT that owns it fills it."""
    if scope.aggregates is None:
        scope.reject(expr.pos, f"aggregate {expr.name} is only allowed in a SELECT list")
    argument = None if expr.argument is None else _compile_argument(expr.argument, scope)
    slot = scope.reserve()
    line, column = scope.locate(expr.pos)
    scope.aggregates.append(AggregateCall(expr.name, argument, slot, line, column, expr.distinct))
    return _raw_slot(slot)


def _compile_argument(argument: Expr, scope: Scope) -> Evaluate:
    """Compile what an aggregate folds: it sees single rows, and no other aggregate."""
    calls, grouping, variables = scope.aggregates, scope.grouping, scope.variables
    scope.aggregates, scope.grouping = None, None
    if grouping is not None:
        scope.variables = grouping.rows
    compiled = compile_expression(argument, scope)
    scope.aggregates, scope.grouping, scope.variables = calls, grouping, variables
    return compiled


# A node's type -> its compiler. The rooms of CASE and of queries add theirs.
COMPILERS: Final[dict[type, Callable[[Any, Scope], Evaluate]]] = {
    Literal: _compile_literal,
    IonLiteral: _compile_ion_literal,
    Parameter: _compile_parameter,
    Identifier: _compile_identifier,
    Path: _compile_path,
    Unary: _compile_unary,
    Binary: _compile_binary,
    Logical: _compile_logical,
    In: _compile_in,
    Is: _compile_is,
    Between: _compile_between,
    Like: _compile_like,
    ListExpr: _compile_list,
    BagExpr: _compile_bag,
    StructExpr: _compile_struct_expr,
    Call: _compile_call,
    Cast: _compile_cast,
    Aggregate: _compile_aggregate,
}

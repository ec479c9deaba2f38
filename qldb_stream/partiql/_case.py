"""CASE, which only extensions allow: the first branch whose condition is true."""

from __future__ import annotations

from typing import Any

from qldb_stream.partiql._compare import make_equal, truth_of
from qldb_stream.partiql._compile import (
    COMPILERS,
    compile_expression,
    compile_raw,
    constant,
    failure_at,
)
from qldb_stream.partiql._context import Evaluate, Frame
from qldb_stream.partiql._scope import Scope
from qldb_stream.partiql._values import decoded
from qldb_stream.partiql._walk import is_light
from qldb_stream.partiql.ast import Case, Expr


def _compile_case(expr: Case, scope: Scope) -> Evaluate:
    """Compile CASE, simple (an operand that must equal) or searched (conditions)."""
    branches = tuple(
        (
            _compile_when(expr.operand, condition, scope),
            failure_at(scope, condition),
            compile_raw(value, scope),
        )
        for condition, value in expr.branches
    )
    otherwise = constant(None) if expr.otherwise is None else compile_raw(expr.otherwise, scope)

    def case(frame: Frame) -> Any:
        for condition, failure, value in branches:
            if truth_of(condition(frame), failure) is True:
                return decoded(value(frame))
        return decoded(otherwise(frame))

    return case


def _compile_when(operand: Expr | None, condition: Expr, scope: Scope) -> Evaluate:
    compiled = compile_expression(condition, scope)
    if operand is None:
        return compiled
    value = compile_expression(operand, scope)
    return make_equal(value, compiled, negated=False, light=is_light(condition))


COMPILERS[Case] = _compile_case

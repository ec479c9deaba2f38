"""
compile_predicate: an expression becomes a condition on one document, without any tables.

The document stands where a FROM clause's single source would: by its name, and with its
fields as names of their own. Truth is WHERE's: unknown is not true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from qldb_stream.partiql._compile import compile_expression, failure_at
from qldb_stream.partiql._context import (
    Check,
    Context,
    Lookup,
    TableRef,
    bind,
    make_frame,
    no_such_variable,
)
from qldb_stream.partiql._cursor import Cursor
from qldb_stream.partiql._expressions import parse_expression
from qldb_stream.partiql._from import Condition
from qldb_stream.partiql._lexer import END
from qldb_stream.partiql._parse import check_height
from qldb_stream.partiql._scope import Scope, Variable
from qldb_stream.partiql._walk import walk
from qldb_stream.partiql.ast import Call, Expr, Parameter

# What these answer depends on when and where they are asked.
_CHANGING: Final = frozenset({"TXID", "UTCNOW"})


class _NoTables:
    """Stands for the tables of an execution that has none."""

    def iter_rows(
        self, table: TableRef, _lookups: tuple[Lookup, ...], _bounds: tuple[Any, ...]
    ) -> Iterable[tuple[str | None, Any]]:
        raise no_such_variable(table)


_NO_TABLES: Final = _NoTables()


@attrs.frozen
class Predicate:
    """A condition on a document; immutable, and shared between threads as plans are."""

    _condition: Condition
    _slot: int
    _size: int

    def admits(
        self,
        document: Any,
        *,
        check: Check | None = None,
        hold: Callable[[int], None] | None = None,
    ) -> bool:
        """
        Tell whether the condition is true of a document.

        Args:
            document: an Ion value, decoded or as IonSlice.
            check: bounds the work, as `Context.check` says; what it raises passes through.
            hold: bounds the memory, as `Context.hold` says.

        Raises:
            PartiqlEvaluationError: the expression fails on this document.
            IonDecodeError: the document is not sound Ion.

        """
        frame = make_frame(Context(_NO_TABLES, check=check, hold=hold), self._size)
        bind(frame, self._slot, document)
        return self._condition.holds(frame)


def compile_predicate(text: str, name: str) -> Predicate:
    """
    Compile an expression about one document.

    It gives the same answer for the same document at any time and anywhere, so it may have
    no parameters, read no tables, and not ask for the time or a transaction. CASE and what
    else `extensions` allow may be used.

    Args:
        text: an expression, as after WHERE; the caller bounds its length.
        name: what it may call the document; the fields are names of their own.

    Raises:
        PartiqlParseError: not an expression; says where.
        PartiqlSemanticError: a name that means nothing, or something that is not allowed here.
        UnsupportedPartiqlError: a function or form that this library does not know.

    """
    cursor = Cursor(text, extensions=True)
    expr = parse_expression(cursor)
    if cursor.kind != END:
        cursor.fail("unexpected token found", cursor.reserved_hint())
    check_height(text, expr)
    scope = Scope(text)
    _check_constant(expr, scope)
    scope.variables.append(Variable(name, scope.reserve()))
    slot = scope.variables[0].slot
    evaluate = compile_expression(expr, scope)
    for access in scope.accesses:
        if access.table is not None:
            raise no_such_variable(access.table)
    return Predicate(Condition(evaluate, failure_at(scope, expr)), slot, scope.size)


def _check_constant(expr: Expr, scope: Scope) -> None:
    """Make sure that an expression depends on the document and on nothing else."""
    for node in walk(expr):
        if isinstance(node, Parameter):
            scope.reject(node.pos, "a condition on a document has no parameters")
        if isinstance(node, Call) and node.name in _CHANGING:
            scope.reject(node.pos, f"{node.name}() is another at every moment")

"""
compile_statement: a ParsedStatement becomes a plan that can be executed again and again.

A plan is immutable and holds nothing of an execution: it may be cached by the
statement's text, and shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from qldb_stream import ion
from qldb_stream.errors import PartiqlEvaluationError, PartiqlSemanticError
from qldb_stream.ion import IonSlice, IonType
from qldb_stream.partiql._compile import compile_expression, compile_raw, failure_at
from qldb_stream.partiql._context import (
    Context,
    Evaluate,
    Frame,
    SourceAccess,
    TableRef,
    make_frame,
)
from qldb_stream.partiql._from import SourcePlan, compile_sources, iter_matches, table_of
from qldb_stream.partiql._holding import Holding
from qldb_stream.partiql._modify import (
    OperationPlan,
    check_document,
    check_table,
    compile_delete,
    compile_operation,
)
from qldb_stream.partiql._parse import ParsedStatement
from qldb_stream.partiql._scope import Scope, Variable
from qldb_stream.partiql._select import QueryPlan, compile_query
from qldb_stream.partiql._values import MISSING, Bag, Kind, kind_of
from qldb_stream.partiql.ast import (
    CreateTable,
    Delete,
    Exec,
    Expr,
    Insert,
    Modify,
    Operation,
    Select,
    Source,
    Statement,
)

Edit = Callable[[Any], Any]


@attrs.frozen
class Change:
    """
    What a statement makes of one document.

    `after` is None for a delete, else a decoded struct or an IonSlice. `assignments`
    says how often the statement's index is listed in transactionInfo (facts 2.3).
    """

    document_id: str
    before: Any
    after: Any
    assignments: int


@attrs.frozen
class SelectPlan:
    """A query, ready to be executed."""

    sources: tuple[SourceAccess, ...]
    _query: QueryPlan
    _parameter_count: int
    _size: int

    def iter_rows(self, context: Context) -> Iterator[Any]:
        """
        Yield the rows of the answer: Ion values, slices among them at any depth.

        Raises:
            PartiqlSemanticError: too few or too many parameters, or no such table.
            PartiqlEvaluationError: the statement fails on a value it met.

        """
        return self._query.iter_values(_frame(context, self._parameter_count, self._size))


@attrs.frozen
class InsertPlan:
    """An INSERT into a table, ready to be executed."""

    table: TableRef
    sources: tuple[SourceAccess, ...]
    _documents: Evaluate
    _single: bool
    _failure: Callable[[str], PartiqlEvaluationError]
    _parameter_count: int
    _size: int

    def documents(self, context: Context) -> list[Any]:
        """
        Give the documents to insert, in order: decoded structs or IonSlices.

        Raises:
            PartiqlSemanticError: too few or too many parameters.
            PartiqlEvaluationError: something that is no struct.

        """
        value = self._documents(_frame(context, self._parameter_count, self._size))
        items = [value] if self._single else _documents_in(value)
        return [check_document(item, self._failure) for item in items]


@attrs.frozen
class ModifyPlan:
    """An UPDATE, DELETE or FROM statement, ready to be executed."""

    table: TableRef
    sources: tuple[SourceAccess, ...]
    _ranges: tuple[SourcePlan, ...]
    _operation: OperationPlan
    _parameter_count: int
    _size: int

    def changes(self, context: Context) -> list[Change]:
        """
        Give what each matched document becomes, in the order of the first match.

        Nothing is changed by this; after an error nothing needs to be undone.

        Raises:
            PartiqlSemanticError: too few or too many parameters, or no such table.
            PartiqlEvaluationError: the statement fails on a value it met.

        """
        frame = _frame(context, self._parameter_count, self._size)
        slot = self._ranges[0].slot
        edits: dict[str, tuple[Any, dict[Edit, None]]] = {}
        with Holding(frame) as holding:
            for document_id in iter_matches(frame, self._ranges):
                assert document_id is not None, "a table's rows carry their document ids"
                edit = self._operation.prepare(frame, holding)
                if document_id not in edits:
                    holding.add(document_id, frame[slot])
                    edits[document_id] = frame[slot], {}
                holding.add(None)
                edits[document_id][1][edit] = None
        assignments, backwards = self._operation.assignments, self._operation.backwards
        return [
            Change(
                document_id,
                before,
                _apply(before, reversed(todo) if backwards else todo),
                assignments * len(todo),
            )
            for document_id, (before, todo) in edits.items()
        ]


Plan = SelectPlan | InsertPlan | ModifyPlan


def compile_statement(parsed: ParsedStatement) -> Plan:
    """
    Compile a statement that reads or writes documents.

    Raises:
        PartiqlSemanticError: a name or a target that makes no sense.
        UnsupportedPartiqlError: a function or form that the ledger does not know.

    """
    scope = Scope(parsed.text)
    statement = parsed.statement
    if isinstance(statement, Select):
        query = compile_query(statement, scope)
        return SelectPlan(tuple(scope.accesses), query, parsed.parameter_count, scope.size)
    if isinstance(statement, Insert):
        return _compile_insert(statement, parsed, scope)
    if isinstance(statement, Modify):
        sources, operation = statement.sources, statement.operation
        return _compile_modify(sources, statement.where, operation, parsed, scope)
    if isinstance(statement, Delete):
        return _compile_modify((statement.source,), statement.where, None, parsed, scope)
    raise AssertionError(f"{type(statement).__name__} is read from its tree, not compiled")


def evaluate_arguments(parsed: ParsedStatement, context: Context) -> list[Any]:
    """
    Evaluate what a statement without a plan was given; each a decoded Ion value.

    These are the arguments of an EXEC, or the `aws_tags` of a CREATE TABLE that has some;
    other definitions of tables and indexes take nothing, not even parameters.

    Raises:
        PartiqlSemanticError: too few or too many parameters, or a name among them.
        PartiqlEvaluationError: an argument cannot be computed.

    """
    scope = Scope(parsed.text)
    arguments = [compile_expression(argument, scope) for argument in _arguments(parsed.statement)]
    frame = _frame(context, parsed.parameter_count, scope.size)
    return [argument(frame) for argument in arguments]


def _arguments(statement: Statement) -> tuple[Expr, ...]:
    if isinstance(statement, Exec):
        return statement.arguments
    tags = statement.tags if isinstance(statement, CreateTable) else None
    return () if tags is None else (tags,)


def _compile_insert(statement: Insert, parsed: ParsedStatement, scope: Scope) -> InsertPlan:
    table = table_of(statement.table, scope)
    check_table(scope, Variable("", 0, table=table), statement.table.pos)
    assert table is not None
    documents = compile_raw(statement.documents, scope)
    failure = failure_at(scope, statement.documents)
    count = parsed.parameter_count
    return InsertPlan(
        table, tuple(scope.accesses), documents, statement.single, failure, count, scope.size
    )


def _compile_modify(
    sources: tuple[Source, ...],
    where: Expr | None,
    operation: Operation | None,
    parsed: ParsedStatement,
    scope: Scope,
) -> ModifyPlan:
    plans = compile_sources(sources, where, scope, changing=True)
    table = check_table(scope, scope.variables[0], sources[0].pos)
    for source, joined in zip(sources[1:], plans[1:], strict=True):
        if joined.table is not None:
            scope.reject(source.pos, "a statement can change one table only")
    plan = compile_delete() if operation is None else compile_operation(operation, scope, table)
    assert table.table is not None
    return ModifyPlan(
        table.table, tuple(scope.accesses), plans, plan, parsed.parameter_count, scope.size
    )


def _frame(context: Context, parameter_count: int, size: int) -> Frame:
    """Make the frame of an execution that has the right number of parameters."""
    found = len(context.parameters)
    if found != parameter_count:
        noun = "parameter" if parameter_count == 1 else "parameters"
        problem = f"expected {parameter_count} {noun}, found {found}"
        raise PartiqlSemanticError(1, 1, problem)
    return make_frame(context, size)


def _documents_in(value: Any) -> list[Any]:
    """Take the documents out of what INSERT was given: one struct, or a list of them."""
    if type(value) is IonSlice:
        is_list = value.ion_type is IonType.LIST and not value.is_null
        return list(ion.iter_elements(value)) if is_list else [value]
    if type(value) is Bag or kind_of(value) is Kind.LIST:
        return list(value)
    return [] if value is MISSING else [value]


def _apply(document: Any, edits: Iterable[Edit]) -> Any:
    """Carry out a document's edits one after another; a delete ends them."""
    for edit in edits:
        document = edit(document)
        if document is None:
            break
    return document

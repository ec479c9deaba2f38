"""
UPDATE, DELETE and FROM ... SET / INSERT INTO / REMOVE: rows in, new documents out.

All rows are matched before the first change is computed, so that a statement never
meets its own work. Right-hand sides see the document as it was. Nothing is written
here: the caller is told what each document becomes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._compile import compile_expression, compile_raw, failure_at, ion_value
from qldb_stream.partiql._context import Frame, TableKind
from qldb_stream.partiql._documents import Key, with_inserted, with_value, without_value
from qldb_stream.partiql._holding import Holding, large_size
from qldb_stream.partiql._scope import Scope, Variable
from qldb_stream.partiql._values import (
    MISSING,
    TEXTS,
    Kind,
    decoded,
    is_unknown,
    kind_of,
    member_of,
    text_of,
)
from qldb_stream.partiql._walk import pos_of
from qldb_stream.partiql.ast import (
    Assignment,
    Expr,
    FieldStep,
    Identifier,
    IndexStep,
    InsertInto,
    Operation,
    Path,
    Remove,
    SetFields,
    Step,
)

Failure = Callable[[str], PartiqlEvaluationError]
Prepare = Callable[[Frame, Holding], Callable[[Any], Any]]
MaybeKey = Callable[[Frame], Key | None]

# What an edit returns for a document that is to be deleted.
DELETED: Final = None


@attrs.frozen
class OperationPlan:
    """
    What is done to each matched document.

    `prepare` reads everything it needs from the bound row, notes it as held, and returns the
    edit, which turns a document into the next one, or into DELETED. Equal edits are one, and with
    `backwards` the last comes first: so what is removed leaves the ordinals before it.
    """

    prepare: Prepare
    assignments: int
    backwards: bool = False


def compile_delete() -> OperationPlan:
    """Compile DELETE."""
    return OperationPlan(lambda _frame, _holding: lambda _document: DELETED, 1)


def compile_operation(operation: Operation, scope: Scope, table: Variable) -> OperationPlan:
    """
    Compile SET, INSERT INTO or REMOVE on a table's documents.

    Raises:
        PartiqlSemanticError: a target that is no part of the document.

    """
    if isinstance(operation, SetFields):
        return _compile_set(operation, scope, table)
    if isinstance(operation, InsertInto):
        return _compile_insert(operation, scope, table)
    assert isinstance(operation, Remove)
    return _compile_remove(operation, scope, table)


def check_document(value: Any, failure: Failure) -> Any:
    """Give back a document, which must be a struct (facts 5.1)."""
    if kind_of(value) is not Kind.STRUCT:
        raise failure(f"a document must be a struct, found {kind_of(value).name.lower()}")
    return value


def _compile_set(operation: SetFields, scope: Scope, table: Variable) -> OperationPlan:
    parts = tuple(_compile_assignment(part, scope, table) for part in operation.assignments)

    def prepare(frame: Frame, holding: Holding) -> Callable[[Any], Any]:
        edits = [part(frame, holding) for part in parts]

        def edit(document: Any) -> Any:
            for change in edits:
                document = change(document)
            return document

        return edit

    return OperationPlan(prepare, len(parts))


def _compile_assignment(part: Assignment, scope: Scope, table: Variable) -> Prepare:
    """Compile `path = value`; the alias alone means the whole document."""
    path = _compile_target(part.target, scope, table)
    value = compile_raw(part.value, scope)
    failure = failure_at(scope, part)

    def prepare(frame: Frame, holding: Holding) -> Callable[[Any], Any]:
        keys = _keys(path, frame)
        new = value(frame)
        holding.grow(large_size(new))
        if new is MISSING:
            raise failure("SET needs a value, found missing")
        new = ion_value(new)
        if not keys:
            check_document(new, failure)
        return lambda document: with_value(document, keys, new, failure)

    return prepare


def _compile_insert(operation: InsertInto, scope: Scope, table: Variable) -> OperationPlan:
    path = _compile_target(operation.target, scope, table)
    value = compile_raw(operation.value, scope)
    key = None if operation.key is None else compile_expression(operation.key, scope)
    failure = failure_at(scope, operation.target)

    def prepare(frame: Frame, holding: Holding) -> Callable[[Any], Any]:
        keys = _keys(path, frame)
        new = value(frame)
        holding.grow(large_size(new))
        if new is MISSING:
            raise failure("INSERT INTO needs a value, found missing")
        place = None if key is None else _plain_key(key(frame), failure)
        return lambda document: with_inserted(document, keys, place, ion_value(new), failure)

    return OperationPlan(prepare, 1)


def _compile_remove(operation: Remove, scope: Scope, table: Variable) -> OperationPlan:
    path = _compile_target(operation.target, scope, table)
    failure = failure_at(scope, operation.target)
    if not path:
        return compile_delete()

    def prepare(frame: Frame, _: Holding) -> Callable[[Any], Any]:
        return _Removal(tuple(_keys(path, frame)), failure)

    return OperationPlan(prepare, 1, backwards=True)


@attrs.frozen
class _Removal:
    """The edit of REMOVE; two that remove the same are equal."""

    keys: tuple[Key, ...]
    failure: Failure = attrs.field(eq=False)

    def __call__(self, document: Any) -> Any:
        return without_value(document, list(self.keys), self.failure)


# --- targets -------------------------------------------------------------------------------------


def _compile_target(target: Expr, scope: Scope, table: Variable) -> tuple[MaybeKey, ...]:
    """Compile the path inside the document that a target means."""
    root = target.root if isinstance(target, Path) else target
    steps = target.steps if isinstance(target, Path) else ()
    assert isinstance(root, Identifier)
    variable = scope.variable_of(root)
    if variable is None:
        steps = (FieldStep(root.name, root.case_sensitive, root.pos), *steps)
    elif variable is not table and variable.origin is None:
        scope.reject(root.pos, f"'{root.name}' cannot be changed")
    before = () if variable is None else _compile_origin(variable, scope)
    if scope.may_be_field(root):
        exact = _exact_key(root.name, table)
        before = (exact, *(_key_without(exact, key) for key in before))
    return (*before, *(_compile_key(step, scope) for step in steps))


def _compile_origin(variable: Variable, scope: Scope) -> tuple[MaybeKey, ...]:
    """Compile the path to the element that a nested collection's variable is bound to."""
    origin = variable.origin
    if origin is None:
        return ()
    before = _compile_origin(origin.parent, scope)
    steps = tuple(_compile_key(step, scope) for step in origin.steps)
    if origin.exact is not None:
        before = (*before, _exact_key(origin.exact, origin.parent))
    return (*before, *steps, _position(origin.position_slot))


def _exact_key(name: str, source: Variable) -> MaybeKey:
    """Step into the field of exactly that name, where a source's row has it."""
    step = FieldStep(name, case_sensitive=True)

    def key(frame: Frame) -> Key | None:
        found = member_of(frame[source.slot], name, case_sensitive=True)
        return None if found is MISSING else step

    return key


def _key_without(other: MaybeKey, inner: MaybeKey) -> MaybeKey:
    """Take a step where another is not to be taken."""

    def key(frame: Frame) -> Key | None:
        return inner(frame) if other(frame) is None else None

    return key


def _position(slot: int) -> MaybeKey:
    def key(frame: Frame) -> Key | None:
        position = frame[slot]
        return None if position is MISSING else int(position)

    return key


def _keys(path: tuple[MaybeKey, ...], frame: Frame) -> list[Key]:
    """Compute a path; what is no list is the only element of itself, and no step."""
    keys = (key(frame) for key in path)
    return [key for key in keys if key is not None]


def _compile_key(step: Step, scope: Scope) -> Callable[[Frame], Key]:
    """Compile one step of a target."""
    if isinstance(step, FieldStep):
        return _constant_key(step)
    if not isinstance(step, IndexStep):
        scope.refuse(pos_of(step), "a wildcard in a path")
    index = compile_expression(step.index, scope)
    failure = failure_at(scope, step.index)

    def key(frame: Frame) -> Key:
        plain = _plain_key(index(frame), failure)
        return plain if isinstance(plain, int) else FieldStep(plain, case_sensitive=True)

    return key


def _constant_key(step: FieldStep) -> Callable[[Frame], Key]:
    def key(_: Frame) -> Key:
        return step

    return key


def _plain_key(value: Any, failure: Failure) -> int | str:
    """Give an ordinal or a name as plain Python."""
    value = decoded(value)
    kind = kind_of(value)
    if not is_unknown(value) and kind is Kind.INT:
        return int(value)
    if kind in TEXTS:
        return str(text_of(value) or "")
    raise failure(f"expected an ordinal or a name, found {kind.name.lower()}")


def check_table(scope: Scope, table: Variable | None, pos: int) -> Variable:
    """Make sure that a statement changes a table's user view (facts 5.1)."""
    if table is None or table.table is None:
        scope.reject(pos, "only the documents of a table can be changed")
    if table.table.kind is not TableKind.USER:
        scope.reject(pos, "only the default view of a table can be changed")
    return table

"""
Documents changed along a path; everything beside the path stays what it was.

A change copies the containers along the path and shares the rest, so the document
that was read is never altered. A container keeps its type and annotations: a plain
dict or list stays plain, amazon.ion's stay amazon.ion's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._values import Kind, decoded, kind_of, member_name
from qldb_stream.partiql.ast import FieldStep

Failure = Callable[[str], PartiqlEvaluationError]

# A step of a path whose value is known: a name as written, or an ordinal from 0.
Key = FieldStep | int


def with_value(document: Any, path: list[Key], value: Any, failure: Failure) -> Any:
    """
    Give the document in which what stands at a path is replaced by a value.

    A missing member at the end of the path is created; a missing ordinal is an error.

    Raises:
        PartiqlEvaluationError: the path leads nowhere.

    """
    if not path:
        return value
    document = decoded(document)
    here, rest = path[0], path[1:]
    if isinstance(here, int):
        _check_ordinal(document, path, failure)
        changed = _copied_list(document)
        changed[here] = with_value(document[here], rest, value, failure)
        return changed
    name = _found_name(document, here, path, failure)
    if name is None and rest:
        raise _unresolved(path, failure)
    changed = _copied_struct(document)
    old = None if name is None else _first_value(document, name)
    changed[here.name if name is None else name] = with_value(old, rest, value, failure)
    return changed


def with_inserted(document: Any, path: list[Key], key: Any, value: Any, failure: Failure) -> Any:
    """
    Give the document with a value added to the list or struct at a path.

    Args:
        document: a decoded document.
        path: leads to the container.
        key: an ordinal or None (append) for a list, a name for a struct.
        value: what is added.
        failure: builds the located error.

    Raises:
        PartiqlEvaluationError: no container there, or the key does not fit it.

    """
    container = value_at(document, path, failure)
    kind = kind_of(container)
    if kind in (Kind.LIST, Kind.SEXP):
        place = len(container) if key is None else key
        if not isinstance(place, int) or not 0 <= place <= len(container):
            rest: Key = place if isinstance(place, int) else FieldStep(str(place))
            raise _unresolved([rest], failure)
        changed = _copied_list(container)
        changed.insert(place, value)
    elif kind is Kind.STRUCT:
        if not isinstance(key, str):
            raise failure("INSERT INTO a struct needs AT with the new member's name")
        if key in container:
            raise failure("INSERT INTO a struct: the member exists already")
        changed = _copied_struct(container)
        changed[key] = value
    else:
        raise failure(f"INSERT INTO expects a list or a struct, found {kind.name.lower()}")
    return with_value(document, path, changed, failure)


def without_value(document: Any, path: list[Key], failure: Failure) -> Any:
    """
    Give the document without the member or element at a path.

    Raises:
        PartiqlEvaluationError: there is nothing at the path.

    """
    *parents, last = path
    container = value_at(document, parents, failure, path[-1:])
    if isinstance(last, int):
        _check_ordinal(container, path[-1:], failure)
        changed = _copied_list(container)
        del changed[last]
    else:
        name = _found_name(container, last, path[-1:], failure)
        if name is None:
            raise _unresolved(path[-1:], failure)
        changed = _copied_struct(container)
        del changed[name]
    return with_value(document, parents, changed, failure)


def value_at(document: Any, path: list[Key], failure: Failure, beyond: Sequence[Key] = ()) -> Any:
    """
    Give the decoded value at a path that must lead somewhere.

    `beyond` is what the caller will look for inside it; an error names that too.
    """
    value = decoded(document)
    for place, key in enumerate(path):
        rest = [*path[place:], *beyond]
        if isinstance(key, int):
            _check_ordinal(value, rest, failure)
            value = decoded(value[key])
            continue
        name = _found_name(value, key, rest, failure)
        if name is None:
            raise _unresolved(rest, failure)
        value = decoded(_first_value(value, name))
    return value


def _found_name(struct: Any, key: FieldStep, rest: list[Key], failure: Failure) -> str | None:
    """Find a member's name as the struct spells it; what is no struct has no members."""
    if kind_of(struct) is not Kind.STRUCT:
        raise _unresolved(rest, failure)
    return member_name(struct, key.name, case_sensitive=key.case_sensitive)


def _first_value(struct: Any, name: str) -> Any:
    """Give a member's value, the first where the name is repeated."""
    if type(struct) is dict:
        return struct[name]
    return next(value for key, value in struct.items() if key == name)


def _check_ordinal(value: Any, rest: list[Key], failure: Failure) -> None:
    """Make sure that the first key of what remains is an element of a list."""
    ordinal = rest[0]
    is_list = kind_of(value) in (Kind.LIST, Kind.SEXP)
    if not is_list or not isinstance(ordinal, int) or not 0 <= ordinal < len(value):
        raise _unresolved(rest, failure)


def _copied_struct(struct: Any) -> Any:
    """Copy a struct, its type and annotations; members are shared."""
    if type(struct) is dict:
        return dict(struct)
    changed = type(struct)()
    for name, value in struct.items():  # one by one: amazon.ion 0.9.3's copies lose repeated names
        changed.add_item(name, value)
    changed.ion_type = struct.ion_type
    changed.ion_annotations = struct.ion_annotations
    return changed


def _copied_list(values: Any) -> Any:
    """Copy a list or s-expression, its type and annotations; elements are shared."""
    if type(values) in (list, tuple):
        return list(values)
    return type(values).from_value(values.ion_type, values, values.ion_annotations)


def _unresolved(rest: list[Key], failure: Failure) -> PartiqlEvaluationError:
    """Say in the service's words which part of a path was not found (facts 6.4)."""
    parts = ", ".join(
        f"Index(index={key})" if isinstance(key, int) else f"Field(name={key.name})" for key in rest
    )
    return failure(
        "Document path cannot be resolved: the remaining path was not found: "
        f"DocumentPath(path=[{parts}])"
    )

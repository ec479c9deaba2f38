"""Walk a syntax tree without recursion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from qldb_stream.partiql.ast import (
    FieldStep,
    Identifier,
    IndexStep,
    IonLiteral,
    Literal,
    Node,
    Parameter,
    Path,
)

_LIGHT: Final = (Literal, IonLiteral, Parameter, Identifier)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, without recursion."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(children(current))


def children(node: Node) -> list[Node]:
    """List the nodes directly below a node."""
    found: list[Node] = []
    for name in _field_names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            found.append(value)
        elif type(value) is tuple:
            for item in value:
                members = item if type(item) is tuple else (item,)
                found.extend(member for member in members if isinstance(member, Node))
    return found


# Kind of node -> the names of its fields that may hold nodes; filled as kinds are met.
_NODE_FIELDS: Final[dict[type, tuple[str, ...]]] = {}


def _field_names(kind: type[Node]) -> tuple[str, ...]:
    """Name the fields that may hold nodes: offsets, names and flags never do."""
    names = _NODE_FIELDS.get(kind)
    if names is None:
        plain = ("int", "str", "bool", "str | None")
        names = tuple(field.name for field in attrs.fields(kind) if field.type not in plain)
        _NODE_FIELDS[kind] = names
    return names


def is_light(*nodes: Node) -> bool:
    """
    Tell whether expressions build nothing: constants, parameters, and fields of what is there.

    What is evaluated before them needs not be counted while they are.
    """
    return all(
        isinstance(node.root if isinstance(node, Path) else node, _LIGHT)
        and all(
            isinstance(step.index if isinstance(step, IndexStep) else step, (*_LIGHT, FieldStep))
            for step in (node.steps if isinstance(node, Path) else ())
        )
        for node in nodes
    )


def pos_of(node: Node) -> int:
    """Give the offset of a node's first character."""
    pos: int = getattr(node, "pos", 0)
    return pos

"""Walk a syntax tree without recursion."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import attrs

from qldb_stream.partiql.ast import Node


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


@functools.cache
def _field_names(kind: type[Node]) -> tuple[str, ...]:
    """Name the fields of a kind of node that may hold nodes: offsets and names never do."""
    plain = ("int", "str", "bool", "str | None")
    return tuple(field.name for field in attrs.fields(kind) if field.type not in plain)


def pos_of(node: Node) -> int:
    """Give the offset of a node's first character."""
    pos: int = getattr(node, "pos", 0)
    return pos

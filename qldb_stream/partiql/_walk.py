"""Walk a syntax tree without recursion."""

from __future__ import annotations

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
    for field in attrs.fields(type(node)):
        value = getattr(node, field.name)
        if isinstance(value, Node):
            found.append(value)
        elif type(value) is tuple:
            for item in value:
                members = item if type(item) is tuple else (item,)
                found.extend(member for member in members if isinstance(member, Node))
    return found

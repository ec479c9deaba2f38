"""
A document taken apart into its fields, so that two versions of it can be compared.

A leaf is what is not taken apart further: a scalar, an empty container, a symbolic
expression, anything annotated. Leaves are equal when their Ion hashes are: as Ion compares
values, types and precision included. Elements of a list have no names: those that two versions
begin with, and those that both end with, are the same; what is between them is compared place
by place. So one insertion or removal blames what came or went, and not all that stands behind.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeAlias

import attrs

from qldb_stream.ion import IonSlice, IonType, iter_elements, iter_fields

__all__ = ["Leaf", "Node", "Origin", "blame_tree", "leaves_of", "tree_of"]

Origin: TypeAlias = int
"""Which of several revisions a value comes from, as the caller counts them."""

_PLAIN: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"


@attrs.define(eq=False)
class Node:
    """
    A value in a document, and where it comes from.

    `fields` are the members of a struct by name and count (of those that share a name),
    `elements` those of a list; both None for a leaf. `origin` is that of a leaf.
    """

    value: IonSlice
    origin: Origin
    fields: dict[tuple[str, int], Node] | None = None
    elements: list[Node] | None = None
    _digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """Give the value's Ion hash; not before it is asked for: a level hashes all below it."""
        if self._digest is None:
            self._digest = self.value.hash()
        return self._digest


@attrs.frozen
class Leaf:
    """A leaf with its path from the document's top."""

    path: str
    value: IonSlice
    origin: Origin


def tree_of(value: IonSlice, origin: Origin) -> Node:
    """
    Take a document apart; all of it comes from one revision for now.

    Raises:
        IonDecodeError: it is not sound Ion, or is nested too deeply.
    """
    value.hash()  # bounds the depth
    return _tree_of(value, origin)


def _tree_of(value: IonSlice, origin: Origin) -> Node:
    node = Node(value, origin)
    if value.is_null or value.annotations:
        return node
    if value.ion_type is IonType.STRUCT:
        seen: Counter[str] = Counter()
        fields: dict[tuple[str, int], Node] = {}
        for name, member in iter_fields(value):
            text = "$0" if name is None else name
            fields[text, seen[text]] = _tree_of(member, origin)
            seen[text] += 1
        node.fields = fields or None
    elif value.ion_type is IonType.LIST:
        node.elements = [_tree_of(element, origin) for element in iter_elements(value)] or None
    return node


def blame_tree(before: Node, after: Node) -> None:
    """Let what is equal in a later version keep the origin that it has in the one before."""
    if before.fields is not None and after.fields is not None:
        for key, member in after.fields.items():
            if key in before.fields:
                blame_tree(before.fields[key], member)
    elif before.elements is not None and after.elements is not None:
        for old, new in _pairs(before.elements, after.elements):
            blame_tree(old, new)
    elif before.digest == after.digest:
        after.origin = before.origin


def leaves_of(node: Node, path: str = "") -> list[Leaf]:
    """Give all leaves in the document's order."""
    found: list[Leaf] = []
    if node.fields is not None:
        for (name, count), member in node.fields.items():
            step = _step(name) + (f"#{count + 1}" if count else "")
            found += leaves_of(member, f"{path}.{step}" if path else step)
    elif node.elements is not None:
        for place, element in enumerate(node.elements):
            found += leaves_of(element, f"{path}[{place}]")
    else:
        found.append(Leaf(path, node.value, node.origin))
    return found


def _pairs(before: list[Node], after: list[Node]) -> list[tuple[Node, Node]]:
    """Pair the elements of two versions of a list."""
    most = min(len(before), len(after))
    head = 0
    while head < most and before[head].digest == after[head].digest:
        head += 1
    tail = 0
    while tail < most - head and before[-1 - tail].digest == after[-1 - tail].digest:
        tail += 1
    middle = min(len(before), len(after)) - head - tail
    pairs = list(zip(before[: head + middle], after[: head + middle], strict=True))
    if tail:
        pairs += zip(before[-tail:], after[-tail:], strict=True)
    return pairs


def _step(name: str) -> str:
    """Write a name; one that a path could misread is quoted."""
    if name and all(letter in _PLAIN for letter in name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

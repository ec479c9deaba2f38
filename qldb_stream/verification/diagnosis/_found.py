"""
What a search found: the changes with which a document fits, told and carried out.

Changes are tried on hashes alone. Who wants the document itself, as it was hashed, gets it made
of the bytes at hand; that it has the hash is for the caller to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import (
    LEFT_OUT,
    HashNode,
    HashTree,
    IonSlice,
    IonType,
    make_struct,
    retyped,
    to_slice,
)
from qldb_stream.report import FieldChange
from qldb_stream.verification.diagnosis._candidate import Candidate

__all__ = ["Changes", "Found"]

Changes: TypeAlias = Mapping[int, Candidate]

_NEVER_LOST: Final = frozenset(
    ("TEXT", "ONE_BIT", "ONE_DIGIT", "NAME", "ADDED", "REMOVED", "STATEMENT", "OTHER_COPY")
)
"""What is more than a type that got lost: the document says something else than was hashed."""


class _CannotBeMadeError(Exception):
    """A change that is told, and that no value can be made of here."""


@attrs.frozen
class Found:
    """
    The changes with which a value has its hash.

    Attributes:
        tree: of the value.
        changes: by the number of a node.
        renamed: a field that has another name, and that name; then there are no changes.
    """

    tree: HashTree
    changes: Changes
    renamed: tuple[HashNode, str] | None = None

    @property
    def is_lost_types(self) -> bool:
        """Say whether nothing but types was lost: the value says what was hashed."""
        return self.renamed is None and all(
            candidate.loss not in _NEVER_LOST for candidate in self.changes.values()
        )

    def told(self, part: str) -> tuple[FieldChange, ...]:
        """Give the changes by path, each of which begins with `part`."""
        if self.renamed is not None:
            node, text = self.renamed
            change = FieldChange(_path(part, node), "NAME", "a field of another name", "the field")
            return (attrs.evolve(change, value=text),)
        return tuple(_told(self.tree, self.changes, part))

    def value(self) -> IonSlice | None:
        """Make the value with its changes; None where that cannot be done here."""
        if self.renamed is not None:
            return None
        try:
            return to_slice(_made(self.tree.nodes[0], self.changes))
        except (_CannotBeMadeError, QldbStreamError):
            return None


def _told(tree: HashTree, changes: Changes, part: str) -> Iterator[FieldChange]:
    for index, candidate in sorted(changes.items()):
        path = _path(part, tree.nodes[index])
        yield FieldChange(
            f"{path}.{candidate.field}" if candidate.field is not None else path,
            candidate.loss,
            candidate.wanted,
            candidate.ion_type,
            candidate.text(),
        )


def _path(part: str, node: HashNode) -> str:
    if not node.path:
        return part
    return f"{part}{node.path}" if node.path.startswith("[") else f"{part}.{node.path}"


def _made(node: HashNode, changes: Changes) -> Any:
    """Give a node's value with the changes in it, or LEFT_OUT."""
    own = changes.get(node.index)
    if own is not None and isinstance(own.exchange, bytes):
        if not own.exchange:
            return LEFT_OUT
        if not isinstance(own.value, IonSlice) or own.value.annotations or node.value.annotations:
            raise _CannotBeMadeError
        return own.value
    if own is None and not any(node.index < index < node.end for index in changes):
        return node.value
    return _made_container(node, own, changes)


def _made_container(node: HashNode, own: Candidate | None, changes: Changes) -> Any:
    """Make a container of its members; only lists change their kind as a whole."""
    ion_type = node.value.ion_type
    if node.value.annotations or (own is not None and own.kind is None):
        raise _CannotBeMadeError
    members = [(child.name, _made(child, changes)) for child in node.children]
    kept = [(name, value) for name, value in members if value is not LEFT_OUT]
    if ion_type is IonType.STRUCT:
        if any(name is None for name, _ in kept):  # whose text is unknown
            raise _CannotBeMadeError
        return make_struct(kept, ())
    values = [value for _, value in kept]
    kind = ion_type if own is None else own.kind
    return retyped(IonType.SEXP, values) if kind is IonType.SEXP else values

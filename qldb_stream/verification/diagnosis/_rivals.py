"""
What other copies of a revision say, where none of them fits its hash.

Accidents seldom strike twice in one place: what one copy lost, another may have kept. Each value
in which they differ is a candidate for the other, and so is a field that one of them has alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import HashNode, HashTree, IonSlice, IonType, form_with_field
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._search import Effort

__all__ = ["Rivals"]

_MOST: Final = 4
_MAX_VALUES: Final = 5000  # of one copy, as of the document
_CONTAINERS: Final = frozenset((IonType.LIST, IonType.SEXP, IonType.STRUCT))


class Rivals:
    """
    The values of other copies of a document, by their paths.

    Args:
        copies: documents.
        effort: what laying them out is paid from.
    """

    def __init__(self, copies: Sequence[IonSlice], effort: Effort) -> None:
        found = [_by_path(copy, effort) for copy in copies[:_MOST]]
        self._values = [values for values in found if values]

    def candidates(self, node: HashNode) -> Iterator[Candidate]:
        """Iterate over what the other copies have in the place of a value, and beside it."""
        for values in self._values:
            other = values.get(node.path)
            if other is None or other.form == node.form:
                continue
            if not _are_alike(node, other):
                yield _of(other, "OTHER_COPY", "what another copy says")
            elif node.value.ion_type is IonType.STRUCT:
                yield from _iter_removed(node, other)


def _by_path(copy: IonSlice, effort: Effort) -> Mapping[str, HashNode]:
    if not effort.spend(copy.end - copy.start):
        return {}
    try:
        return {node.path: node for node in HashTree(copy, limit=_MAX_VALUES).nodes}
    except QldbStreamError:  # damaged beyond reading
        return {}


def _are_alike(a: HashNode, b: HashNode) -> bool:
    """Say whether two values are containers of a kind, whose members differ."""
    kinds = {a.value.ion_type, b.value.ion_type}
    plain = not (a.value.is_null or b.value.is_null or a.value.annotations or b.value.annotations)
    return len(kinds) == 1 and kinds <= _CONTAINERS and plain


def _iter_removed(node: HashNode, other: HashNode) -> Iterator[Candidate]:
    """Iterate over the fields that the other copy of a struct has, and this one has not."""
    own = {child.name for child in node.children}
    for child in other.children:
        if child.name is not None and child.name not in own:
            yield _of(child, "REMOVED", "there, as in another copy", child.name)


def _of(node: HashNode, loss: str, wanted: str, name: str | None = None) -> Candidate:
    """Make a candidate of another copy's value; with a name it is put into a struct."""
    value, form = node.value, node.form
    if name is None:
        return Candidate(loss, wanted, form, value.ion_type.name.lower(), value)
    return Candidate(
        loss,
        wanted,
        lambda struct: form_with_field(struct, name, form),
        value.ion_type.name.lower(),
        value,
        field=name,
    )

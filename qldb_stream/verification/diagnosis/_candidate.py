"""One thing that may stand in the place of a value, if that is what was hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import IonType, annotated_form, hash_form, to_slice, to_text

if TYPE_CHECKING:
    from qldb_stream.ion import Exchange, HashNode

__all__ = ["Candidate", "shown_text"]

_SHOWN_CHARACTERS = 200  # of a value; what is longer is told by its beginning


@attrs.frozen(eq=False)
class Candidate:
    """
    What may stand in the place of a value.

    `loss` and `wanted` are as in `FieldChange`. `exchange` makes its form; `value` is shown
    when it fits, None when there is nothing to show, and `ion_type` says what it is. `kind` is
    the type of a container that gets another, `field` names a field of it that is put in.
    """

    loss: str
    wanted: str
    exchange: Exchange
    ion_type: str | None = None
    value: Any = None
    kind: IonType | None = None
    field: str | None = None

    @classmethod
    def of(cls, node: HashNode, loss: str, wanted: str, value: Any) -> Candidate:
        """Make one that puts a value in the place of a node's, with the node's annotations."""
        found = to_slice(value)
        form = hash_form(found)
        annotations = node.value.annotations
        if annotations:
            form = annotated_form(annotations, form)
        return cls(loss, wanted, form, found.ion_type.name.lower(), found)

    def text(self) -> str | None:
        """Give what is shown of the value."""
        return None if self.value is None else shown_text(self.value)


def shown_text(value: Any) -> str | None:
    """Write a value in Ion text, its beginning where it is long; None where there is no text."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = to_text(to_slice(value), is_part=True)
        except QldbStreamError:  # a timestamp that amazon.ion cannot write
            return None
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."

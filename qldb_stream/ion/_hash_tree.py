"""
Hash a value again and again, each time with something in it exchanged.

What Ion Hash makes of each part is kept, so that a change costs what lies on the way from it to
the root, and not the whole document: thousands of changes can be tried in the time of a few
hundred hashes. `work` counts the bytes that were put together, for who bounds his effort.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from qldb_stream.ion._fields import iter_elements, iter_fields
from qldb_stream.ion._hash import serialize, struct_form
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._stream import to_slice
from qldb_stream.ion._symbols import escape, symbol_hash_part
from qldb_stream.ion._types import IonType

__all__ = [
    "Exchange",
    "HashNode",
    "HashTree",
    "annotated_form",
    "form_with_field",
    "hash_form",
    "name_form",
]

Exchange: TypeAlias = bytes | Callable[[bytes], bytes]
"""
What stands for a node: another form, or what makes it of the form it has with its changes. No
bytes at all leave a field or an element out.
"""

_TRY_BYTES: Final = 64  # what a node costs beside its bytes
_NONE: Final[Mapping[int, bytes]] = {}
_DIGEST_BYTES: Final = 32
_ESCAPED: Final = re.compile(rb"\x0c(.)", re.DOTALL)


def hash_form(value: object) -> bytes:
    """
    Give what Ion Hash feeds to its hasher for a value (facts 2.4): `B TQ representation E`.

    Args:
        value: anything that can be encoded, or an IonSlice.

    Raises:
        IonDecodeError, IonEncodeError: as `to_slice` and `IonSlice.hash`.
    """
    found = to_slice(value)
    return serialize(found.buf, found.start, found.end, found.symbols, sha256)


def name_form(text: str | None) -> bytes:
    """Give the same for the name of a field, or a symbol; None for one of unknown text."""
    return symbol_hash_part(text)


def annotated_form(annotations: Sequence[str | None], form: bytes) -> bytes:
    """Give the form of a value with annotations, made of its form without."""
    return b"\x0b\xe0" + b"".join(map(symbol_hash_part, annotations)) + form + b"\x0e"


def form_with_field(form: bytes, name: str, value: bytes) -> bytes:
    """
    Give the form of a struct with one more field.

    Args:
        form: of a struct without annotations.
        name: of the field.
        value: the field's form.
    """
    digests = _ESCAPED.sub(rb"\1", form[2:-1])
    fields = [digests[at : at + _DIGEST_BYTES] for at in range(0, len(digests), _DIGEST_BYTES)]
    fields.append(_field_digest(name_form(name), value))
    return b"\x0b\xd0" + escape(b"".join(sorted(fields))) + b"\x0e"


class HashNode:
    """
    A value inside a document.

    Attributes:
        index: its number, in the order of the document, from 0 for the document.
        end: the number after its last descendant's.
        path: how it is reached, as `items[3].price`; empty for the document.
        name: its field's name; None for elements, the document, and names of unknown text.
        value: the value, annotations included.
        form: what Ion Hash feeds to its hasher.
    """

    __slots__ = (
        "children",
        "digests",
        "end",
        "form",
        "index",
        "name",
        "name_part",
        "path",
        "value",
    )

    def __init__(self, index: int, path: str, name: str | None, value: IonSlice) -> None:
        self.index: Final = index
        self.path: Final = path
        self.name: Final = name
        self.value: Final = value
        self.name_part = b""
        self.children: list[HashNode] = []
        self.digests: list[bytes] = []  # of the fields, where it is a struct
        self.form = b""
        self.end = index + 1

    @property
    def is_field(self) -> bool:
        """Say whether it is a struct's field."""
        return bool(self.name_part)


class HashTree:
    """
    All values in a document, with their forms.

    Args:
        value: the document.
        limit: how many values it may have, containers included.

    Attributes:
        nodes: in the order of the document, itself first.
        is_whole: whether there were no more values than `limit`; else `nodes` is empty.
        work: how many bytes were put together so far.

    Raises:
        IonDecodeError: broken bytes, or nested too deeply.
    """

    def __init__(self, value: IonSlice, *, limit: int) -> None:
        self.nodes: list[HashNode] = []
        self.work = 0
        self._limit = limit
        value.hash()  # all that can be wrong with the bytes is found here
        self._add("", None, b"", value)
        self.is_whole = len(self.nodes) <= limit
        if not self.is_whole:
            self.nodes = []

    def digest(
        self, exchanged: Mapping[int, Exchange], renamed: Mapping[int, bytes] = _NONE
    ) -> bytes:
        """
        Hash the document with some values exchanged.

        Args:
            exchanged: by the number of a node, what stands there; where a container's
                descendants are exchanged as well, its must be a function.
            renamed: by the number of a field's node, the form of another name.

        Returns:
            32 bytes, SHA-256.
        """
        changed = sorted({*exchanged, *renamed})
        self.work += sum(map(len, renamed.values()))
        return sha256(self._form(self.nodes[0], changed, exchanged, renamed)).digest()

    def _add(self, path: str, name: str | None, name_part: bytes, value: IonSlice) -> HashNode:
        node = HashNode(len(self.nodes), path, name, value)
        node.name_part = name_part
        self.nodes.append(node)
        if len(self.nodes) > self._limit or value.is_null:
            node.form = hash_form(value)
            return node
        if value.ion_type is IonType.STRUCT:
            for field, inner in iter_fields(value):
                own = _joined(path, field)
                node.children.append(self._add(own, field, name_form(field), inner))
            node.digests = [_field_digest(child.name_part, child.form) for child in node.children]
        elif value.ion_type in (IonType.LIST, IonType.SEXP):
            for at, inner in enumerate(iter_elements(value)):
                node.children.append(self._add(f"{path}[{at}]", None, b"", inner))
        node.form = self._joined_form(node, [c.form for c in node.children], node.digests)
        node.end = len(self.nodes)
        return node

    def _form(
        self,
        node: HashNode,
        changed: list[int],
        exchanged: Mapping[int, Exchange],
        renamed: Mapping[int, bytes],
    ) -> bytes:
        """Give a node's form with what is exchanged in it."""
        at = bisect_left(changed, node.index)
        if at == len(changed) or changed[at] >= node.end:
            return node.form
        own = exchanged.get(node.index)
        if isinstance(own, bytes):
            self.work += _TRY_BYTES + len(own)
            return own
        form = node.form
        if changed[-1] > node.index and bisect_left(changed, node.index + 1) < bisect_left(
            changed, node.end
        ):
            form = self._changed_form(node, changed, exchanged, renamed)
        if own is not None:
            form = own(form)
        self.work += _TRY_BYTES + len(form)
        return form

    def _changed_form(
        self,
        node: HashNode,
        changed: list[int],
        exchanged: Mapping[int, Exchange],
        renamed: Mapping[int, bytes],
    ) -> bytes:
        forms, digests = [], []
        for at, child in enumerate(node.children):
            form = self._form(child, changed, exchanged, renamed)
            if not form:  # left out
                continue
            if not child.is_field:
                forms.append(form)
            elif form is child.form and child.index not in renamed:
                digests.append(node.digests[at])
            else:
                name_part = renamed.get(child.index, child.name_part)
                digests.append(_field_digest(name_part, form))
        return self._joined_form(node, forms, digests)

    def _joined_form(self, node: HashNode, forms: list[bytes], digests: list[bytes]) -> bytes:
        ion_type = node.value.ion_type
        if ion_type is IonType.STRUCT:
            form = struct_form(list(digests))
        elif ion_type in (IonType.LIST, IonType.SEXP):
            begin = b"\x0b\xb0" if ion_type is IonType.LIST else b"\x0b\xc0"
            form = begin + b"".join(forms) + b"\x0e"
        else:
            return hash_form(node.value)
        annotations = node.value.annotations
        return annotated_form(annotations, form) if annotations else form


def _field_digest(name_part: bytes, form: bytes) -> bytes:
    return sha256(name_part + form).digest()


def _joined(path: str, name: str | None) -> str:
    own = "$0" if name is None else name  # as the parsers name it
    return f"{path}.{own}" if path else own

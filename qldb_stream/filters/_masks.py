"""
Fields that are hashed, dropped or covered by a text.

A path leads from the top of the document through field names; lists on the way stand for each
of their elements. What stands at its end is masked as one value, whatever it is: null, list and
struct too, because that something is null, or how long a list is, may be the secret.
"""

from __future__ import annotations

import enum
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ion import LEFT_OUT, IonSlice, IonType, iter_elements, iter_fields, replaced

EVERY_TABLE: Final = "*"
"""Stands for the name of each table in a mask."""

HASH_PREFIX: Final = "hmac-sha256:"

# A name as it is, or between double quotes, which are doubled inside.
_PART: Final = re.compile(r'"((?:[^"]|"")*+)"|([^".]++)')

_LISTS: Final = frozenset({IonType.LIST, IonType.SEXP})


class MaskMethod(enum.Enum):
    """What is done to a field."""

    HASH = "hash"
    DROP = "drop"
    TEXT = "text"


@attrs.frozen
class Mask:
    """
    One field of one table, and what is done to it.

    `table` is the source's name, or `EVERY_TABLE`. HASH puts the text ``hmac-sha256:`` and 64
    hex digits in its place: HMAC-SHA-256, with the filter's salt as the key, of the value's
    Ion Hash, so that equal values have equal masks, and nobody without the salt can try out
    values. DROP takes the field out. TEXT puts `text` in its place.
    """

    table: str
    path: tuple[str, ...]
    method: MaskMethod
    text: str = ""

    def __str__(self) -> str:
        """Name the field, as `--mask` does."""
        return f"{self.table}.{format_path(self.path)}"


def parse_path(text: str) -> tuple[str, ...]:
    """
    Read a path such as ``Address.Street`` or ``"odd.name".x``.

    Raises:
        UsageError: a part is empty, or a quote is not closed.
    """
    parts: list[str] = []
    at = 0
    while True:
        found = _PART.match(text, at)
        if found is None:
            break
        quoted, plain = found.groups()
        parts.append(plain if quoted is None else quoted.replace('""', '"'))
        at = found.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            break
        at += 1
    raise UsageError(f'{text!r} is no path: write FIELD.FIELD, or "FIELD" for a name with a dot')


def format_path(path: Sequence[str]) -> str:
    """Write a path as `parse_path` reads it."""
    return ".".join(map(_format_part, path))


def _format_part(name: str) -> str:
    if name and not set('".').intersection(name):
        return name
    return '"' + name.replace('"', '""') + '"'


def mask_document(
    document: IonSlice, masks: Sequence[Mask], salt: bytes | None
) -> tuple[IonSlice, tuple[str, ...]]:
    """
    Mask a document's fields.

    Returns:
        The document in a buffer of its own, and the paths at which something was masked, in
        the order of `masks`.

    Raises:
        IonDecodeError: the document is not sound Ion.
    """
    exchanged: dict[int, Any] = {}
    met: set[Mask] = set()
    for value, mask in _iter_sites(document, masks):
        exchanged[value.start] = _stand_in(value, mask, salt)
        met.add(mask)
    paths = tuple(format_path(mask.path) for mask in masks if mask in met)
    return replaced(document, exchanged), paths


def _stand_in(value: IonSlice, mask: Mask, salt: bytes | None) -> Any:
    """Make what stands in the place of a value."""
    if mask.method is MaskMethod.DROP:
        return LEFT_OUT
    if mask.method is MaskMethod.TEXT:
        return mask.text
    assert salt is not None, "a filter that hashes has a salt"
    return HASH_PREFIX + hmac.digest(salt, value.hash(), "sha256").hex()


# What is left of each mask's path at some place in a document.
_Rest: TypeAlias = Sequence[tuple[tuple[str, ...], Mask]]


def _iter_sites(document: IonSlice, masks: Iterable[Mask]) -> Iterator[tuple[IonSlice, Mask]]:
    """Yield the values at the ends of the masks' paths; none that is inside another of them."""
    waiting: list[tuple[IonSlice, _Rest]] = [(document, [(mask.path, mask) for mask in masks])]
    while waiting:
        value, rest = waiting.pop()
        if value.is_null:
            continue
        if value.ion_type in _LISTS:
            waiting.extend((element, rest) for element in iter_elements(value))
        elif value.ion_type is IonType.STRUCT:
            for name, member in iter_fields(value):
                below = [(path[1:], mask) for path, mask in rest if path[0] == name]
                ended = [mask for path, mask in below if not path]
                if ended:
                    yield member, ended[0]
                elif below:
                    waiting.append((member, below))

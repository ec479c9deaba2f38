"""
Name the fields in which two Ion values differ, without telling what they hold.

Equal parts are passed over by their hash; what is left is walked down to the single field. Names
may repeat in a struct (Ion lets them), so the nth of a name is compared with the nth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.ion import IonSlice, IonType, iter_elements, iter_fields
from qldb_stream.report import FieldChange

__all__ = ["iter_differences"]

_MAX_DEPTH: Final = 50  # what differs deeper is named by the container that it is in
_ANOTHER: Final = "OTHER_VALUE"
_GONE: Final = "MISSING"
_ADDED: Final = "ADDED"


def iter_differences(
    best: IonSlice | None, other: IonSlice | None, path: str, *, depth: int = 0
) -> Iterator[FieldChange]:
    """
    Iterate over the fields in which a value differs from a better copy of it.

    Args:
        best: the better copy; None where it has none.
        other: the value.
        path: what leads to both.
        depth: how deep that is.

    Yields:
        A change for each field, as it is in the better copy; of a value that cannot be read,
        one for itself.
    """
    if best is None or other is None:
        if best is not None:
            yield FieldChange(path, _GONE, "there")
        elif other is not None:
            yield FieldChange(path, _ADDED, "not there")
        return
    try:
        if best == other:
            return
        inside = list(_pairs(best, other)) if depth < _MAX_DEPTH and _alike(best, other) else []
    except DecodeError:
        yield FieldChange(path, _ANOTHER, "readable, or of other bytes")
        return
    if not inside:
        yield _another(best, other, path)
    for name, a, b in inside:
        yield from iter_differences(a, b, f"{path}{name}", depth=depth + 1)


def _alike(best: IonSlice, other: IonSlice) -> bool:
    """Say whether two values are containers of one kind, which differ by what is inside."""
    kinds = (IonType.STRUCT, IonType.LIST, IonType.SEXP)
    return (
        best.ion_type is other.ion_type
        and best.ion_type in kinds
        and not (best.is_null or other.is_null)
        and best.annotations == other.annotations
    )


def _another(best: IonSlice, other: IonSlice, path: str) -> FieldChange:
    wanted, found = best.ion_type.name.lower(), other.ion_type.name.lower()
    if wanted == found:
        return FieldChange(path, _ANOTHER, f"another {wanted}", wanted)
    return FieldChange(path, _ANOTHER, f"of type {wanted}, not {found}", wanted)


def _pairs(
    best: IonSlice, other: IonSlice
) -> Iterator[tuple[str, IonSlice | None, IonSlice | None]]:
    """Put together what stands in the same place of two containers of one kind."""
    if best.ion_type is IonType.STRUCT:
        a, b = dict(_iter_named(best)), dict(_iter_named(other))
        for name in dict.fromkeys([*a, *b]):
            yield f".{name[0]}", a.get(name), b.get(name)
        return
    elements = zip_longest(iter_elements(best), iter_elements(other))
    for at, (first, second) in enumerate(elements):
        yield f"[{at}]", first, second


def _iter_named(value: IonSlice) -> Iterator[tuple[tuple[str, int], IonSlice]]:
    seen: Counter[str] = Counter()
    for field, inner in iter_fields(value):
        name = "$0" if field is None else field
        yield (name, seen[name]), inner
        seen[name] += 1

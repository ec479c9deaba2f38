"""
How much of a statement's rows is held in memory: by ORDER BY, groups, DISTINCT, sub-queries.

Rows that go by cost nothing; what must be kept until all rows are known is told to
`Context.hold`, where whoever executes may bound it. Sizes are estimates, and rather too
high: a slice keeps the whole document that it is a part of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Self

from qldb_stream.ion import IonSlice
from qldb_stream.partiql._context import CONTEXT, Frame

# What Python takes for a value beside its contents, and for its place in a container.
_VALUE_BYTES: Final = 64


class Holding:
    """What one step of one execution holds: `with` it, it is let go at the end."""

    __slots__ = ("_bytes", "_hold")

    def __init__(self, frame: Frame) -> None:
        self._hold: Final = frame[CONTEXT].hold
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._hold is not None and self._bytes:
            self._hold(-self._bytes)

    def add(self, *values: Any) -> None:
        """Hold some values; what `Context.hold` raises passes through."""
        if self._hold is not None:
            size = sum(map(size_of, values))
            self._bytes += size
            self._hold(size)


def size_of(value: Any) -> int:
    """Estimate how many bytes a value keeps in memory."""
    size = 0
    buffers: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        size += _VALUE_BYTES
        if type(found) is IonSlice:
            if id(found.buf) not in buffers:
                buffers.add(id(found.buf))
                size += len(found.buf)
        else:
            inner = _members(found)
            if inner is None:
                size += len(found) if isinstance(found, str | bytes) else 0
            else:
                waiting.extend(inner)
    return size


def _members(value: Any) -> Iterator[Any] | None:
    """Iterate over what a container holds; None when it is none."""
    if isinstance(value, dict):
        return iter((*value.keys(), *value.values()))
    return iter(value) if isinstance(value, list | tuple) else None

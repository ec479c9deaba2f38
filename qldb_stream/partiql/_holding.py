"""
How much of a statement's rows is held in memory: by ORDER BY, groups, DISTINCT, sub-queries.

Operands count as well, while others are evaluated after them. And since what is done to large
values takes long, whoever executes is told of that here, too.

Rows that go by cost nothing; what must be kept until all rows are known is told to
`Context.hold`, where whoever executes may bound it. Sizes are estimates, and rather too
high: a slice keeps the whole document that it is a part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, Self

from qldb_stream.ion import IonSlice
from qldb_stream.partiql._context import CONTEXT, Evaluate, Frame, charge

# What Python takes for a value beside its contents, and for its place in a container.
_VALUE_BYTES: Final = 64

# Not worth counting: a statement has no more than 50,000 of those.
_SMALL_BYTES: Final = 256

# What it takes to write digits in decimal, which is how a long int is compared with decimals: 70 ms
# for 128 KB, so that the clock is looked at after each of these.
_STEPS_OF_A_BYTE: Final = 32

# Never large.
_FIXED: Final = frozenset({bool, type(None), float})


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
            self.grow(sum(map(size_of, values)))

    def grow(self, size: int) -> None:
        """Hold so many bytes more; what `Context.hold` raises passes through."""
        if self._hold is not None:
            self._bytes += size
            self._hold(size)


def evaluate_all(frame: Frame, parts: Sequence[Evaluate]) -> list[Any]:
    """Evaluate what one value is put together of; each is held until the last is there."""
    hold = frame[CONTEXT].hold
    if hold is None:
        return [part(frame) for part in parts]
    values = []
    held = 0
    try:
        for part in parts:
            value = part(frame)
            values.append(value)
            size = large_size(value)
            if size:
                held += size
                charge(frame, size)
                hold(size)
    finally:
        if held:
            hold(-held)
    return values


def make_operands(*parts: Evaluate, light: bool) -> Callable[[Frame], Sequence[Any]]:
    """
    Make what evaluates operands, in order.

    Args:
        parts: each compiled.
        light: all but the first of them build nothing, so that nothing needs to be held.
    """
    if light:
        return lambda frame: [part(frame) for part in parts]
    return partial(evaluate_all, parts=parts)


def charge_values(frame: Frame, *values: Any) -> None:
    """Tell an execution's `check` of values that are compared, or made keys of."""
    if frame[CONTEXT].check is not None:
        size = sum([large_size(value) for value in values])
        if size:
            charge(frame, size * _STEPS_OF_A_BYTE)


def check_size(frame: Frame, size: int) -> None:
    """Ask whether there is room for a value before it is made."""
    hold = frame[CONTEXT].hold
    if hold is not None and size >= _SMALL_BYTES:
        charge(frame, size)
        try:
            hold(size)
        finally:
            hold(-size)


def large_size(value: Any) -> int:
    """Estimate how many bytes a value takes when it is written; 0 where that is not much."""
    kind = type(value)
    if kind in _FIXED:
        return 0
    size = len(value) if kind is str else _written_size(value)
    return size if size >= _SMALL_BYTES else 0


def _written_size(value: Any) -> int:
    """Estimate how many bytes a value takes when it is written; 0 where it is not worth it."""
    if type(value) is IonSlice:
        return int(value.end - value.start)
    return _contents_size(value) if _members(value) is None else size_of(value)


def _contents_size(value: Any) -> int:
    """Estimate what a value that is no container has in it; a number may have a megabit."""
    if isinstance(value, str | bytes):
        return len(value)
    return value.__sizeof__() if isinstance(value, int | Decimal) else 0


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
                size += _contents_size(found)
            else:
                waiting.extend(inner)
    return size


def _members(value: Any) -> Iterator[Any] | None:
    """Iterate over what a container holds; None when it is none."""
    if isinstance(value, dict):
        return iter((*value.keys(), *value.values()))
    return iter(value) if isinstance(value, list | tuple) else None

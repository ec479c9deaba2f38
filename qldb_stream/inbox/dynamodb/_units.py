"""
Units of work with a counter beside them, in as few transactions as there can be.

Each unit is some actions that belong together, such as a record and the claim of its object.
A transaction has as many units as fit, and one action that counts them, so that counters are
always exact. The condition of a unit's first action says whether it is still to be done: if
it does not hold, somebody else has done it, and the others go on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from qldb_stream.inbox.dynamodb._table import MOST_ACTIONS, MOST_BYTES, Action, Table

__all__ = ["StaleViewError", "Unit", "do_units"]


class StaleViewError(Exception):
    """What a transaction was built on has changed meanwhile: look again."""


@attrs.frozen
class Unit:
    """
    Actions that belong together; each item is in one unit alone.

    `count` and `size` are what its counter is raised by, `weight` the bytes that it brings;
    `objects` are those that it claims, or lets go.
    """

    actions: tuple[Action, ...]
    count: int = 1
    size: int = 0
    weight: int = 0
    objects: tuple[str, ...] = ()


_Counter: TypeAlias = Callable[[int, int], Action]
_OVERHEAD_BYTES: Final = 1_000


def do_units(table: Table, units: Sequence[Unit], counter: _Counter) -> Iterator[Unit]:
    """
    Do units, and count them.

    Args:
        table: where.
        units: what is to be done.
        counter: gives the action that counts, from sums of `count` and `size`.

    Yields:
        What was done, after its transaction.

    Raises:
        StaleViewError: a condition of the counter, or of an action that is no unit's first,
            did not hold; what was yielded is done.
    """
    for chunk in _chunks(units):
        left = chunk
        while left:
            left, done = _try(table, left, counter)
            yield from done


def _try(
    table: Table, units: Sequence[Unit], counter: _Counter
) -> tuple[Sequence[Unit], Sequence[Unit]]:
    """Try one transaction; answer what is left to be done, and what was."""
    count, size = sum(u.count for u in units), sum(u.size for u in units)
    actions = [action for unit in units for action in unit.actions]
    failed = set(table.transact([*actions, counter(count, size)]))
    if not failed:
        return (), units
    left, index = [], 0
    for unit in units:
        after = index + len(unit.actions)
        if index in failed:
            failed.difference_update(range(index, after))
        else:
            left.append(unit)
        index = after
    if failed:
        raise StaleViewError
    return left, ()


def _chunks(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    chunk: list[Unit] = []
    actions = weight = 0
    for unit in units:
        more = unit.weight + _OVERHEAD_BYTES
        if chunk and (actions + len(unit.actions) >= MOST_ACTIONS or weight + more > MOST_BYTES):
            yield chunk
            chunk, actions, weight = [], 0, 0
        chunk.append(unit)
        actions += len(unit.actions)
        weight += more
    if chunk:
        yield chunk

"""
ORDER BY, DISTINCT, LIMIT, OFFSET: rows put in order and counted off.

The order is PartiQL's total one (its specification, section 12.2): booleans, numbers (NaN
before all others), timestamps, text, lobs, lists, s-expressions, structs, bags; NULL and
MISSING last with ASC and first with DESC unless the text says otherwise. Rows whose keys
are equal stay in the order in which they came.

With a LIMIT no more rows are kept than it and OFFSET let through.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

import attrs

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._context import Evaluate, Frame
from qldb_stream.partiql._holding import Holding, charge_values
from qldb_stream.partiql._values import (
    LOBS,
    NUMBERS,
    TEXTS,
    Kind,
    decoded,
    group_key,
    instant_of,
    is_unknown,
    iter_members,
    kind_of,
    order_key,
    text_of,
)

# Ranks of kinds; the end of a container is below them, so that a shorter one comes first.
_END: Final = -1
_RANKS: Final = {
    Kind.NULL: 0,
    Kind.MISSING: 0,
    Kind.BOOL: 1,
    Kind.TIMESTAMP: 3,
    Kind.LIST: 6,
    Kind.SEXP: 7,
    Kind.STRUCT: 8,
    Kind.BAG: 9,
    **dict.fromkeys(NUMBERS, 2),
    **dict.fromkeys(TEXTS, 4),
    **dict.fromkeys(LOBS, 5),
}

Keyed = tuple[tuple[Any, ...], Any]


def sort_key(value: Any) -> list[Any]:
    """
    Give what compares as PartiQL orders values: equal values have equal keys.

    It is flat, however deep the value: Python compares nested lists by recursion.
    """
    key: list[Any] = []
    _write_key(decoded(value), key)
    return key


def _write_key(value: Any, key: list[Any]) -> None:
    kind = kind_of(value)
    key.append(_RANKS[kind])
    if kind in NUMBERS:
        found = order_key(value)  # a long int as a decimal, which compares fast; none of NaN
        key += (0,) if found is None else (1, found[1])
    elif kind in TEXTS:
        key.append(text_of(value) or "")
    elif kind is Kind.TIMESTAMP:
        key += instant_of(value)
    elif kind is Kind.BOOL:
        key.append(bool(value))
    elif kind in LOBS:
        key.append(bytes(value))
    elif kind in (Kind.LIST, Kind.SEXP):
        for item in value:
            _write_key(decoded(item), key)
        key.append(_END)
    elif kind in (Kind.STRUCT, Kind.BAG):
        # In their own order. One Python frame a level, for values nest 200 levels deep.
        parts: list[list[Any]] = []
        is_struct = kind is Kind.STRUCT
        for name, member in iter_members(value) if is_struct else ((None, item) for item in value):
            parts.append([1, name or ""] if is_struct else [])
            _write_key(decoded(member), parts[-1])
        for part in sorted(parts):
            key += part
        key.append(_END)


class _Descending(tuple[Any, ...]):
    """A sort key that compares the other way round; a tuple, so that its size is counted."""

    __slots__ = ()

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return tuple(other) < tuple(self)


@attrs.frozen
class SortPlan:
    """One key of ORDER BY, compiled."""

    evaluate: Evaluate
    descending: bool
    nulls_first: bool

    def key_of(self, frame: Frame) -> tuple[bool, Any]:
        """Compute the key of the row that is bound in the frame."""
        value = self.evaluate(frame)
        if is_unknown(value):
            return not self.nulls_first, None
        charge_values(frame, value)
        key = sort_key(value)
        return self.nulls_first, _Descending(key) if self.descending else key


@attrs.frozen
class Count:
    """A LIMIT or an OFFSET, compiled."""

    word: str
    evaluate: Evaluate
    failure: Callable[[str], PartiqlEvaluationError]

    def number(self, frame: Frame) -> int:
        """
        Compute it.

        Raises:
            PartiqlEvaluationError: it is no whole number from 0 on.

        """
        value = self.evaluate(frame)
        if kind_of(value) is not Kind.INT or value < 0:
            raise self.failure(f"{self.word} expects a whole number from 0 on")
        return min(int(value), sys.maxsize // 2)


@attrs.frozen
class Arrangement:
    """What becomes of a query's rows after they have been found and before they are given."""

    distinct: bool
    keys: tuple[SortPlan, ...]
    limit: Count | None
    offset: Count | None

    def iter_values(self, frame: Frame, matches: Iterable[Any], project: Evaluate) -> Iterator[Any]:
        """Yield the rows' values in order; `matches` binds one row after another."""
        first = 0 if self.offset is None else self.offset.number(frame)
        last = None if self.limit is None else first + self.limit.number(frame)
        if last is not None and last == first:
            return
        rows: Iterable[Keyed] = self._iter_keyed(frame, matches, project)
        with Holding(frame) as holding:
            if self.distinct:
                rows = _iter_distinct(frame, rows, holding)
            if self.keys:
                rows = _iter_held(rows, last, holding)
                rows = sorted(rows, key=_first) if last is None else _smallest(last, rows)
            for _, value in islice(rows, first, last):
                yield value

    def _iter_keyed(
        self, frame: Frame, matches: Iterable[Any], project: Evaluate
    ) -> Iterator[Keyed]:
        keys = self.keys
        for _ in matches:
            yield tuple([key.key_of(frame) for key in keys]), project(frame)


def _first(row: Keyed) -> tuple[Any, ...]:
    return row[0]


def _smallest(count: int, rows: Iterable[Keyed]) -> list[Keyed]:
    """Keep the rows that come first, and no more than these while rows go by."""
    return heapq.nsmallest(count, rows, key=_first)


def _iter_held(rows: Iterable[Keyed], most: int | None, holding: Holding) -> Iterator[Keyed]:
    """Note rows as held, all or as many as are kept at once."""
    for count, row in enumerate(rows):
        if most is None or count < most:
            holding.add(row)
        yield row


def _iter_distinct(frame: Frame, rows: Iterable[Keyed], holding: Holding) -> Iterator[Keyed]:
    """Leave out rows that are equal to an earlier one; NULL and MISSING are equal here."""
    seen: set[bytes] = set()
    for row in rows:
        charge_values(frame, row[1])
        key = group_key(row[1])
        if key not in seen:
            holding.add(key)
            seen.add(key)
            yield row

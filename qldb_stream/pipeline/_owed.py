"""
What sinks still have to look at before records may be trimmed.

A redacted copy of a block that a sink has is stored like any other record, below the sink's
position, and is of use to every sink that has the data. So it is trimmed only when all sinks of
the pipeline have looked at it: those that this pipeline has put, and those that others have put
and one of its sinks has found.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import attrs

__all__ = ["Copy", "Debt", "Owed"]

Copy: TypeAlias = tuple[int, int]
"""A block's number, and how many records of it were there: one more is another look."""


@attrs.frozen
class Debt:
    """What a sink has to look at in a strand; `told` is how often something was told of it."""

    told: int
    numbers: frozenset[int]


class Owed:
    """
    Keeps what the sinks of a pipeline owe; any thread may ask.

    Args:
        sinks: their names.
    """

    def __init__(self, sinks: Iterable[str]) -> None:
        self._sinks = frozenset(sinks)
        self._told: dict[str, int] = {}
        self._looked: dict[tuple[str, str], int] = {}
        self._numbers: dict[tuple[str, str], set[int]] = {}
        self._found: dict[str, dict[Copy, set[str]]] = {}
        self._lock = threading.Lock()

    def tell(self, numbers: Mapping[str, Iterable[int]]) -> None:
        """Take note of blocks, by strand, of which redacted copies come; before and after."""
        with self._lock:
            for strand_id, of_strand in numbers.items():
                self._told[strand_id] = self._told.get(strand_id, 0) + 1
                for sink in self._sinks:
                    self._numbers.setdefault((sink, strand_id), set()).update(of_strand)

    def of(self, sink: str, strand_id: str) -> Debt:
        """Give what a sink has to look at, apart from what it finds itself."""
        with self._lock:
            found = frozenset(self._numbers.get((sink, strand_id), ()))
            return Debt(self._told.get(strand_id, 0), found)

    def see(self, sink: str, strand_id: str, copies: Iterable[Copy]) -> None:
        """Take note of copies that a sink has found, and has taken."""
        with self._lock:
            found = self._found.setdefault(strand_id, {})
            for copy in copies:
                found.setdefault(copy, set()).add(sink)

    def settle(self, sink: str, strand_id: str, debt: Debt) -> None:
        """Take note that a sink has looked; what was told of meanwhile it still owes."""
        with self._lock:
            self._looked[sink, strand_id] = debt.told
            if debt.told == self._told.get(strand_id, 0):
                self._numbers.pop((sink, strand_id), None)

    def may_trim(self, strand_id: str, trimmable: Callable[[], int | None]) -> bool:
        """
        Say whether every sink has looked at all that would be trimmed; that is forgotten then.

        Args:
            strand_id: the strand.
            trimmable: gives the number up to which records would go.
        """
        with self._lock:
            told, found = self._told.get(strand_id, 0), self._found.get(strand_id)
            if any(self._looked.get((sink, strand_id), 0) != told for sink in self._sinks):
                return False
        last = trimmable() if found else None
        if not found or last is None:
            return True
        with self._lock:
            going = {copy: seen for copy, seen in found.items() if copy[0] <= last}
            if any(seen < self._sinks for seen in going.values()):
                return False
            for copy in going:
                del found[copy]
        return True

"""COUNT, SUM, AVG, MIN, MAX over the rows of one query (facts 5.5)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._arithmetic import compute, exact, number_of
from qldb_stream.partiql._context import Frame
from qldb_stream.partiql._holding import Holding, charge_values, large_size
from qldb_stream.partiql._scope import AggregateCall
from qldb_stream.partiql._values import group_key, is_unknown, order_key


class Fold:
    """One aggregate while rows go by; NULL and MISSING are passed over."""

    __slots__ = ("_call", "_count", "_held", "_holding", "_seen", "_value")

    def __init__(self, call: AggregateCall, holding: Holding) -> None:
        self._call = call
        self._holding = holding
        self._count = 0
        self._held = 0
        self._value: Any = None
        self._seen: set[bytes] | None = set() if call.distinct else None

    def feed(self, frame: Frame) -> None:
        """Take the row that is bound in the frame."""
        argument = self._call.argument
        if argument is None:
            self._count += 1
            return
        value = argument(frame)
        if is_unknown(value):
            return
        charge_values(frame, value, self._value)
        if self._seen is not None and self._is_repeated(value):
            return
        self._count += 1
        if self._call.name != "COUNT":
            self._take(number_of(value, self._failure))

    def _take(self, number: Any) -> None:
        """Fold a number; what comes of it is held, and may be long."""
        if self._value is not None:
            number = _STEPS[self._call.name](self._value, number, self._failure)
        self._value = number
        size = large_size(number)
        if size > self._held:
            self._holding.grow(size - self._held)
            self._held = size

    def _is_repeated(self, value: Any) -> bool:
        """Tell, for DISTINCT, whether an equal value was met before; take note of it."""
        assert self._seen is not None
        key = group_key(value)
        if key in self._seen:
            return True
        self._holding.add(key)
        self._seen.add(key)
        return False

    def result(self) -> Any:
        """Give the outcome: NULL without input, 0 for COUNT."""
        if self._call.name == "COUNT":
            return self._count
        if self._count == 0:
            return None
        if self._call.name == "SUM" and isinstance(self._value, float):
            return exact(self._value, self._failure)
        if self._call.name == "AVG":
            total = exact(self._value, self._failure)
            return compute("divide", total, Decimal(self._count), self._failure)
        return self._value

    def store(self, frame: Frame) -> None:
        """Put the outcome where the SELECT list reads it."""
        frame[self._call.slot] = self.result()

    def _failure(self, problem: str) -> PartiqlEvaluationError:
        return PartiqlEvaluationError(self._call.line, self._call.column, problem)


def _add(total: Any, number: Any, failure: Callable[[str], PartiqlEvaluationError]) -> Any:
    """Add; a float among the input makes the sum decimal (facts 5.5)."""
    if isinstance(total, float) or isinstance(number, float):
        total, number = exact(total, failure), exact(number, failure)
    return compute("add", total, number, failure)


def _order(number: Any) -> Any:
    """Give what is compared; nan stays as it is."""
    key = order_key(number)
    return number if key is None else key[1]


def _are_ints(a: Any, b: Any) -> bool:
    """Tell whether Python compares them fast, however long they are."""
    return isinstance(a, int) and isinstance(b, int)


def _least(a: Any, b: Any, _: Callable[[str], PartiqlEvaluationError]) -> Any:
    return min(a, b) if _are_ints(a, b) else min(a, b, key=_order)


def _greatest(a: Any, b: Any, _: Callable[[str], PartiqlEvaluationError]) -> Any:
    return max(a, b) if _are_ints(a, b) else max(a, b, key=_order)


_STEPS: Final = {"SUM": _add, "AVG": _add, "MIN": _least, "MAX": _greatest}

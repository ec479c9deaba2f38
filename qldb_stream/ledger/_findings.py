"""What a check of a ledger's file has found so far; bounded, however much is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from qldb_stream.report import LedgerProblem, LedgerReport

__all__ = ["Findings", "Progress"]

# Enough to see what happened; a file that was tampered with everywhere has millions.
_KEPT_PROBLEMS: Final = 1000

Progress = Callable[[int, int, str], None]
"""Told how many of how many are done, and of what: "blocks", "documents", "entries"."""


class Findings:
    """Collects problems, what cannot be checked, and counts."""

    def __init__(self) -> None:
        self._problems: Final[list[LedgerProblem]] = []
        self._more = 0
        self._not_checkable: Final[Counter[str]] = Counter()
        self._counts: Final[Counter[str]] = Counter()

    def add(self, place: str, field: str | None, message: str, **where: Any) -> None:
        """Note a problem; the first ones in full, the others as a number."""
        if len(self._problems) < _KEPT_PROBLEMS:
            self._problems.append(LedgerProblem(place, message, field, **where))
        else:
            self._more += 1

    def cannot_check(self, reason: str, times: int = 1) -> None:
        """Note something that can be neither verified nor refuted, or several such things."""
        self._not_checkable[reason] += times

    def count(self, what: str) -> None:
        """Count one of the report's numbers up."""
        self._counts[what] += 1

    def report(self) -> LedgerReport:
        """Give what was found."""
        return LedgerReport(
            problems=tuple(self._problems),
            more_problems=self._more,
            not_checkable=dict(self._not_checkable),
            **self._counts,
        )

"""What pages of several reports say in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from qldb_stream.report._checks import Problem
from qldb_stream.report.html._page import Markup, make_table, make_text

__all__ = ["describe_ranges", "describe_time", "problem_tables"]

_PROBLEMS: Final = 1_000
"""More of them than this are for `--json`; nobody reads them on a page."""

_COLUMNS: Final = ("=code", "=strand", "#block", "document", "field", "what is wrong")


def describe_ranges(ranges: Iterable[tuple[int, int]]) -> Markup | None:
    """Write ranges as text, `0-12, 15`; None for none."""
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
    return make_text(text) if text else None


def describe_time(moment: datetime | None) -> str | None:
    """Write a time as ISO 8601 with milliseconds; None for none."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def problem_tables(problems: Sequence[Problem]) -> tuple[object, ...]:
    """Make a table of problems with their places, and a sentence where there are more."""
    table = make_table("What is wrong, and where", _COLUMNS, map(_row, problems[:_PROBLEMS]))
    more = len(problems) - _PROBLEMS
    if more <= 0:
        return (table,)
    return table, f"And {more:,} more: the JSON report (--json) lists them."


def _row(problem: Problem) -> tuple[object, ...]:
    return (
        problem.code.value,
        problem.strand_id,
        problem.sequence_no,
        problem.document_id,
        problem.field,
        f"{problem.message}{problem.whereabouts}",
    )

"""Progress on standard error: bars where a person watches, nothing where none does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["ReportProgress", "progress"]

ReportProgress = Callable[[str, int, int | None], None]
"""Takes the stage's name, how much is done, and of how much where that is known."""


@contextmanager
def progress() -> Iterator[ReportProgress]:
    """
    Show one bar for each stage while the body runs, and none afterwards.

    Yields:
        What the rooms beneath call; it does nothing when standard error is no terminal.
    """
    if not sys.stderr.isatty():
        yield _ignore
        return
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bars:
        yield _follow(bars)


def _ignore(_stage: str, _done: int, _total: int | None) -> None:
    """Show nothing."""


def _follow(bars: Progress) -> ReportProgress:
    """Make what moves the bars: one for each stage, added when it is first named."""
    tasks: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int | None) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    return report

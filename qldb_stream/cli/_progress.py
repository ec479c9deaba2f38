"""
Progress on standard error: bars where a person watches, nothing where none does.

Each bar says how far a stage is, at what rate, and when it will be done at this rate. The rate
is that of the last half minute, so that a slow disk or a bucket that wakes up is soon seen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from qldb_stream.sources import Progress as ReportProgress

__all__ = ["describe_left", "describe_rate", "progress"]

# What the stages of a source are to a person.
_STAGES: Final = {"fetch": "fetching", "index": "reading", "read": "working"}

_RATE_OVER_S: Final = 30.0
_LONGEST_S: Final = 100 * 3600  # a time left beyond it says nothing but that


@contextmanager
def progress(
    *,
    prints_lines: bool = False,
    counts: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[ReportProgress]:
    """
    Show one bar for each stage while the body runs, and none afterwards.

    Args:
        prints_lines: the body prints to standard output; where that is a terminal too,
            the lines are progress enough, and bars would tear them.
        counts: what is done is a number of things, not of bytes.
        clock: seconds, from any start.

    Yields:
        What the rooms beneath call; it does nothing when standard error is no terminal.
    """
    if not sys.stderr.isatty() or (prints_lines and sys.stdout.isatty()):
        yield _ignore
        return
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counts else DownloadColumn(),
        _RateColumn(counts=counts),
        TimeElapsedColumn(),
        _LeftColumn(),
        get_time=clock,
        speed_estimate_period=_RATE_OVER_S,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # what the body prints is for standard output
        redirect_stderr=False,
    )
    with bars:
        yield _follow(bars)


def describe_rate(per_s: float | None, *, counts: bool) -> str:
    """Say how fast it goes: `12.5 MB/s`, or `1,250/s` of things; nothing where that is unknown."""
    if per_s is None:
        return ""
    return f"{per_s:,.0f}/s" if counts else f"{per_s / 1e6:,.1f} MB/s"


def describe_left(left: float, per_s: float | None) -> str:
    """Say how long the rest takes at a rate, `0:01:30 left`; nothing where that is unknown."""
    if not per_s or left <= 0:
        return ""
    seconds = round(left / per_s)
    if seconds >= _LONGEST_S:
        return "days left"
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"


class _RateColumn(ProgressColumn):
    """The rate of a stage; that of all of it when it is done."""

    def __init__(self, *, counts: bool) -> None:
        super().__init__()
        self._counts = counts

    def render(self, task: Task) -> Text:
        """Give the rate as text."""
        return Text(describe_rate(task.finished_speed or task.speed, counts=self._counts))


class _LeftColumn(ProgressColumn):
    """The time that a stage still takes."""

    def render(self, task: Task) -> Text:
        """Give the time left as text."""
        return Text(describe_left(task.remaining or 0, task.speed))


def _ignore(_done_bytes: int, _total_bytes: int, _stage: str) -> None:
    """Show nothing."""


def _follow(bars: Progress) -> ReportProgress:
    """Make what moves the bars: one for each stage, added when it is first named."""
    tasks: dict[str, TaskID] = {}

    def report(done_bytes: int, total_bytes: int, stage: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=total_bytes)
        bars.update(tasks[stage], completed=done_bytes, total=total_bytes)

    return report

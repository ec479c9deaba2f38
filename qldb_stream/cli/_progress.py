"""Progress on standard error: bars where a person watches, nothing where none does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from qldb_stream.sources import Progress as ReportProgress

__all__ = ["progress"]

# What the stages of a source are to a person.
_STAGES: Final = {"fetch": "fetching", "index": "reading", "read": "working"}


@contextmanager
def progress(*, prints_lines: bool = False, counts: bool = False) -> Iterator[ReportProgress]:
    """
    Show one bar for each stage while the body runs, and none afterwards.

    Args:
        prints_lines: the body prints to standard output; where that is a terminal too,
            the lines are progress enough, and bars would tear them.
        counts: what is done is a number of things, not of bytes.

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
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # what the body prints is for standard output
        redirect_stderr=False,
    )
    with bars:
        yield _follow(bars)


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

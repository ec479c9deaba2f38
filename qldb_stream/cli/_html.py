"""Pages of reports: the option, and the file that a page is written to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from qldb_stream.errors import UsageError

__all__ = ["check_page", "html_option", "write_page"]


html_option = click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the report as a page too: one HTML file that needs nothing else.",
)


def check_page(page: Path | None) -> None:
    """
    Make sure, before any work, that a page can be written where it was asked for.

    Raises:
        UsageError: its folder is not there, or a folder has its name.
    """
    if page is None:
        return
    if page.is_dir():
        raise UsageError(f"cannot write {page}: it is a folder")
    if not page.absolute().parent.is_dir():
        raise UsageError(f"cannot write {page}: there is no folder {page.parent}")


def write_page(page: Path | None, make: Callable[..., str]) -> None:
    """
    Write a page, where one was asked for; what was there before is replaced.

    Args:
        page: where to; None for nowhere.
        make: makes it, and takes `made_at` and `maker`.

    Raises:
        UsageError: it cannot be written.
    """
    if page is None:
        return
    text = make(made_at=datetime.now(UTC), maker=f"qldb-stream {version('qldb-stream')}")
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write {page}: {exc.strerror}") from exc

"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

__all__ = ["add_options", "files_argument", "json_option", "parse_time"]


C = TypeVar("C", bound=Callable[..., Any])


def parse_time(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """
    Read a point in time in ISO 8601, UTC where it names no offset; an option's callback.

    Raises:
        click.BadParameter: it is none.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as exc:
        raise click.BadParameter(f"{value!r} is no time such as 2024-05-06T07:08:09Z") from exc
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def add_options(command: C, options: Sequence[Callable[[C], C]]) -> C:
    """Put options on a command; `--help` has them in their order."""
    for option in reversed(options):
        command = option(command)
    return command


files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(),
)

json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object instead of tables.",
)

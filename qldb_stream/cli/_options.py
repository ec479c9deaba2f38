"""Arguments and options that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime

import click

__all__ = ["files_argument", "json_option", "parse_time"]


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

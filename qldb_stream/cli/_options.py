"""Arguments and options that several commands share."""

from __future__ import annotations

import click

__all__ = ["files_argument", "json_option"]

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

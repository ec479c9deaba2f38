"""`qldb-stream ledger shell`: PartiQL at a terminal."""

from __future__ import annotations

from typing import Any

import click

from qldb_stream.cli._ledger_options import ledger_options, open_target
from qldb_stream.cli._rows import FORMATS
from qldb_stream.errors import UsageError

__all__ = ["shell"]

EPILOG = """
\b
Examples:
  qldb-stream ledger shell cars.ledger
  qldb-stream ledger shell cars.ledger --read-only
  qldb-stream ledger shell http://127.0.0.1:8765 --ledger cars
"""


@click.command(epilog=EPILOG)
@click.argument("target", metavar="PATH|URL")
@ledger_options
@click.option(
    "--format",
    "row_format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="How rows are shown.",
)
@click.option(
    "--history",
    type=click.Path(),
    metavar="FILE",
    help="Where input is kept; default ~/.local/state/qldb-stream/history, `-` keeps none.",
)
def shell(*, target: str, row_format: str, history: str | None, **options: Any) -> int:
    """
    Type PartiQL at a ledger; HELP inside says more.

    PATH is a ledger file, opened in this process; URL (http:// or https://) a server, reached
    through pyqldb (extra `qldb`) with credentials from boto3's usual places.
    """
    try:
        from qldb_stream.cli._terminal import converse, is_terminal
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != "prompt_toolkit":
            raise
        raise UsageError(
            "the shell needs the extra `shell`: pip install 'qldb-stream[shell]'"
        ) from exc
    if not is_terminal():
        raise UsageError("the shell needs a terminal; scripts use `qldb-stream ledger query`")
    with open_target(target, **options) as connection:
        converse(connection, row_format, history)
    return 0

"""What `ledger shell` and `ledger query` share: how a ledger is named and opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from qldb_stream.cli._connections import Connection, is_url, open_file, open_url
from qldb_stream.cli._options import add_options
from qldb_stream.errors import UsageError

__all__ = ["ledger_options", "open_target"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--ledger", "name", metavar="NAME", help="The ledger's name; needed for a URL."),
    click.option("--region", metavar="NAME", help="The region to sign for; a URL's alone."),
    click.option(
        "--read-only", is_flag=True, help="Only read the file, beside a process that writes it."
    ),
    click.option(
        "--extensions",
        type=click.Choice(["off", "on"]),
        default="off",
        show_default=True,
        help="Allow PartiQL that QLDB did not have: ORDER BY, LIMIT, GROUP BY, ... in a file.",
    ),
    click.option(
        "--limits",
        type=click.Choice(["qldb", "off"]),
        default="off",
        show_default=True,
        help="Keep QLDB's limits, such as 40 documents and 30 seconds a transaction, in a file.",
    ),
    click.option(
        "--journal-reads",
        type=click.Choice(["off", "on"]),
        default="off",
        show_default=True,
        help="Journal transactions that only read, too, as QLDB did, in a file.",
    ),
    click.option("--create", is_flag=True, help="Make the file when there is none."),
)


def ledger_options(command: F) -> F:
    """Add the options that say which ledger."""
    return add_options(command, _OPTIONS)


def open_target(
    target: str,
    *,
    name: str | None,
    region: str | None,
    read_only: bool,
    create: bool,
    **settings: Any,
) -> Connection:
    """
    Open what was named.

    Args:
        target: a path or a URL.
        name: as `open_file` and `open_url` take it.
        region: the region to sign for; a URL's alone.
        read_only: as `open_file` takes it.
        create: as `open_file` takes it.
        settings: `extensions`, `limits` and `journal_reads`, as `open_file` takes them; a
            server has been started with its own.

    Raises:
        UsageError: options that do not go together, or what `open_file` and `open_url` refuse.
        LedgerFileError: the file cannot be opened.
    """
    if is_url(target):
        if read_only or create:
            raise UsageError("--read-only and --create are for files; a server's keys decide")
        for setting, value in settings.items():
            if value != "off":
                option = "--" + setting.replace("_", "-")
                raise UsageError(f"{option} is for files; a server is started with it")
        return open_url(target, name, region=region)
    if region is not None:
        raise UsageError("--region is for a URL")
    if read_only and create:
        raise UsageError("--read-only and --create contradict each other")
    return open_file(target, read_only=read_only, create=create, name=name, **settings)

"""`qldb-stream ledger`: work with an embedded ledger; each command is a module of its own."""

from __future__ import annotations

import click

from qldb_stream.cli._check import check
from qldb_stream.cli._export import export
from qldb_stream.cli._query import query
from qldb_stream.cli._serve import serve
from qldb_stream.cli._shell import shell
from qldb_stream.cli._stream import stream

__all__ = ["ledger"]


@click.group()
def ledger() -> None:
    """Work with a ledger file of this package."""


for _command in (check, export, query, serve, shell, stream):
    ledger.add_command(_command)

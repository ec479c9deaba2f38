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

EPILOG = """
\b
Examples:
  qldb-stream ledger query cars.ledger 'CREATE TABLE Vehicle' --create
  qldb-stream ledger shell cars.ledger
  qldb-stream ledger check cars.ledger
  qldb-stream ledger export cars.ledger --to archive/
  qldb-stream ledger serve ledgers/
"""


@click.group(epilog=EPILOG)
def ledger() -> None:
    """
    Work with the embedded ledger: a file that holds journal, documents and indexes.

    It is made by `query --create`, `shell --create`, a replay or a mirror, or through `serve`.
    """


for _command in (check, export, query, serve, shell, stream):
    ledger.add_command(_command)

"""
A database for what a comparison must remember, gone when it is closed.

SQLite keeps its pages in a bounded cache and spills to a temporary file by itself, so memory is
bounded whatever is remembered. Nothing of it must outlive a crash, so nothing is made durable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from typing import Any, Final

from qldb_stream.errors import SourceError

_PRAGMAS: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
"""


class TemporaryDatabase:
    """
    One transaction of SQLite that is never committed.

    Every method raises SourceError when the database cannot be used: there is no room, or no disk.
    """

    def __init__(self, schema: str) -> None:
        self._connection: Final = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(f"{_PRAGMAS}{schema}BEGIN;")

    def close(self) -> None:
        """Throw everything away."""
        self._connection.close()

    def execute(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        """Execute a statement."""
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as exc:
            raise _unusable(exc) from exc

    def first(self, query: str, values: tuple[Any, ...]) -> Any:
        """Give the first row that a query finds, or None."""
        with closing(self.rows(query, values)) as rows:
            return next(rows, None)

    def rows(self, query: str, values: tuple[Any, ...]) -> Generator[Any, None, None]:
        """Iterate over what a query finds."""
        with closing(self.execute(query, values)) as rows:
            try:
                yield from rows
            except sqlite3.Error as exc:
                raise _unusable(exc) from exc


def _unusable(exc: sqlite3.Error) -> SourceError:
    return SourceError("the temporary notes", f"cannot be kept: {exc}")

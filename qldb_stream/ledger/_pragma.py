"""The numbers that SQLite keeps in a file's header."""

from __future__ import annotations

import sqlite3
from contextlib import closing

__all__ = ["read_pragma"]


def read_pragma(connection: sqlite3.Connection, name: str) -> int:
    """
    Give a number of a file's header, such as `user_version`.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    with closing(connection.execute(f"PRAGMA {name}")) as cursor:
        value: int = cursor.fetchone()[0]
    return value

"""What sources keep, such as how far a shard is read; guarded by the token it was stored with."""

from __future__ import annotations

import sqlite3
from typing import Final

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.inbox._store import rows

__all__ = ["check_checkpoint", "read_checkpoint", "set_checkpoint"]

_MAX_KEY: Final = 512
_MAX_VALUE: Final = 4096
_SET: Final = """
INSERT INTO checkpoint VALUES (?1, ?2, ?3)
ON CONFLICT (key) DO UPDATE SET token = ?2, value = ?3
"""


def check_checkpoint(key: str, value: str) -> None:
    """
    Check that a checkpoint is small.

    Raises:
        UsageError: it is not, or the key is empty.
    """
    if not 0 < len(key) <= _MAX_KEY or len(value) > _MAX_VALUE:
        raise UsageError(
            f"a checkpoint with a key of {len(key)} and a value of {len(value)} characters: "
            f"1 to {_MAX_KEY} and up to {_MAX_VALUE} are kept"
        )


def read_checkpoint(connection: sqlite3.Connection, key: str) -> str | None:
    """Give what is kept under a key; None for nothing."""
    found = rows(connection, "SELECT value FROM checkpoint WHERE key = ?", key)
    return str(found[0][0]) if found else None


def set_checkpoint(connection: sqlite3.Connection, key: str, value: str, token: int) -> None:
    """
    Store a checkpoint and its token.

    Raises:
        StaleTokenError: the stored one has a higher token.
    """
    for (stored,) in rows(connection, "SELECT token FROM checkpoint WHERE key = ?", key):
        if stored > token:
            raise StaleTokenError(key, stored, token)
    connection.execute(_SET, (key, token, value))

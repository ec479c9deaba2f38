"""
Bringing a ledger file of an older version up to date; in one SQLite transaction.

Version 1 had index keys as they are. Version 2 has their hashes, so that no value stays in
an index's pages (`_keys`). The old table's pages are overwritten when they are given up.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from qldb_stream.ledger._keys import stored_key
from qldb_stream.ledger._pragma import read_pragma
from qldb_stream.ledger._schema import APPLICATION_ID, SCHEMA_VERSION

__all__ = ["migrate"]

_FIRST: Final = 1
_TO_2: Final = (
    """
    CREATE TABLE entry_2 (
        index_no INTEGER NOT NULL,
        key BLOB NOT NULL,
        document_id TEXT NOT NULL,
        PRIMARY KEY (index_no, key, document_id)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO entry_2
    SELECT index_no, stored_key(key), document_id FROM entry ORDER BY 1, 2, 3
    """,
    "DROP TABLE entry",
    "ALTER TABLE entry_2 RENAME TO entry",
)


def migrate(connection: sqlite3.Connection) -> None:
    """
    Bring a file up to date, if it is a ledger of an older version; else do nothing.

    Raises:
        sqlite3.Error: it could not be written; the file is as it was.
    """
    if read_pragma(connection, "application_id") != APPLICATION_ID:
        return
    if read_pragma(connection, "user_version") != _FIRST:
        return
    connection.create_function("stored_key", 1, stored_key, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _TO_2:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise

"""
The index beside an archive: one SQLite file that says where everything stands.

It has addresses, hashes, ids of documents, names of tables, times, and places in files; no
contents of documents and no statements, so a redaction has nothing to erase in it. It is
written once, as another file that takes the old one's name when it is whole, and only read from
then on, so that several processes may do both at the same time.

Nothing in it is believed. Whoever opens it compares version, tables and the archive's files;
whoever uses it reads the archive's own bytes where it points to, and hashes them. So a wrong
index can hide what the archive has, and cannot vouch for what it has not.

A block's `nodes` are its hash and the roots of the full subtrees that end with it, of 2, 4,
8, ... blocks (as in the embedded ledger): a proof is O(log n) of them.
"""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = ["APPLICATION_ID", "COMPLETE", "SCHEMA", "SHAPES", "VERSION", "has_schema"]

APPLICATION_ID: Final = 0x51534158  # "QSAX", in bytes 68 to 71 of the file
VERSION: Final = 1
"""The version of this format, as the file's `user_version`; another one is built anew."""

COMPLETE: Final = "complete"
"""
The key in `meta` that says that no object of S3 was left out because it may not be read.

Then its files are numbered as they are listed, and one of them can be fetched alone.
"""

SHAPES: Final = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "strand": (
        "CREATE TABLE strand (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " delete_block INTEGER) STRICT"
    ),
    "symbols": (
        "CREATE TABLE symbols (file INTEGER, number INTEGER, parent INTEGER NOT NULL,"
        " start INTEGER NOT NULL, length INTEGER NOT NULL,"
        " PRIMARY KEY (file, number)) STRICT, WITHOUT ROWID"
    ),
    "part": (
        "CREATE TABLE part (strand INTEGER, number INTEGER, seq INTEGER, file INTEGER NOT NULL,"
        " start INTEGER NOT NULL, length INTEGER NOT NULL, place INTEGER, tables INTEGER,"
        " PRIMARY KEY (strand, number, seq)) STRICT, WITHOUT ROWID"
    ),
    "block": (
        "CREATE TABLE block (strand INTEGER, number INTEGER, nodes BLOB,"
        " PRIMARY KEY (strand, number)) STRICT, WITHOUT ROWID"
    ),
    "tab": (
        "CREATE TABLE tab (no INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL,"
        " UNIQUE (id, name)) STRICT"
    ),
    "ddl": (
        "CREATE TABLE ddl (strand INTEGER, number INTEGER, seq INTEGER, ms INTEGER NOT NULL,"
        " verb TEXT NOT NULL, target TEXT NOT NULL,"
        " PRIMARY KEY (strand, number, seq)) STRICT, WITHOUT ROWID"
    ),
    "revision": (
        "CREATE TABLE revision (document TEXT, strand INTEGER, number INTEGER, leaf INTEGER,"
        " version INTEGER NOT NULL, tab INTEGER NOT NULL, tx_ms INTEGER NOT NULL,"
        " PRIMARY KEY (document, strand, number, leaf)) STRICT, WITHOUT ROWID"
    ),
    "revision_by_table": (
        "CREATE INDEX revision_by_table ON revision"
        " (tab, strand, number, leaf, document, tx_ms, version)"
    ),
    "redaction": (
        "CREATE TABLE redaction (strand INTEGER, number INTEGER, document TEXT, version INTEGER,"
        " by_strand INTEGER, by_number INTEGER,"
        " PRIMARY KEY (strand, number, document, version, by_strand, by_number))"
        " STRICT, WITHOUT ROWID"
    ),
}
"""What the file holds, by name; nothing else may be in it."""

SCHEMA: Final = ";\n".join(sql for name, sql in SHAPES.items() if name != "revision_by_table")


def has_schema(database: sqlite3.Connection) -> bool:
    """
    Say whether a file holds these tables and nothing else: no view, no trigger.

    Raises:
        sqlite3.Error: it is no database, or damaged.
    """
    rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return dict(rows.fetchmany(len(SHAPES) + 1)) == SHAPES

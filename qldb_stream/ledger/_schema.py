"""
The tables of a ledger file, and which versions of them this code can read.

`block` and `revision` are the journal and only grow; nothing in them ever changes, but
for `revision.data`, the one thing that a redaction may erase (it then sets `data_hash`).
A revision's metadata is not stored as Ion: its four fields are here, and their shape is
fixed. The current state stands beside the journal: `document` points to each document's
newest revision, deleted ones included, and each revision to the one before it, so that a
document as of any block, and its history, are found by walking back; `entry` holds the
index entries of what is current, with hashes of their keys (version 1: the keys).
"""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION_ID", "PRAGMAS", "SCHEMA", "SCHEMA_VERSION"]

APPLICATION_ID: Final = int.from_bytes(b"QLDB", "big")
"""Tells SQLite's tools, and us, whose file it is."""

SCHEMA_VERSION: Final = 2
"""Kept as SQLite's `user_version`; a higher one is refused, a lower one migrated."""

# FULL: a commit that was answered survives loss of power. secure_delete: what a redaction or a
# changed index entry leaves behind is overwritten. 16 MiB of cache at most, which the inner pages
# of many millions of documents fit in: four times as much made nothing faster, and a process may
# have many ledgers open.
PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
PRAGMA cache_size = -16384;
"""

# The columns of block and revision stand in the order of StoredBlock and StoredRevision.
SCHEMA: Final = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE block (
    sequence_no INTEGER PRIMARY KEY,
    transaction_id TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,    -- blockTimestamp; never falls
    first_revision_no INTEGER NOT NULL,
    nodes BLOB NOT NULL,              -- the block's hash, then the Merkle nodes that it fills
    summary BLOB NOT NULL,            -- Ion: the payload of its BLOCK_SUMMARY record
    catalog BLOB                      -- Ion: the tables that it changed; NULL for none
);

CREATE TABLE revision (
    no INTEGER PRIMARY KEY,           -- dense, in the order of blocks and their Merkle leaves
    sequence_no INTEGER NOT NULL,
    table_no INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    tx_time_ms INTEGER NOT NULL,
    previous_no INTEGER,              -- the document's revision before
    hash BLOB NOT NULL,
    data_hash BLOB,                   -- only when redacted
    data BLOB                         -- Ion: the document; NULL when deleted or redacted
);

CREATE TABLE document (
    table_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    revision_no INTEGER NOT NULL,
    PRIMARY KEY (table_no, id)
) WITHOUT ROWID;

CREATE TABLE entry (
    index_no INTEGER NOT NULL,
    key BLOB NOT NULL,                -- BLAKE2b, 16 bytes, of what is equal for equal values
    document_id TEXT NOT NULL,
    PRIMARY KEY (index_no, key, document_id)
) WITHOUT ROWID;

CREATE TABLE catalog_table (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    active INTEGER NOT NULL
);

CREATE TABLE catalog_index (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    table_no INTEGER NOT NULL,
    field TEXT NOT NULL
);
"""

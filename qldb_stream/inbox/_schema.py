"""
The format of an inbox file.

The rule of versions: the number below is kept as SQLite's `user_version`. Whoever changes a
table raises it, and adds to `_file` the step that brings a file of the version before up to
it, in one transaction. A file of a newer version is refused; nothing is ever guessed.
"""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION_ID", "SCHEMA", "SCHEMA_VERSION", "SETTINGS", "STEPS"]

APPLICATION_ID: Final = int.from_bytes(b"QLin", "big")
"""Tells SQLite's tools, and us, whose file it is."""

SCHEMA_VERSION: Final = 2

# FULL: what was answered survives loss of power. secure_delete: what was erased or trimmed is
# overwritten. 16 MiB of cache at most, whatever waits.
SETTINGS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -16384",
)

# Version 2 added what sources keep.
_CHECKPOINT: Final = """
CREATE TABLE checkpoint (
    key TEXT PRIMARY KEY,
    token INTEGER NOT NULL,
    value TEXT NOT NULL               -- the source's own
) WITHOUT ROWID;
"""

STEPS: Final = {1: (_CHECKPOINT, "PRAGMA user_version = 2")}
"""What brings a file of a version up to the next one, by that version."""

# Records are in a table of their own, in the order in which they came: what is added goes to its
# end, and the index, of 50 bytes a record, stays in the cache where numbers are near each other.
SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};

CREATE TABLE strand (
    no INTEGER PRIMARY KEY,
    strand_id TEXT NOT NULL UNIQUE,
    arrivals INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,       -- stored now
    record_bytes INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE record (
    id INTEGER PRIMARY KEY,           -- rises as they come
    strand_no INTEGER NOT NULL,
    sequence_no INTEGER NOT NULL,
    key BLOB NOT NULL,                -- SHA-256 of data
    arrived_s REAL NOT NULL,
    data BLOB NOT NULL                -- a stream record, binary Ion
);
CREATE UNIQUE INDEX record_of_block ON record (strand_no, sequence_no, key);

CREATE TABLE erased (                 -- what must not come in again
    strand_id TEXT NOT NULL,
    sequence_no INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (strand_id, sequence_no, document_id, version)
) WITHOUT ROWID;

CREATE TABLE lease (
    key TEXT PRIMARY KEY,
    token INTEGER NOT NULL,           -- stays when the lease is given back, so that it only rises
    expires_s REAL                    -- NULL when it was given back
) WITHOUT ROWID;

CREATE TABLE sink (name TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE position (
    sink TEXT NOT NULL,
    strand_id TEXT NOT NULL,
    token INTEGER NOT NULL,
    value TEXT NOT NULL,              -- JSON, see Position.as_json
    PRIMARY KEY (sink, strand_id)
) WITHOUT ROWID;

CREATE TABLE parked (
    no INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    strand_id TEXT NOT NULL,
    sequence_no INTEGER NOT NULL,
    value TEXT NOT NULL,              -- JSON, see _parked
    summary BLOB NOT NULL,            -- a stream record
    UNIQUE (sink, strand_id, sequence_no)
);

CREATE TABLE parked_revision (
    parked_no INTEGER NOT NULL,
    leaf INTEGER NOT NULL,            -- its place in the block
    value TEXT NOT NULL,              -- JSON, see _parked
    data BLOB,                        -- a stream record; NULL for a bare hash
    PRIMARY KEY (parked_no, leaf)
);

CREATE TABLE quarantined (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,         -- SHA-256 of where it was and what it is
    arrived_s REAL NOT NULL,
    value TEXT NOT NULL,              -- JSON, see _quarantine
    data BLOB
);

CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
{_CHECKPOINT}"""

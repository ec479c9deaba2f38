"""`history:PATH`: every revision and every current document in a SQLite file, exactly once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from qldb_stream.errors import SinkUnavailableError, StaleTokenError, UsageError
from qldb_stream.events import Block, Revision
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.ion import to_text
from qldb_stream.report import Position, SinkSummary

# With secure_delete, what is erased is overwritten; without a write-ahead log, in the one file.
TABLES = """
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS position (strand TEXT PRIMARY KEY, token INT, value TEXT);
CREATE TABLE IF NOT EXISTS revision (id TEXT, version INT, hash BLOB, data_hash BLOB, data TEXT,
    PRIMARY KEY (id, version));
CREATE TABLE IF NOT EXISTS document (id TEXT PRIMARY KEY, name TEXT, data TEXT);
"""


class HistorySink:
    """Keeps hash and data_hash with every revision, and erases what the journal redacts."""

    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self._documents = 0
        try:
            self._db = sqlite3.connect(path, timeout_s, isolation_level=None)
            self._db.executescript(TABLES)
        except sqlite3.Error as exc:
            raise SinkUnavailableError("history:", str(exc)) from exc

    def position(self, strand_id: str) -> Position | None:
        row = self._row(strand_id)
        return None if row is None else Position.from_json(json.loads(row[1]))

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        with self._transaction():  # the blocks and the position, or nothing
            row, stored = self._row(position.strand_id), self.position(position.strand_id)
            if row is not None and token < row[0]:
                raise StaleTokenError(position.strand_id, row[0], token)
            if stored is not None and stored.covers(position):
                return stored  # it is all there already
            for block in blocks if stored is None else stored.pending(blocks):
                self._write(block)
            row = (position.strand_id, token, json.dumps(position.as_json()))
            self._db.execute("REPLACE INTO position VALUES (?, ?, ?)", row)
        return position

    def summary(self) -> SinkSummary:
        return SinkSummary(documents=self._documents)  # no redaction is pending

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield
        except sqlite3.Error as exc:
            raise SinkUnavailableError("history:", str(exc)) from exc

    def _row(self, strand_id: str) -> tuple[int, str] | None:
        query = "SELECT token, value FROM position WHERE strand = ?"
        return self._db.execute(query, (strand_id,)).fetchone()

    def _write(self, block: Block) -> None:
        for revision in block.revisions:
            if revision.metadata is not None:  # of the others only the hash ever left QLDB
                self._write_revision(revision, revision.metadata.version)
        info = block.summary.redaction_info
        for asked in () if info is None else info.revisions:
            query = "UPDATE revision SET data = NULL WHERE id = ? AND version = ?"
            self._db.execute(query, (asked.document_id, asked.version))

    def _write_revision(self, revision: Revision, version: int) -> None:
        name, data, data_hash = revision.document_id, None, revision.data_hash
        if revision.data_ion is not None:
            data = to_text(revision.data_ion, is_part=True)
            # Where a filter masked fields, the source's hash comes with the revision.
            data_hash = data_hash or revision.data_ion.hash()
        row = (name, version, revision.hash, data_hash, data)
        self._db.execute("INSERT INTO revision VALUES (?, ?, ?, ?, ?)", row)
        self._documents += 1
        if data is None:  # deleted, redacted or withheld
            self._db.execute("DELETE FROM document WHERE id = ?", (name,))
        else:
            table = "" if revision.table is None else revision.table.table_name
            self._db.execute("REPLACE INTO document VALUES (?, ?, ?)", (name, table, data))


def open_history(path: str, options: Mapping[str, str]) -> HistorySink:
    if not path:
        raise UsageError("history: needs a path: write history:PATH")
    try:
        timeout_s = float(options.get("timeout_s", "5"))
    except ValueError as exc:
        raise UsageError("history: timeout_s is a number of seconds") from exc
    return HistorySink(path, timeout_s)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    timeout = SinkOption("timeout_s", "how long to wait for another writer, in seconds", "5")
    return [SinkType("history", open_history, "a SQLite file of all revisions", (timeout,))]


def read_back(sink: HistorySink) -> list[list[tuple[object, ...]]]:
    """Give all that the file holds, for the conformance kit."""
    queries = ("SELECT * FROM revision ORDER BY id, version", "SELECT * FROM document ORDER BY id")
    return [sink._db.execute(query).fetchall() for query in queries]

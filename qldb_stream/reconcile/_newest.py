"""
What a comparison of contents must remember: on disk when it is much.

A temporary database, as in `_notes`: of each document the newest revision, which the
current state must show; redactions; blocks up to which all agreed. A revision is pickled into
our own temporary file, and nobody else's pickles are read.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any, Final

import attrs

from qldb_stream.events import RevisionKind
from qldb_stream.reconcile._content import ContentDifference, DiffCode
from qldb_stream.reconcile._temporary import TemporaryDatabase
from qldb_stream.report import StoredRevision

_SCHEMA: Final = """
CREATE TABLE document (
    strand_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    table_id TEXT,
    version INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0,
    redacted INTEGER NOT NULL DEFAULT 0,
    stored BLOB NOT NULL,
    UNIQUE (strand_id, document_id)
);
CREATE TABLE redaction (
    strand_id TEXT, sequence_no INTEGER, document_id TEXT, version INTEGER,
    PRIMARY KEY (strand_id, sequence_no, document_id, version)
) WITHOUT ROWID;
CREATE TABLE unasked (
    strand_id TEXT, sequence_no INTEGER, document_id TEXT, version INTEGER, table_name TEXT,
    PRIMARY KEY (strand_id, sequence_no, document_id, version)
) WITHOUT ROWID;
CREATE TABLE told (
    strand_id TEXT, sequence_no INTEGER, document_id TEXT, version INTEGER,
    PRIMARY KEY (strand_id, sequence_no, document_id, version)
) WITHOUT ROWID;
CREATE TABLE reached (
    strand_id TEXT, sequence_no INTEGER, block_hash BLOB, PRIMARY KEY (strand_id, sequence_no)
) WITHOUT ROWID;
"""

_KEEP: Final = """
INSERT INTO document (strand_id, document_id, table_id, version, stored) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (strand_id, document_id) DO UPDATE SET table_id = excluded.table_id,
    version = excluded.version, redacted = 0, stored = excluded.stored
WHERE excluded.version >= version
"""
_COLUMNS: Final = "stored, table_id, seen, redacted"


@attrs.frozen
class NewestRevision:
    """A document's newest revision, and what is known of it beside."""

    stored: StoredRevision
    table_id: str | None
    is_seen: bool
    is_redacted: bool

    @property
    def must_be_there(self) -> bool:
        """Say whether the current state must show the document."""
        return not self.may_be_empty and self.stored.data is not None

    @property
    def may_be_empty(self) -> bool:
        """Say whether it is redacted: then sinks show it without data, or not."""
        return self.is_redacted or self.stored.kind is RevisionKind.REDACTED


class NewestRevisions:
    """
    Newest revisions, redactions and agreement, by strand.

    Every method raises SourceError when the temporary database cannot be used.
    """

    def __init__(self) -> None:
        self._db: Final = TemporaryDatabase(_SCHEMA)

    def close(self) -> None:
        """Throw everything away."""
        self._db.close()

    # --- documents -------------------------------------------------------------------------

    def keep(self, stored: StoredRevision, table_id: str | None) -> None:
        """Note a revision, if it is the document's newest so far."""
        key = (stored.strand_id, stored.document_id, table_id, stored.version)
        self._db.execute(_KEEP, (*key, pickle.dumps(stored)))

    def see(self, strand_id: str, document_id: str) -> NewestRevision | None:
        """Mark a document as present; give its newest revision, as it was before."""
        key = (strand_id, document_id)
        where = "strand_id = ? AND document_id = ?"
        query = f"SELECT {_COLUMNS} FROM document WHERE {where}"  # noqa: S608 - constants
        row = self._db.first(query, key)
        if row is None:
            return None
        self._db.execute(f"UPDATE document SET seen = 1 WHERE {where}", key)  # noqa: S608 - a constant
        return _newest(row)

    def iter_unseen(self, strand_id: str) -> Iterator[NewestRevision]:
        """Yield what should be present, and was not seen."""
        query = f"SELECT {_COLUMNS} FROM document WHERE strand_id = ? AND NOT seen"  # noqa: S608 - a constant
        for row in self._db.rows(query, (strand_id,)):
            newest = _newest(row)
            if newest.must_be_there:
                yield newest

    # --- redactions ------------------------------------------------------------------------

    def redact(self, strand_id: str, number: int, document_id: str, version: int) -> None:
        """Note that a block asked for a redaction."""
        key = (strand_id, number, document_id, version)
        self._db.execute("INSERT OR IGNORE INTO redaction VALUES (?, ?, ?, ?)", key)
        where = "strand_id = ? AND document_id = ? AND version = ?"
        document = (strand_id, document_id, version)
        self._db.execute(f"UPDATE document SET redacted = 1 WHERE {where}", document)  # noqa: S608 - a constant
        self._db.execute(
            f"DELETE FROM unasked WHERE sequence_no = ? AND {where}",  # noqa: S608 - a constant
            (number, *document),
        )

    def redacted(self, strand_id: str, number: int) -> frozenset[tuple[str, int]]:
        """Give what was redacted of a block: documents with versions."""
        query = "SELECT document_id, version FROM redaction WHERE strand_id = ? AND sequence_no = ?"
        return frozenset(tuple(row) for row in self._db.rows(query, (strand_id, number)))

    def erased(self, found: ContentDifference) -> None:
        """Note that a sink has something redacted that no block has asked for yet."""
        key = (found.strand_id, found.sequence_no, found.document_id, found.version, found.table)
        self._db.execute("INSERT OR IGNORE INTO unasked VALUES (?, ?, ?, ?, ?)", key)

    def unasked(self, strand_id: str) -> Iterator[ContentDifference]:
        """Yield what no block asked to redact."""
        query = (
            "SELECT sequence_no, document_id, table_name, version FROM unasked WHERE strand_id = ?"
        )
        for row in self._db.rows(query, (strand_id,)):
            yield ContentDifference(DiffCode.ERASED, strand_id, *row)

    def has_unasked(self, strand_id: str) -> bool:
        """Say whether there is such a revision."""
        query = "SELECT 1 FROM unasked WHERE strand_id = ? LIMIT 1"
        return self._db.first(query, (strand_id,)) is not None

    def is_told(self, found: ContentDifference) -> bool:
        """Say whether it was told before that these data are not erased; note that it is."""
        key = (found.strand_id, found.sequence_no, found.document_id, found.version)
        return not self._db.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?)", key).rowcount

    # --- agreement -------------------------------------------------------------------------

    def reached(self, strand_id: str, number: int, block_hash: bytes) -> None:
        """Note a block at which a range ends that agrees."""
        row = (strand_id, number, block_hash)
        self._db.execute("INSERT OR REPLACE INTO reached VALUES (?, ?, ?)", row)

    def reached_before(self, strand_id: str, number: int) -> tuple[int, bytes] | None:
        """Give the last such block before a number, and its hash."""
        query = (
            "SELECT sequence_no, block_hash FROM reached WHERE strand_id = ? AND sequence_no < ?"
            " ORDER BY sequence_no DESC LIMIT 1"
        )
        row = self._db.first(query, (strand_id, number))
        return None if row is None else (row[0], row[1])


def _newest(row: Any) -> NewestRevision:
    stored, table_id, seen, redacted = row
    return NewestRevision(pickle.loads(stored), table_id, bool(seen), bool(redacted))  # noqa: S301 - our own

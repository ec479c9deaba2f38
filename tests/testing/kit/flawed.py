"""A sound sink in a SQLite file, and the same with one thing wrong: each must be caught."""

# ruff: noqa: ARG002 - a flaw often is that something given is not looked at

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from qldb_stream.errors import SinkUnavailableError, StaleTokenError
from qldb_stream.events import Block, Revision
from qldb_stream.ion import to_text
from qldb_stream.report import Position, SinkSummary
from qldb_stream.testing.kit import kit_place

TABLES = """
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS position (strand TEXT PRIMARY KEY, token INT, value TEXT);
CREATE TABLE IF NOT EXISTS revision (no INTEGER PRIMARY KEY, id TEXT, version INT, hash BLOB,
    data_hash BLOB, data TEXT);
CREATE TABLE IF NOT EXISTS document (id TEXT PRIMARY KEY, name TEXT, data TEXT);
"""


class SoundSink:
    """History and current documents, exactly once; erases."""

    def __init__(self) -> None:
        path = kit_place() / "sound.db"
        self.db = sqlite3.connect(path, 5, isolation_level=None)
        self.db.executescript(TABLES)

    def position(self, strand_id: str) -> Position | None:
        """Read what was stored."""
        row = self._row(strand_id)
        return None if row is None else Position.from_json(json.loads(row[1]))

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Write blocks and position in one transaction."""
        with self.transaction():
            row, stored = self._row(position.strand_id), self.position(position.strand_id)
            if row is not None and token < row[0]:
                self.refuse(position.strand_id, row[0], token)
            if stored is not None and stored.covers(position):
                return stored
            for block in self.pending(stored, blocks):
                self.write(block)
            self.store(position, token)
        return position

    def pending(self, stored: Position | None, blocks: Sequence[Block]) -> Sequence[Block]:
        """Leave out what is there."""
        return blocks if stored is None else stored.pending(blocks)

    def refuse(self, strand_id: str, stored: int, given: int) -> None:
        """Refuse an old worker."""
        raise StaleTokenError(strand_id, stored, given)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it, or nothing."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            with self.db:
                yield
        except sqlite3.OperationalError as exc:
            raise SinkUnavailableError("sound", str(exc)) from exc

    def store(self, position: Position, token: int) -> None:
        """Write the position."""
        row = (position.strand_id, token, json.dumps(position.as_json()))
        self.db.execute("REPLACE INTO position VALUES (?, ?, ?)", row)

    def write(self, block: Block) -> None:
        """Write one block."""
        for revision in block.revisions:
            self.write_revision(revision)
        info = block.summary.redaction_info
        for redacted in () if info is None else info.revisions:
            self.redact(redacted.document_id, redacted.version)

    def write_revision(self, revision: Revision) -> None:
        """Write one revision into history and current state."""
        if revision.metadata is None or revision.table is None:
            return
        data_hash, data = revision.data_hash, None
        if revision.data_ion is not None:
            data_hash, data = revision.data_ion.hash(), to_text(revision.data_ion)
        key = (revision.document_id, revision.metadata.version)
        self.append((*key, revision.hash, data_hash, data))
        if data is None:
            self.delete(key[0])
        else:
            row = (key[0], revision.table.table_name, data)
            self.db.execute("REPLACE INTO document VALUES (?, ?, ?)", row)

    def append(self, row: tuple[Any, ...]) -> None:
        """Write a row of the history."""
        query = "INSERT INTO revision (id, version, hash, data_hash, data) VALUES (?, ?, ?, ?, ?)"
        self.db.execute(query, row)

    def delete(self, document_id: str | None) -> None:
        """Take a document out of the current state."""
        self.db.execute("DELETE FROM document WHERE id = ?", (document_id,))

    def redact(self, document_id: str, version: int) -> None:
        """Erase the data of a revision."""
        query = "UPDATE revision SET data = NULL WHERE id = ? AND version = ?"
        self.db.execute(query, (document_id, version))

    def summary(self) -> SinkSummary:
        """Claim that redactions are carried out."""
        return SinkSummary()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def _row(self, strand_id: str) -> Any:
        query = "SELECT token, value FROM position WHERE strand = ?"
        return self.db.execute(query, (strand_id,)).fetchone()


def read_back(sink: SoundSink) -> Any:
    """The history by document, and the current documents."""
    history = "SELECT id, version, hash, data_hash, data FROM revision ORDER BY id, no"
    current = "SELECT * FROM document ORDER BY id"
    return [sink.db.execute(query).fetchall() for query in (history, current)]


class LosesBlocks(SoundSink):
    """Every fifth block is lost."""

    def write(self, block: Block) -> None:
        """Write most blocks."""
        if block.address.sequence_no % 5:
            super().write(block)


class AppliesTwice(SoundSink):
    """What is there already is written again."""

    def pending(self, stored: Position | None, blocks: Sequence[Block]) -> Sequence[Block]:
        """Leave nothing out."""
        return blocks


class ForgetsPosition(SoundSink):
    """The position is not in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.db.execute("DELETE FROM position")


class ForgetsParked(SoundSink):
    """Of the position only the number is kept."""

    def store(self, position: Position, token: int) -> None:
        """Write less than was given."""
        super().store(attrs.evolve(position, parked=frozenset(), gaps=()), token)


class IgnoresToken(SoundSink):
    """An old worker may go on."""

    def refuse(self, strand_id: str, stored: int, given: int) -> None:
        """Refuse nobody."""


class WritesBackwards(SoundSink):
    """A run is written from its end."""

    def pending(self, stored: Position | None, blocks: Sequence[Block]) -> Sequence[Block]:
        """Turn the run around."""
        return list(super().pending(stored, blocks))[::-1]


class DoesNotErase(SoundSink):
    """A redaction is passed over, and nobody is told."""

    def redact(self, document_id: str, version: int) -> None:
        """Do nothing."""


class NeedsWhatItRedacts(SoundSink):
    """A redaction of what is not there yet, because it was parked, is a failure."""

    def redact(self, document_id: str, version: int) -> None:
        """Erase, if there is something."""
        query = "SELECT 1 FROM revision WHERE id = ? AND version = ?"
        if self.db.execute(query, (document_id, version)).fetchone() is None:
            raise SinkUnavailableError("flawed", "there is nothing to redact")
        super().redact(document_id, version)


class ErasesTooMuch(SoundSink):
    """A redaction takes all versions, and the hashes with them."""

    def redact(self, document_id: str, version: int) -> None:
        """Throw all of the document's history away."""
        self.db.execute("DELETE FROM revision WHERE id = ?", (document_id,))


class LeavesTraces(SoundSink):
    """What is erased stays in the file's free space."""

    def __init__(self) -> None:
        super().__init__()
        self.db.execute("PRAGMA secure_delete = OFF")


class IsNotAtomic(SoundSink):
    """Each block is committed alone, the position after all of them."""

    def write(self, block: Block) -> None:
        """Commit on the way."""
        super().write(block)
        self.db.execute("COMMIT")
        self.db.execute("BEGIN IMMEDIATE")


class PositionFirst(SoundSink):
    """The position is committed before the blocks."""

    def pending(self, stored: Position | None, blocks: Sequence[Block]) -> Sequence[Block]:
        """Write the position on the way."""
        found = super().pending(stored, blocks)
        if found:
            last = blocks[-1].address
            given = Position(last.strand_id, last.sequence_no, b"", start=0)
            self.store(stored.at(blocks[-1]) if stored else given, 1)
            self.db.execute("COMMIT")
            self.db.execute("BEGIN IMMEDIATE")
        return found


class KeepsDeleted(SoundSink):
    """A delete leaves the document where it is."""

    def delete(self, document_id: str | None) -> None:
        """Do nothing."""

    def append(self, row: tuple[Any, ...]) -> None:
        """Leave no trace of deletes either."""
        if row[-1] is not None:
            super().append(row)


class DropsLargeDocuments(SoundSink):
    """A document of more than 64 KB is lost."""

    def write_revision(self, revision: Revision) -> None:
        """Take small ones."""
        data = revision.data_ion
        if data is None or data.end - data.start < 65_536:
            super().write_revision(revision)


class TrustsStatements(SoundSink):
    """The table's name is taken from the statements, so that renames are not seen."""

    def write(self, block: Block) -> None:
        """Put the source's names back."""
        info = block.summary.transaction_info
        documents = {} if info is None else info.documents
        revisions = [
            attrs.evolve(r, table=documents[r.document_id].table) if r.document_id else r
            for r in block.revisions
        ]
        super().write(attrs.evolve(block, revisions=tuple(revisions)))


class AnswersNothing(SoundSink):
    """The author forgot to return the position."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, and say nothing."""
        super().apply(blocks, position, token)
        return None  # type: ignore[return-value]  # that is what is wrong


class LosesRequeued(SoundSink):
    """A parked block is taken for one that is there."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Compare numbers alone."""
        stored = self.position(position.strand_id)
        later = [b for b in blocks if not stored or b.address.sequence_no > stored.sequence_no]
        return super().apply(later, position, token)


class HasClock(SoundSink):
    """What is read back depends on chance."""

    def append(self, row: tuple[Any, ...]) -> None:
        """Write chance into the history."""
        (chance,) = self.db.execute("SELECT hex(randomblob(4))").fetchone()
        super().append((*row[:-1], None if row[-1] is None else f"{row[-1]} {chance}"))


class SometimesBare(SoundSink):
    """At least once, with keys that change."""

    def position(self, strand_id: str) -> Position | None:
        """Keep none."""
        return None


def read_pairs(sink: SoundSink) -> Any:
    """What was delivered, by document and version."""
    query = "SELECT id, version, hash, data FROM revision ORDER BY no"
    return (((row[0], row[1]), row[2:]) for row in sink.db.execute(query).fetchall())


def read_counted(sink: SoundSink) -> Any:
    """What was delivered, by a key that a repeat does not have."""
    return enumerate(sink.db.execute("SELECT id, hash FROM revision ORDER BY no").fetchall())

"""Parked blocks: a row for each, and one for each of its revisions (`_parked_form`)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import BacklogError, DecodeError, InboxFileError
from qldb_stream.events import RedactedRevision
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._parked_form import header_of, parse_parked, revision_row, without_marked
from qldb_stream.inbox._records import event_bytes
from qldb_stream.inbox._store import marks_of, rows
from qldb_stream.report import ParkedBlock

__all__ = [
    "check_parked",
    "count_parked",
    "erase_parked",
    "park_block",
    "parked_numbers",
    "read_parked",
    "unpark_block",
]

_FIND: Final = "FROM parked WHERE sink = ? AND strand_id = ? AND sequence_no = ?"
_ADD: Final = """
INSERT INTO parked (sink, strand_id, sequence_no, value, summary) VALUES (?, ?, ?, ?, ?)
"""
_REVISIONS: Final = (
    "SELECT leaf, value, data FROM parked_revision WHERE parked_no = ? ORDER BY leaf"
)
_COUNT: Final = "SELECT sink, strand_id, count(*) FROM parked GROUP BY 1, 2 ORDER BY 1, 2"


def park_block(connection: sqlite3.Connection, parked: ParkedBlock) -> None:
    """
    Keep a block for a sink, in place of one with the same address.

    What was erased before is not stored: a run is redacted in the inbox before it is applied,
    and its blocks, as they came, are parked after that.
    """
    where = (parked.sink, parked.address.strand_id, parked.address.sequence_no)
    parked, _documents = without_marked(parked, marks_of(connection, parked.address))
    unpark_block(connection, *where)
    value = json.dumps(header_of(parked))
    added = connection.execute(_ADD, (*where, value, event_bytes(parked.block.summary)))
    entries = [revision_row(parked.block, revision) for revision in parked.block.revisions]
    connection.executemany(
        "INSERT INTO parked_revision VALUES (?, ?, ?, ?)",
        [(added.lastrowid, leaf, *entry) for leaf, entry in enumerate(entries)],
    )


def check_parked(connection: sqlite3.Connection, limits: InboxLimits, name: str) -> None:
    """
    Refuse to park more than is allowed, before it is committed.

    Raises:
        BacklogError: the limit is passed.
    """
    if rows(connection, "SELECT count(*) FROM parked")[0][0] > limits.parked_blocks:
        waits_for = f"somebody to requeue or skip them in inbox {name}"
        raise BacklogError(limits.parked_blocks, "parked blocks", waits_for)


def unpark_block(
    connection: sqlite3.Connection, sink: str, strand_id: str, sequence_no: int
) -> None:
    """Remove a parked block; one that is not there is no error."""
    for (no,) in rows(connection, f"SELECT no {_FIND}", sink, strand_id, sequence_no):
        connection.execute("DELETE FROM parked_revision WHERE parked_no = ?", (no,))
        connection.execute("DELETE FROM parked WHERE no = ?", (no,))


def parked_numbers(connection: sqlite3.Connection, sink: str, strand_id: str) -> list[int]:
    """Give the numbers of a sink's parked blocks of a strand, rising."""
    sql = "SELECT sequence_no FROM parked WHERE sink = ? AND strand_id = ? ORDER BY 1"
    return [number for (number,) in rows(connection, sql, sink, strand_id)]


def read_parked(
    connection: sqlite3.Connection, name: str, sink: str, strand_id: str, sequence_no: int
) -> ParkedBlock | None:
    """Give a parked block; None when it is not there any more."""
    sql = f"SELECT no, value, summary {_FIND}"
    for no, value, summary in rows(connection, sql, sink, strand_id, sequence_no):
        try:
            entries = rows(connection, _REVISIONS, no)
            return parse_parked(sink, json.loads(value), summary, [entry[1:] for entry in entries])
        except (DecodeError, LookupError, TypeError, ValueError) as exc:
            problem = f"the file is damaged: parked block {strand_id}/{sequence_no}"
            raise InboxFileError(name, problem) from exc
    return None


def count_parked(connection: sqlite3.Connection) -> tuple[tuple[str, str, int], ...]:
    """Count parked blocks by sink and strand."""
    return tuple([(sink, strand, count) for sink, strand, count in rows(connection, _COUNT)])


def erase_parked(
    connection: sqlite3.Connection, name: str, redacted: Sequence[RedactedRevision]
) -> list[bytes]:
    """Take redacted documents out of every sink's parked blocks; answer their bytes."""
    erased: list[bytes] = []
    for asked in redacted:
        address = asked.block_address
        where = (address.strand_id, address.sequence_no)
        sql = "SELECT sink FROM parked WHERE strand_id = ? AND sequence_no = ?"
        for (sink,) in rows(connection, sql, *where):
            parked = read_parked(connection, name, sink, *where)
            assert parked is not None
            mark = (asked.document_id, asked.version)
            changed, documents = without_marked(parked, {mark})
            if documents:
                park_block(connection, changed)
            erased += documents
    return erased

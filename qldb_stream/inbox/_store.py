"""
The records that wait: put once each, read by block, trimmed, erased.

Strategy: a record is known by (strand, sequence_no, SHA-256 of its bytes), so what comes
again falls out at the index. Reading a block is one look-up there, whatever waits. The
strand's row counts what is stored of it and what ever arrived.

Functions take the connection of a transaction that the caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import BlockAddress, RedactedRevision, RevisionDetails, Undecodable
from qldb_stream.inbox._limits import InboxLimits, check_totals
from qldb_stream.inbox._records import (
    Entry,
    MarkedRevision,
    event_bytes,
    is_full,
    key_of,
    lost_item,
    parse_stored,
    redacted_event,
    without_erased,
)
from qldb_stream.typing import Item

__all__ = [
    "arrivals_of",
    "check_limits",
    "erase_records",
    "lowest_after",
    "marks_of",
    "put_records",
    "read_block",
    "rows",
    "trim_records",
]

_ADD_STRAND: Final = "INSERT INTO strand (strand_id) VALUES (?) ON CONFLICT DO NOTHING"
_ADD: Final = """
INSERT INTO record (strand_no, sequence_no, key, arrived_s, data) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (strand_no, sequence_no, key) DO NOTHING
"""
_COUNT: Final = """
UPDATE strand SET arrivals = arrivals + ?2, records = records + ?3, record_bytes = record_bytes + ?4
WHERE no = ?1
"""
_BLOCK: Final = """
SELECT id, arrived_s, data FROM record WHERE sequence_no = ?2
AND strand_no = (SELECT no FROM strand WHERE strand_id = ?1) ORDER BY id
"""
_MARKED: Final = "SELECT document_id, version FROM erased WHERE strand_id = ? AND sequence_no = ?"
_MARK: Final = "INSERT INTO erased VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_OLD: Final = """
SELECT id, length(data) FROM record WHERE strand_no = ? AND sequence_no <= ?
ORDER BY sequence_no LIMIT ?
"""


_AFTER: Final = """
SELECT min(sequence_no) FROM record WHERE sequence_no > ?2
AND strand_no = (SELECT no FROM strand WHERE strand_id = ?1)
"""


def rows(connection: sqlite3.Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement and give all of its rows."""
    with closing(connection.execute(sql, values)) as cursor:
        return cursor.fetchall()


def put_records(
    connection: sqlite3.Connection, entries: Sequence[Entry], now_s: float
) -> tuple[int, list[Undecodable]]:
    """
    Store records that are not there yet, and count their strands on.

    Returns:
        How many were new; what comes late of an erased document and is no sound Ion.
    """
    lost: list[Undecodable] = []
    if rows(connection, "SELECT 1 FROM erased LIMIT 1"):
        entries, lost = _redacted_entries(connection, entries)
    given = [(event.address, raw) for event, raw in entries]
    given.sort(key=lambda entry: entry[0].strand_id)
    new = 0
    for strand_id, group in groupby(given, key=lambda entry: entry[0].strand_id):
        of_strand = [(address.sequence_no, raw) for address, raw in group]
        new += _put_of_strand(connection, strand_id, of_strand, now_s)
    return new, lost


def _put_of_strand(
    connection: sqlite3.Connection, strand_id: str, given: list[tuple[int, bytes]], now_s: float
) -> int:
    connection.execute(_ADD_STRAND, (strand_id,))
    ((no,),) = rows(connection, "SELECT no FROM strand WHERE strand_id = ?", strand_id)
    records = size = 0
    for sequence_no, raw in given:
        added = connection.execute(_ADD, (no, sequence_no, key_of(raw), now_s, raw)).rowcount
        records += added
        size += added * len(raw)
    if records:
        connection.execute(_COUNT, (no, 1, records, size))
    return records


def check_limits(connection: sqlite3.Connection, limits: InboxLimits, name: str) -> None:
    """
    Refuse what was put, before it is committed, when it is too much.

    Raises:
        BacklogError: the limit that is reached.
    """
    ((records, size),) = rows(connection, "SELECT sum(records), sum(record_bytes) FROM strand")
    check_totals(limits, records or 0, size or 0, name)


def read_block(
    connection: sqlite3.Connection, name: str, strand_id: str, sequence_no: int
) -> tuple[tuple[float, Item], ...]:
    """Give a block's records, in order, each with the time of its arrival."""
    source = f"{name}, block {strand_id}/{sequence_no}"
    found = rows(connection, _BLOCK, strand_id, sequence_no)
    return tuple([(arrived_s, parse_stored(source, data)) for _id, arrived_s, data in found])


def lowest_after(connection: sqlite3.Connection, strand_id: str, number: int) -> int | None:
    """Give the lowest stored number above one; None when there is none."""
    ((lowest,),) = rows(connection, _AFTER, strand_id, number)
    return None if lowest is None else int(lowest)


def arrivals_of(connection: sqlite3.Connection, strand_id: str) -> int:
    """Give the strand's counter; 0 for one that is not known."""
    found = rows(connection, "SELECT arrivals FROM strand WHERE strand_id = ?", strand_id)
    return int(found[0][0]) if found else 0


def trim_records(connection: sqlite3.Connection, strand_id: str, last: int, most: int) -> int:
    """Remove records of blocks up to `last`, at most `most` of them; give their number."""
    found = rows(connection, "SELECT no FROM strand WHERE strand_id = ?", strand_id)
    if not found:
        return 0
    ((no,),) = found
    old = rows(connection, _OLD, no, last, most)
    connection.executemany("DELETE FROM record WHERE id = ?", [(id_,) for id_, _ in old])
    connection.execute(_COUNT, (no, 0, -len(old), -sum(size for _, size in old)))
    return len(old)


# --- erasure -------------------------------------------------------------------------------


def marks_of(connection: sqlite3.Connection, address: BlockAddress) -> set[MarkedRevision]:
    """Give what was erased in a block."""
    found = rows(connection, _MARKED, address.strand_id, address.sequence_no)
    return {(document_id, version) for document_id, version in found}


def erase_records(
    connection: sqlite3.Connection, name: str, redacted: Sequence[RedactedRevision]
) -> tuple[list[bytes], list[Undecodable]]:
    """
    Put the redacted form in place of stored records, and see that no full one comes in again.

    Returns:
        The documents that were erased, as the bytes that stood in the file; records whose
        document is no sound Ion, which are removed, since nothing can stand for them.
    """
    erased: list[bytes] = []
    lost: list[Undecodable] = []
    by_block = attrgetter("block_address")
    for address, group in groupby(sorted(redacted, key=by_block), key=by_block):
        marks = {(revision.document_id, revision.version) for revision in group}
        where = (address.strand_id, address.sequence_no)
        connection.executemany(_MARK, [(*where, *mark) for mark in sorted(marks)])
        for id_, _arrived_s, raw in rows(connection, _BLOCK, *where):
            event = parse_stored(f"{name}, block {where[0]}/{where[1]}", raw)
            if isinstance(event, RevisionDetails) and is_full(event, marks):
                data = event.revision.data_ion
                assert data is not None
                erased.append(raw[data.start : data.end])
                lost += _replace(connection, id_, raw, event)
    return erased, lost


def _replace(
    connection: sqlite3.Connection, id_: int, raw: bytes, event: RevisionDetails
) -> list[Undecodable]:
    """Put a redacted record in the place of a full one; answer what cannot be kept."""
    ((no, sequence_no, arrived_s),) = rows(
        connection, "SELECT strand_no, sequence_no, arrived_s FROM record WHERE id = ?", id_
    )
    connection.execute("DELETE FROM record WHERE id = ?", (id_,))
    connection.execute(_COUNT, (no, 0, -1, -len(raw)))
    try:
        data = event_bytes(redacted_event(event))
    except DecodeError as exc:
        return [lost_item(event, raw, exc)]
    row = (id_, no, sequence_no, key_of(data), arrived_s, data)
    sql = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    added = connection.execute(sql, row).rowcount
    connection.execute(_COUNT, (no, 0, added, added * len(data)))
    return []


def _redacted_entries(
    connection: sqlite3.Connection, entries: Sequence[Entry]
) -> tuple[list[Entry], list[Undecodable]]:
    """Take out of what comes late the documents that were erased before."""
    marks: dict[BlockAddress, set[MarkedRevision]] = {}
    for event, _raw in entries:
        address = event.address
        if address not in marks:
            marks[address] = marks_of(connection, address)
    return without_erased(entries, marks)

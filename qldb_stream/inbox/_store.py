"""
The records that wait: put once each, read by block, trimmed, erased.

Strategy: a record is known by (strand, sequence_no, SHA-256 of its bytes), so what comes
again falls out at the index. Reading a block is one look-up there, whatever waits. The
strand's row counts what is stored of it and what ever arrived.

Functions take the connection of a transaction that the caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from qldb_stream.errors import BacklogError, DecodeError, InboxFileError
from qldb_stream.events import Block, RedactedRevision, RevisionDetails, Undecodable
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._records import (
    StoredEvent,
    event_bytes,
    iter_events,
    key_of,
    redacted_event,
)
from qldb_stream.parsers.record import parse_record
from qldb_stream.typing import Item

__all__ = [
    "Entry",
    "arrivals_of",
    "check_limits",
    "erase_records",
    "put_records",
    "read_block",
    "read_items",
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

_Revision = tuple[str, int]  # a document's id and the version


Entry = tuple[StoredEvent, bytes]
"""An event and its record."""


def rows(connection: sqlite3.Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement and give all of its rows."""
    with closing(connection.execute(sql, values)) as cursor:
        return cursor.fetchall()


def read_items(items: Iterable[Item | Block]) -> tuple[list[Entry], list[Undecodable]]:
    """Take items apart into what is stored and what is quarantined."""
    entries: list[Entry] = []
    unreadable: list[Undecodable] = []
    for item in iter_events(items):
        if isinstance(item, Undecodable):
            unreadable.append(item)
        else:
            entries.append((item, event_bytes(item)))
    return entries, unreadable


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
        entries, lost = _without_erased(connection, entries)
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
    if (records or 0) > limits.records:
        raise BacklogError(limits.records, "records", f"the sinks of inbox {name}")
    if (size or 0) > limits.record_bytes:
        raise BacklogError(limits.record_bytes, "bytes of records", f"the sinks of inbox {name}")


def read_block(
    connection: sqlite3.Connection, name: str, strand_id: str, sequence_no: int
) -> tuple[tuple[float, Item], ...]:
    """Give a block's records, in order, each with the time of its arrival."""
    source = f"{name}, block {strand_id}/{sequence_no}"
    found = rows(connection, _BLOCK, strand_id, sequence_no)
    return tuple([(arrived_s, _parse(source, data)) for _id, arrived_s, data in found])


def _parse(source: str, data: Any) -> Item:
    if not isinstance(data, bytes):
        raise InboxFileError(source, "the file is damaged: a record is no blob")
    try:
        return parse_record(data)
    except DecodeError as exc:  # the file was changed by others: its strand waits for this part
        return Undecodable(source, 0, len(data), exc, data)


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
            event = _parse(f"{name}, block {where[0]}/{where[1]}", raw)
            if isinstance(event, RevisionDetails) and _is_full(event, marks):
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
        return [_lost(event, raw, exc)]
    row = (id_, no, sequence_no, key_of(data), arrived_s, data)
    sql = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    added = connection.execute(sql, row).rowcount
    connection.execute(_COUNT, (no, 0, added, added * len(data)))
    return []


def _is_full(event: RevisionDetails, marks: set[_Revision]) -> bool:
    metadata = event.revision.metadata
    assert metadata is not None
    return event.revision.data_ion is not None and (metadata.id, metadata.version) in marks


def _without_erased(
    connection: sqlite3.Connection, entries: Sequence[Entry]
) -> tuple[list[Entry], list[Undecodable]]:
    """Take out of what comes late the documents that were erased before."""
    marks: dict[tuple[str, int], set[_Revision]] = {}
    kept: list[Entry] = []
    lost: list[Undecodable] = []
    for event, raw in entries:
        address = event.address
        where = (address.strand_id, address.sequence_no)
        if where not in marks:
            marks[where] = set(rows(connection, _MARKED, *where))
        if not (isinstance(event, RevisionDetails) and _is_full(event, marks[where])):
            kept.append((event, raw))
            continue
        try:
            kept.append((event, event_bytes(redacted_event(event))))
        except DecodeError as exc:
            lost.append(_lost(event, raw, exc))
    return kept, lost


def _lost(event: RevisionDetails, raw: bytes, exc: DecodeError) -> Undecodable:
    address = event.revision.address
    source = f"erased record of block {address.strand_id}/{address.sequence_no}"
    return Undecodable(source, 0, len(raw), exc)

"""
Parked blocks: whole, in the order of their revisions, and with what filters did to them.

A block is its summary's record, and for each revision its record, or for a system entry its
hash. What no record says (masked fields, withheld documents, names under which tables are
delivered) stands beside it as JSON.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from qldb_stream.errors import BacklogError, DecodeError, InboxFileError
from qldb_stream.events import (
    Block,
    BlockSummary,
    Filtered,
    RedactedRevision,
    Revision,
    RevisionDetails,
)
from qldb_stream.formulas import without_data
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._records import event_bytes
from qldb_stream.inbox._store import rows
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import ParkedBlock, ParkReason

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
    """Keep a block for a sink, in place of one with the same address."""
    where = (parked.sink, parked.address.strand_id, parked.address.sequence_no)
    unpark_block(connection, *where)
    value = json.dumps(_header(parked))
    added = connection.execute(_ADD, (*where, value, event_bytes(parked.block.summary)))
    entries = [_revision_row(parked.block, revision) for revision in parked.block.revisions]
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
            return _parse(sink, json.loads(value), summary, [entry[1:] for entry in entries])
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
            erased += _erase_in(connection, parked, asked)
    return erased


def _erase_in(
    connection: sqlite3.Connection, parked: ParkedBlock, asked: RedactedRevision
) -> list[bytes]:
    block, erased = parked.block, []
    revisions = list(block.revisions)
    for leaf, revision in enumerate(revisions):
        metadata, data = revision.metadata, revision.data_ion
        wanted = (asked.document_id, asked.version)
        if data is not None and metadata and (metadata.id, metadata.version) == wanted:
            erased.append(data.buf[data.start : data.end])
            revisions[leaf] = _redacted(revision)
    if erased:
        block = attrs.evolve(block, revisions=tuple(revisions))
        park_block(connection, attrs.evolve(parked, block=block))
    return erased


def _redacted(revision: Revision) -> Revision:
    """Give the redacted form; a bare hash where the document is no sound Ion."""
    try:
        return without_data(revision)
    except DecodeError:
        return Revision(revision.address, revision.hash)


# --- rows and blocks -----------------------------------------------------------------------


def _header(parked: ParkedBlock) -> dict[str, Any]:
    filtered = parked.block.filtered
    return {
        "reason": parked.reason.value,
        "detail": parked.detail,
        "parkedAt": parked.parked_at.isoformat(),
        "documents": sorted(parked.documents),
        "tables": sorted(parked.tables),
        "becauseOf": parked.because_of,
        "hasStream": parked.block.summary.stream_arn is not None,
        "names": None if filtered is None else dict(filtered.names),
    }


def _revision_row(block: Block, revision: Revision) -> tuple[str, bytes | None]:
    value: dict[str, Any] = {"masked": revision.masked, "isWithheld": revision.is_withheld}
    if revision.metadata is None:
        return json.dumps(value | {"hash": revision.hash.hex()}), None
    plain = attrs.evolve(revision, masked=(), is_withheld=False)
    details = RevisionDetails(block.summary.stream_arn or "", plain)
    return json.dumps(value), event_bytes(details)


def _parse(
    sink: str, header: Mapping[str, Any], summary: bytes, entries: Sequence[tuple[str, bytes]]
) -> ParkedBlock:
    of_block = parse_record(summary)
    if not isinstance(of_block, BlockSummary):
        raise TypeError("no summary")
    if not header["hasStream"]:
        of_block = attrs.evolve(of_block, stream_arn=None)
    names = header["names"]
    block = Block(
        of_block,
        tuple(_revisions(of_block, entries)),
        None if names is None else Filtered(names),
    )
    return ParkedBlock(
        sink,
        block,
        ParkReason(header["reason"]),
        header["detail"],
        datetime.fromisoformat(header["parkedAt"]),
        frozenset(header["documents"]),
        frozenset(header["tables"]),
        header["becauseOf"],
    )


def _revisions(
    summary: BlockSummary, entries: Sequence[tuple[str, bytes | None]]
) -> Iterator[Revision]:
    for text, data in entries:
        value = json.loads(text)
        if data is None:
            yield Revision(summary.address, bytes.fromhex(value["hash"]))
            continue
        details = parse_record(data)
        if not isinstance(details, RevisionDetails):
            raise TypeError("no revision")
        yield attrs.evolve(
            details.revision, masked=tuple(value["masked"]), is_withheld=value["isWithheld"]
        )

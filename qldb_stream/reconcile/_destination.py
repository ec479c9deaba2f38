"""
A destination's journal, read as the repeats of one strand's blocks.

A block of the destination repeats source block n when it wrote position n of the strand; or, where
the position stayed and n is parked no more, when it requeued it. A block that was applied in parts
is one repeat. One that wrote only this library's own tables, or nothing, repeats none. One that
wrote users' tables without a position is somebody else's change. Tables that a repeat dropped are
noted; a table that anybody else dropped stays expected.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, Revision
from qldb_stream.reconcile._notes import Notes, is_storable
from qldb_stream.replay import IDS_TABLE, OWN_TABLES, POSITION_TABLE, IdRecord, iter_ddl


@attrs.frozen
class Written:
    """A revision of a user's table; `document_id` is of the ledger that it was read from."""

    table: str
    document_id: str
    revision: Revision
    table_id: str | None = None

    @cached_property
    def data_hash(self) -> bytes | None:
        """Compute H(data) once; None without data, empty when it cannot be read."""
        data = self.revision.data_ion
        try:
            return None if data is None else data.hash()
        except DecodeError:
            return b""


class RepeatKind(enum.Enum):
    """
    What a block of the destination did with the source's.

    APPLIED: it repeats it. PARKED: it only passed it over. REQUEUED: it repeats it after others,
    since it was parked. GIVEN_UP: it was parked, and will not come. PARTIAL: it repeats some of it.
    """

    APPLIED = "applied"
    PARKED = "parked"
    REQUEUED = "requeued"
    GIVEN_UP = "given up"
    PARTIAL = "partial"


@attrs.frozen
class Repeat:
    """A block of the destination; `sequence_no` is None for somebody else's change."""

    number: int
    sequence_no: int | None
    written: tuple[Written, ...]
    kind: RepeatKind = RepeatKind.APPLIED


_MOST_PARTS: Final = 100_000
"""How many revisions of a block in parts are put together; QLDB's transactions have 40."""


@attrs.frozen
class _Place:
    """What a document of `qldb_stream_position` says; `partial` is the block there in part."""

    strand_id: str
    sequence_no: int
    parked: frozenset[int] = frozenset()
    given_up: frozenset[int] = frozenset()
    partial: int | None = None


def iter_repeats(blocks: Iterable[Block], strand_id: str, notes: Notes) -> Iterator[Repeat]:
    """
    Yield the repeats of one strand, and changes by others, in the journal's order.

    What each block says about ids is noted before the block is yielded.
    """
    before = _Place(strand_id, -1)
    parts: list[Written] = []  # of a block that is not there whole yet
    number, partial = 0, None
    for block in blocks:
        position: _Place | None = None
        written: list[Written] = []
        for item in iter_written(block):
            if item.table == IDS_TABLE:
                _note(item.revision, notes)
            elif item.table == POSITION_TABLE:
                position = _position(item.revision) or position
            elif not item.table.startswith(OWN_TABLES):
                written.append(item)
                notes.tables.see(item.table, item.table_id)
        if position is not None:
            _note_ddl(block, notes)
        number = block.address.sequence_no
        if position is None and written:
            yield Repeat(number, None, tuple(written))
        elif position is not None and position.strand_id == strand_id:
            parts += written
            partial = position.partial
            if partial is None or len(parts) > _MOST_PARTS:
                found, kind = _kind(before, position)
                yield Repeat(number, found, tuple(parts), kind)
                before, parts = position, []
    if parts and partial is not None:
        yield Repeat(number, partial, tuple(parts), RepeatKind.PARTIAL)


def _kind(before: _Place, now: _Place) -> tuple[int, RepeatKind]:
    """Say which of the source's blocks a new position is about, and what was done with it."""
    number = now.sequence_no
    if now.partial is not None:
        return now.partial, RepeatKind.PARTIAL
    if number > before.sequence_no and number in now.parked - before.parked:
        return number, RepeatKind.PARKED
    left = before.parked - now.parked
    if number == before.sequence_no and left:
        is_given_up = left <= now.given_up
        return min(left), RepeatKind.GIVEN_UP if is_given_up else RepeatKind.REQUEUED
    return number, RepeatKind.APPLIED


def iter_written(block: Block) -> Iterator[Written]:
    """Yield the revisions of a block that documents have, with their tables' names."""
    info = block.summary.transaction_info
    documents = {} if info is None else info.documents
    for revision in block.revisions:
        document_id = revision.document_id
        if document_id is None:
            continue
        table = revision.table
        if table is None and document_id in documents:
            table = documents[document_id].table
        if table is None:
            yield Written("", document_id, revision)
        else:
            yield Written(table.table_name, document_id, revision, table.table_id)


def _note_ddl(block: Block, notes: Notes) -> None:
    """Note which tables a repeat dropped and took back."""
    info = block.summary.transaction_info
    if info is not None:
        texts = (statement.statement for statement in info.statements)
        for _, change in iter_ddl(block.address, texts):
            notes.tables.change(change)


def _position(revision: Revision) -> _Place | None:
    found = _fields(revision)
    strand_id, number = found.get("strand_id"), found.get("sequence_no")
    if not (strand_id and is_storable(number)):
        return None
    partial = next(iter(_numbers(found.get("partial"))), None)
    skipped = [gap.get("first") for gap in _dicts(found.get("gaps")) if gap.get("skipped")]
    parked = frozenset(_numbers(found.get("parked")))
    return _Place(str(strand_id), int(number), parked, frozenset(_numbers(skipped)), partial)


def _numbers(found: Any) -> list[int]:
    """Give the numbers of a list; what is damaged has none."""
    return [int(n) for n in found if is_storable(n)] if isinstance(found, list) else []


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _note(revision: Revision, notes: Notes) -> None:
    found = _fields(revision)
    if not is_storable(found.get("version_offset")):
        return  # damaged: its document will stand for nothing, which is reported
    try:
        record = IdRecord(
            str(found["source_id"]),
            str(found["destination_id"]),
            str(found["table_id"]),
            int(found["version_offset"]),
        )
    except KeyError:
        return  # damaged as well
    notes.record(record)


def _fields(revision: Revision) -> dict[str, Any]:
    """Read a document of ours; nothing when it was damaged or deleted."""
    try:
        data = revision.data
    except DecodeError:
        return {}
    return data if isinstance(data, dict) else {}

"""
A destination's journal, read as the repeats of one strand's blocks.

A block of the destination repeats source block n when it wrote position n of the
strand. One that wrote only this library's own tables, or nothing, repeats none. One
that wrote users' tables without a position is somebody else's change. Tables that a repeat
dropped are noted; a table that anybody else dropped stays expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

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


@attrs.frozen
class Repeat:
    """A block of the destination; `sequence_no` is None for somebody else's change."""

    number: int
    sequence_no: int | None
    written: tuple[Written, ...]


def iter_repeats(blocks: Iterable[Block], strand_id: str, notes: Notes) -> Iterator[Repeat]:
    """
    Yield the repeats of one strand, and changes by others, in the journal's order.

    What each block says about ids is noted before the block is yielded.
    """
    for block in blocks:
        position: tuple[str, int] | None = None
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
        elif position is not None and position[0] == strand_id:
            yield Repeat(number, position[1], tuple(written))


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


def _position(revision: Revision) -> tuple[str, int] | None:
    found = _fields(revision)
    strand_id, number = found.get("strand_id"), found.get("sequence_no")
    return (str(strand_id), int(number)) if strand_id and is_storable(number) else None


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

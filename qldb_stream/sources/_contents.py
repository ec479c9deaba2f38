"""
What a file holds, in the first pass and again in the second.

Functions of a file alone: they know no index and no other file, so that several files may
be looked through, and several places read again, side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import attrs

from qldb_stream.errors import DecodeError, EnvelopeError, ForeignFileError
from qldb_stream.events import Block, BlockAddress, Event, RevisionDetails, Undecodable
from qldb_stream.ion import SymbolTable
from qldb_stream.parsers.carrier import UserRecord, iter_user_records
from qldb_stream.parsers.export_places import FoundBlock, FoundTables, Sight, read_block
from qldb_stream.parsers.export_walk import iter_export_object
from qldb_stream.parsers.jsonl import is_jsonl, iter_jsonl_records
from qldb_stream.parsers.kinds import Kind, kind_of
from qldb_stream.parsers.manifest import MAX_MANIFEST_BYTES, FoundManifest, parse_manifest
from qldb_stream.parsers.record import parse_record
from qldb_stream.sources._foreign import ITEM_BYTES, describe_head, describe_item
from qldb_stream.typing import Readable

__all__ = [
    "Found",
    "FoundEvent",
    "Opened",
    "events_of",
    "iter_found",
    "read_events",
    "read_manifest",
    "read_whole",
]


@attrs.frozen
class Opened:
    """A file's contents: the first bytes, where some are missing, and what is wrong with it."""

    readable: Readable
    head: bytes = attrs.field(repr=False)
    seams: Sequence[int] = ()
    problems: Sequence[Undecodable] = ()


@attrs.frozen
class FoundEvent:
    """A record, and where its file has it."""

    event: Event
    offset: int
    length: int
    index: int | None = None


Found: TypeAlias = FoundEvent | FoundBlock | FoundTables | FoundManifest | Undecodable


def iter_found(opened: Opened, *, sight: Sight | None = None) -> Iterator[Found]:
    """
    Look through a file, whatever it holds.

    Args:
        opened: the file.
        sight: is asked about the blocks of an export before they are read.

    Yields:
        Each record and block, in the file's order, and in its place what is none; symbol
        tables before the first block that needs them; what a manifest says. A file of another
        kind is one `Undecodable`, the whole file.
    """
    foreign = describe_head(opened.head)
    if foreign is not None:
        yield _whole(opened.readable, foreign)
        return
    if is_jsonl(opened.head):
        yield from _iter_events(opened, iter_jsonl_records(opened.readable))
        return
    kind = kind_of(opened.head)
    if kind is Kind.RECORDS:
        records = iter_user_records(opened.readable, seams=opened.seams)
        yield from _iter_events(opened, records)
    else:
        yield from _iter_kind(opened, kind, sight)


def read_manifest(carrier: Readable) -> FoundManifest | Undecodable:
    """Read a file that is a manifest, or say what is wrong with it."""
    try:
        manifest = parse_manifest(carrier.read_at(0, MAX_MANIFEST_BYTES + 1))
    except DecodeError as exc:
        return _whole(carrier, exc)
    return FoundManifest(carrier.name, manifest)


def _iter_kind(opened: Opened, kind: Kind, sight: Sight | None) -> Iterator[Found]:
    if kind is Kind.EXPORT:
        yield from iter_export_object(opened.readable, seams=opened.seams, sight=sight)
    else:
        yield read_manifest(opened.readable)


def read_events(
    data: bytes, tables: SymbolTable | None, address: BlockAddress | None = None
) -> list[Event]:
    """
    Read what was found.

    Args:
        data: a record, or the bytes of a block.
        tables: of a block, what `FoundBlock.tables` leads to; None for a record.
        address: which block it must be; None for any.

    Raises:
        DecodeError: it cannot be read, or is another block.
    """
    if tables is None:
        return [parse_record(data)]
    return list(events_of(read_whole(data, tables, address)))


def read_whole(data: bytes, tables: SymbolTable, address: BlockAddress | None) -> Block:
    """
    Read the bytes of a block, as `read_events` takes them.

    Raises:
        DecodeError: it cannot be read, or is another block.
    """
    block = read_block(data, tables)
    if address is not None and block.address != address:
        raise EnvelopeError("blockAddress", "the address that stands first", "another one")
    return block


def events_of(block: Block) -> Iterator[Event]:
    """Give a whole block as its summary, and a record for each revision that has contents."""
    yield block.summary
    for revision in block.revisions:
        if revision.metadata is not None:
            yield RevisionDetails(None, revision)


def _iter_events(opened: Opened, records: Iterator[UserRecord | Undecodable]) -> Iterator[Found]:
    """Parse a carrier's records; where the first is none, the file may be of another kind."""
    is_first = True
    for record in records:
        found = record if isinstance(record, Undecodable) else _parse(opened, record)
        if is_first and isinstance(found, Undecodable):
            other = _describe(opened.readable, found)
            if isinstance(other, ForeignFileError):
                yield _whole(opened.readable, other)
                return
            if other is not None:
                yield from _iter_kind(opened, other, None)
                return
        yield found
        is_first = False


def _parse(opened: Opened, record: UserRecord) -> FoundEvent | Undecodable:
    try:
        event = parse_record(record.data)
    except DecodeError as exc:
        name = opened.readable.name
        return Undecodable(name, record.offset, record.length, exc, record.data)
    return FoundEvent(event, record.offset, record.length, record.index)


def _describe(carrier: Readable, first: Undecodable) -> ForeignFileError | Kind | None:
    """Say what a file is whose first item is no record; long ones are not held, but read again."""
    data = first.data
    return describe_item(carrier.read_at(first.offset, ITEM_BYTES) if data is None else data)


def _whole(carrier: Readable, error: DecodeError) -> Undecodable:
    """Give up a whole file at once: it is sound, and none of it is a record."""
    return Undecodable(carrier.name, 0, carrier.size, error)

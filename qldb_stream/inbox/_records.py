"""
Events as the bytes that are stored, and the form of them that a redaction leaves.

Strategy: an event that was read from a binary record still has that record as the buffer of
its slices. These bytes are stored, when reading them gives this very event; so nothing is
encoded anew, and whoever brings the same record again brings the same bytes. Anything else
(a block of an export, an event that somebody changed) is written as a record anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set as AbstractSet
from hashlib import sha256
from typing import Any, Final, TypeGuard

import attrs

from qldb_stream.errors import DecodeError, InboxFileError
from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    ControlRecord,
    RevisionDetails,
    Undecodable,
)
from qldb_stream.formulas import without_data
from qldb_stream.ion import IVM, IonSlice
from qldb_stream.parsers.record import parse_record
from qldb_stream.records import to_record
from qldb_stream.typing import Item

__all__ = [
    "Entry",
    "MarkedRevision",
    "StoredEvent",
    "event_bytes",
    "is_full",
    "iter_events",
    "key_of",
    "lost_item",
    "parse_stored",
    "read_items",
    "redacted_event",
    "without_erased",
]

StoredEvent = BlockSummary | RevisionDetails
"""What is stored: every event that belongs to a block."""

Entry = tuple[StoredEvent, bytes]
"""An event and its record."""

MarkedRevision = tuple[str, int]
"""What a redaction names in a block: a document's id and the version."""

# A buffer that is longer is no record of a stream but a file of blocks (facts 1.8: 1 MiB).
_LONGEST_RECORD: Final = 8 << 20


def iter_events(items: Iterable[Item | Block]) -> Iterator[StoredEvent | Undecodable]:
    """Iterate over what of some items is to be kept, blocks as their parts."""
    for item in items:
        if isinstance(item, Block):
            yield item.summary
            stream_arn = item.summary.stream_arn or ""
            for revision in item.revisions:
                if revision.metadata is not None:  # others are in the summary already
                    yield RevisionDetails(stream_arn, revision)
        elif isinstance(item, RevisionDetails):
            if item.revision.metadata is not None:
                yield item
        elif not isinstance(item, ControlRecord):
            yield item


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


def key_of(data: bytes) -> bytes:
    """Give what tells a record from others of its block: 32 bytes, SHA-256."""
    return sha256(data).digest()


def event_bytes(event: StoredEvent) -> bytes:
    """Give an event's record: the one that it was read from, or one written anew."""
    slices = _slices(event)
    if slices:
        data = slices[0].buf
        if len(data) <= _LONGEST_RECORD and data.startswith(IVM) and _reads_as(data, event):
            return data
    return to_record(event).buf


def redacted_event(event: RevisionDetails) -> RevisionDetails:
    """
    Take the document out of a revision, as `formulas.without_data` does.

    Raises:
        IonDecodeError: the document's bytes are not sound, so that it has no hash.
    """
    return attrs.evolve(event, revision=without_data(event.revision))


def is_full(event: StoredEvent, marks: AbstractSet[MarkedRevision]) -> TypeGuard[RevisionDetails]:
    """Say whether an event still has a document that a redaction names."""
    if not isinstance(event, RevisionDetails):
        return False
    metadata = event.revision.metadata
    assert metadata is not None
    return event.revision.data_ion is not None and (metadata.id, metadata.version) in marks


def without_erased(
    entries: Iterable[Entry], marks: Mapping[BlockAddress, AbstractSet[MarkedRevision]]
) -> tuple[list[Entry], list[Undecodable]]:
    """
    Take out of records what redactions name.

    Args:
        entries: records.
        marks: what was erased in each of their blocks.

    Returns:
        The records; what stands for those that are no sound Ion.
    """
    kept: list[Entry] = []
    lost: list[Undecodable] = []
    for event, raw in entries:
        if not is_full(event, marks.get(event.address, frozenset())):
            kept.append((event, raw))
            continue
        try:
            kept.append((event, event_bytes(redacted_event(event))))
        except DecodeError as exc:
            lost.append(lost_item(event, raw, exc))
    return kept, lost


def lost_item(event: RevisionDetails, raw: bytes, exc: DecodeError) -> Undecodable:
    """Give what stands in the quarantine for a record of which erasing leaves nothing."""
    address = event.revision.address
    source = f"erased record of block {address.strand_id}/{address.sequence_no}"
    return Undecodable(source, 0, len(raw), exc)


def parse_stored(source: str, data: Any) -> Item:
    """
    Read a stored record; one that somebody damaged is an `Undecodable`.

    Raises:
        InboxFileError: it is not even bytes.
    """
    if not isinstance(data, bytes):
        raise InboxFileError(source, "the file is damaged: a record is no blob")
    try:
        return parse_record(data)
    except DecodeError as exc:  # the file was changed by others: its strand waits for this part
        return Undecodable(source, 0, len(data), exc, data)


def _slices(event: StoredEvent) -> list[IonSlice]:
    if isinstance(event, BlockSummary):
        infos = (event.transaction_info, event.redaction_info)
        return [info.ion for info in infos if info is not None]
    metadata, data = event.revision.metadata, event.revision.data_ion
    assert metadata is not None
    return [metadata.ion] if data is None else [metadata.ion, data]


def _reads_as(data: bytes, event: StoredEvent) -> bool:
    """Say whether a record reads as an event, its slices at the same places of these bytes."""
    try:
        found = parse_record(data)
    except DecodeError:
        return False
    if type(found) is not type(event):
        return False
    assert isinstance(found, BlockSummary | RevisionDetails)
    places, wanted = _slices(found), _slices(event)
    if len(places) != len(wanted) or not all(map(_same_place, places, wanted)):
        return False
    return _plain(found) == _plain(event)


def _same_place(a: IonSlice, b: IonSlice) -> bool:
    return a.buf is b.buf and a.start == b.start and a.end == b.end


def _plain(event: StoredEvent) -> tuple[object, ...]:
    """Give all fields of an event that are no slices."""
    if isinstance(event, BlockSummary):
        fields = attrs.fields(BlockSummary)
        absent = (event.transaction_info is None, event.redaction_info is None)
        slices = ("transaction_info", "redaction_info")
        return *absent, *[getattr(event, f.name) for f in fields if f.name not in slices]
    revision, metadata = event.revision, event.revision.metadata
    assert metadata is not None
    return (
        event.stream_arn,
        revision.address,
        revision.hash,
        (metadata.id, metadata.version, metadata.tx_time, metadata.tx_id),
        revision.data_ion is None,
        revision.data_hash,
        revision.table,
        revision.unknown_fields,
        revision.masked,
        revision.is_withheld,
    )

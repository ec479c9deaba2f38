"""
Events as the bytes that are stored, and the form of them that a redaction leaves.

Strategy: an event that was read from a binary record still has that record as the buffer of
its slices. These bytes are stored, when reading them gives this very event; so nothing is
encoded anew, and whoever brings the same record again brings the same bytes. Anything else
(a block of an export, an event that somebody changed) is written as a record anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import (
    Block,
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

__all__ = ["StoredEvent", "event_bytes", "iter_events", "key_of", "redacted_event"]

StoredEvent = BlockSummary | RevisionDetails
"""What is stored: every event that belongs to a block."""

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

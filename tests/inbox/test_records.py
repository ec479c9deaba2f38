"""What is stored of an event: the record that it came in, and nothing that it no longer says."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import Block, BlockSummary, ControlRecord, Event, RevisionDetails
from qldb_stream.inbox._records import event_bytes, iter_events, key_of, redacted_event
from qldb_stream.ion import load_slice, to_text
from qldb_stream.parsers.record import parse_record
from qldb_stream.typing import Inbox
from tests.inbox.support import BLOCKS, EVENTS, RECORDS, STRAND, address_of, events_of


def stored(event: Event) -> bytes:
    """The bytes that would be stored of an event."""
    assert isinstance(event, BlockSummary | RevisionDetails)
    return event_bytes(event)


def test_the_very_record_is_stored() -> None:
    """An event that was read from binary Ion is stored as the bytes it was read from."""
    assert all(stored(e) is r for e, r in zip(EVENTS, RECORDS, strict=True))


def test_what_has_no_record_is_written() -> None:
    """A summary of which nothing is in its bytes any more is written anew, as it is."""
    summary = attrs.evolve(BLOCKS[0].summary, transaction_info=None)

    assert summary == parse_record(stored(summary))


@pytest.mark.parametrize("event", [e for e in EVENTS if isinstance(e, RevisionDetails)][:3])
def test_a_changed_event_is_not_its_record(event: RevisionDetails) -> None:
    """An event that somebody changed is stored as it is now, not as its record was."""
    renamed = attrs.evolve(event, stream_arn="another")
    moved = attrs.evolve(event, revision=attrs.evolve(event.revision, hash=bytes(32)))

    assert renamed == parse_record(event_bytes(renamed))
    assert moved == parse_record(event_bytes(moved))


def test_a_redacted_event_does_not_drag_its_document_along() -> None:
    """The bytes of a document are not in what is stored of the redacted form."""
    full = next(e for e in EVENTS if isinstance(e, RevisionDetails) and e.revision.data_ion)
    data = full.revision.data_ion
    assert data is not None
    redacted = redacted_event(full)

    assert data.hash() == redacted.revision.data_hash
    assert data.buf[data.start : data.end] not in event_bytes(redacted)
    assert redacted == redacted_event(redacted)


def test_a_masked_document_keeps_the_hash_of_the_source() -> None:
    """The document that a filter changed is not what `dataHash` is about."""
    full = next(e for e in EVENTS if isinstance(e, RevisionDetails) and e.revision.data_ion)
    revision = attrs.evolve(full.revision, masked=("name",), data_hash=bytes(32))

    assert bytes(32) == redacted_event(attrs.evolve(full, revision=revision)).revision.data_hash


def test_text_is_stored_as_binary(inbox: Inbox) -> None:
    """A record that came as Ion text is stored in binary, and equal."""
    event = parse_record(to_text(load_slice(RECORDS[0])).encode())

    assert 1 == inbox.put([event], 1.0)
    assert (event,) == inbox.block(STRAND, 0)


def test_whole_blocks_are_their_records(inbox: Inbox) -> None:
    """A block that came whole is stored as its summary and its revisions, once."""
    block = next(b for b in BLOCKS if len(b.revisions) > 1)
    where = (block.address.strand_id, block.address.sequence_no)

    assert len(events_of(*where)) == inbox.put([block], 1.0)
    assert 0 == inbox.put([block], 1.0)
    assert sorted(map(repr, events_of(*where))) == sorted(map(repr, inbox.block(*where)))


def test_nothing_is_kept_of_what_belongs_to_no_block(inbox: Inbox) -> None:
    """CONTROL records and bare hashes hold nothing that a block needs."""
    bare = next(r for b in BLOCKS for r in b.revisions if r.metadata is None)

    items: list[Event] = [ControlRecord("arn", "CREATED"), RevisionDetails("arn", bare)]
    assert [] == list(iter_events(items))
    assert 0 == inbox.put(items, 1.0)
    assert () == inbox.strands()


def test_parts_of_a_block() -> None:
    """A block's parts are its summary and its revisions with metadata, in their order."""
    block = next(b for b in BLOCKS if any(r.metadata is None for r in b.revisions))
    assert isinstance(block, Block)
    parts = list(iter_events([block]))

    assert block.summary == parts[0]
    assert [r for r in block.revisions if r.metadata is not None] == [
        part.revision for part in parts[1:] if isinstance(part, RevisionDetails)
    ]


def test_key() -> None:
    """Records are told apart by all of their bytes."""
    assert len(set(RECORDS)) == len({key_of(record) for record in RECORDS})
    assert all(address_of(e) for e in EVENTS)

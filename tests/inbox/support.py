"""Events of two small journals, and what redactions ask for in them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    Event,
    RedactedRevision,
    RevisionDetails,
)
from qldb_stream.inbox import InboxLimits, MemoryInbox, SqliteInbox
from qldb_stream.inbox.dynamodb import DynamoDbInbox
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Position
from qldb_stream.testing import JournalShape, make_journal

SHAPE = JournalShape(tables=1, redactions=0.4, system=0.2, updates=0.5)
JOURNALS = [make_journal(seed, blocks=12, shape=SHAPE) for seed in (5, 6)]
BLOCKS = [block for journal in JOURNALS for block in journal]
STRANDS = tuple(sorted(journal.strand_id for journal in JOURNALS))
STRAND = JOURNALS[0].strand_id
RECORDS = [r for journal in JOURNALS for rs in journal.iter_block_records() for r in rs]
EVENTS = [parse_record(record) for record in RECORDS]
REDACTIONS = [
    revision
    for block in BLOCKS
    if block.summary.redaction_info is not None
    for revision in block.summary.redaction_info.revisions
]
assert REDACTIONS


def address_of(event: Event) -> BlockAddress:
    """The block of an event."""
    assert isinstance(event, BlockSummary | RevisionDetails)
    return event.address if isinstance(event, BlockSummary) else event.revision.address


def events_of(strand_id: str, sequence_no: int) -> tuple[Event, ...]:
    """All events of a block."""
    wanted = BlockAddress(strand_id, sequence_no)
    return tuple(event for event in EVENTS if address_of(event) == wanted)


def redacted(event: Event, asked: Sequence[RedactedRevision] = REDACTIONS) -> Event:
    """An event as it reads after redactions."""
    if not isinstance(event, RevisionDetails):
        return event
    revision = event.revision
    if revision.data_ion is None or revision.metadata is None:
        return event
    claim = (revision.address, revision.metadata.id, revision.metadata.version)
    if claim not in [(r.block_address, r.document_id, r.version) for r in asked]:
        return event
    data_hash = revision.data_ion.hash()
    return attrs.evolve(event, revision=attrs.evolve(revision, data_ion=None, data_hash=data_hash))


def position_at(block: Block) -> Position:
    """The position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash)


def small_limits(**limits: int) -> InboxLimits:
    """The usual limits, some of them smaller."""
    return attrs.evolve(InboxLimits(), **limits)


AnyInbox = MemoryInbox | SqliteInbox | DynamoDbInbox

"""Killed before any call of any method: who comes after brings it to the same end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest

from qldb_stream.errors import CarrierError
from qldb_stream.events import Undecodable
from qldb_stream.inbox.dynamodb import DynamoDbInbox
from qldb_stream.report import InboxStatus, ParkedBlock, ParkReason, Position
from qldb_stream.typing import Item
from tests.inbox.dynamodb.faults import (
    Faults,
    KilledError,
    document_of,
    long_event,
    open_table,
    where_of,
)
from tests.inbox.support import BLOCKS, EVENTS
from tests.inbox.tables import items_of, new_table, objects_of

LONG, ASKED = long_event(350_000)
STRAND_ID = where_of(LONG)[0]
BLOCK = next(b for b in BLOCKS if b.address == LONG.revision.address)
NOISE = Undecodable("shard", 1, 3, CarrierError("kinesis", 0, "cut off"), b"abc")
GIVEN: Sequence[Item] = [*EVENTS[:8], LONG, NOISE]
PARKED = ParkedBlock("a", BLOCK, ParkReason.REFUSED, "", datetime(2026, 1, 2, tzinfo=UTC))


def fill(inbox: DynamoDbInbox) -> None:
    """Put something of everything into it."""
    inbox.put(GIVEN, 1.0)
    inbox.store_position("a", Position(STRAND_ID, 99, bytes(32)), 1)
    inbox.park(PARKED)


METHODS: dict[str, Callable[[DynamoDbInbox], object]] = {
    "put": lambda inbox: inbox.put(EVENTS[8:20], 1.0),
    "trim": lambda inbox: inbox.trim(STRAND_ID),
    "erase": lambda inbox: inbox.erase([ASKED]),
    "forget": lambda inbox: inbox.forget("a"),
    "discard": lambda inbox: inbox.discard_quarantined(1.0),
    "store_position": lambda i: i.store_position("b", Position(STRAND_ID, 3, bytes(32)), 2),
    "unpark": lambda inbox: inbox.unpark("a", STRAND_ID, BLOCK.address.sequence_no),
}


def die_at(faults: Faults, at: int, _operation: str, _count: int) -> object:
    """Die before a call, counted over all operations."""
    return KilledError() if faults.calls() == at else None


def counted(status: InboxStatus) -> object:
    """What must be the same in the end: `arrivals` may be higher for who was killed."""
    strands = [(s.strand_id, s.records, s.record_bytes, s.first, s.last) for s in status.strands]
    return strands, status.positions, status.parked, status.quarantined, status.sinks


@pytest.mark.parametrize("name", METHODS)
def test_killed_before_each_call(dynamodb: str, bucket: str, faults: Faults, name: str) -> None:
    """Whatever of a method was done, repeating it ends where one clean run does."""
    clean = open_table(dynamodb, new_table(dynamodb), bucket=bucket)
    fill(clean)
    METHODS[name](clean)
    expected, blocks = counted(clean.status()), clean.block(*where_of(LONG))
    table, at = new_table(dynamodb), 0
    inbox = open_table(dynamodb, table, bucket=bucket)
    fill(inbox)
    for at in range(1, 60):
        faults.counts.clear()
        faults.before = partial(die_at, faults, at)
        try:
            METHODS[name](inbox)
        except KilledError:
            faults.dead = False
        else:
            break
    faults.before = lambda _operation, _count: None

    assert 1 < at < 59
    assert expected == counted(inbox.status())
    assert blocks == inbox.block(*where_of(LONG))
    if name == "erase":
        assert_erased(dynamodb, table, bucket)


def assert_erased(url: str, table: str, bucket: str) -> None:
    """The document is nowhere."""
    document = document_of(LONG)[100:200]
    everything = [repr(items_of(url, table)).encode(), *objects_of(url, bucket).values()]
    assert not any(document in each for each in everything)

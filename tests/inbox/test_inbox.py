"""Limits, leases, positions, park and quarantine: what the machine's model does not say."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from qldb_stream.errors import BacklogError, CarrierError, DecodeError, StaleTokenError, UsageError
from qldb_stream.events import Block, Filtered, Undecodable
from qldb_stream.inbox import MemoryInbox
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Gap, Lease, ParkedBlock, ParkReason, Position
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import Inbox
from tests.inbox.support import BLOCKS, EVENTS, RECORDS, STRAND, position_at, small_limits

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def test_both_are_inboxes(inbox: Inbox) -> None:
    """Both kinds have the methods of the protocol."""
    assert isinstance(inbox, Inbox)


def test_the_next_stored_number(inbox: Inbox) -> None:
    """Whatever lies between, the next number of which anything is stored is found."""
    inbox.put([BLOCKS[n] for n in (0, 4, 7)], 1.0)

    assert [0, 4, 4, 7, None] == [inbox.next_stored(STRAND, n) for n in (-1, 0, 3, 4, 7)]
    assert inbox.next_stored("unknown", 0) is None


def test_full_by_records() -> None:
    """What does not fit is refused whole, repeats of what is there are not."""
    inbox = MemoryInbox(limits=small_limits(records=3))
    inbox.put(EVENTS[:3], 1.0)
    with pytest.raises(
        BacklogError, match="more than 3 records wait for the sinks of inbox memory"
    ):
        inbox.put(EVENTS[2:5], 2.0)

    assert 0 == inbox.put(EVENTS[:3], 3.0)
    assert 3 == inbox.status().strands[0].records
    assert 1 == inbox.arrivals(STRAND)


def test_full_by_bytes() -> None:
    """The limit of bytes counts what is stored, and trimming makes room."""
    inbox = MemoryInbox(limits=small_limits(record_bytes=sum(map(len, RECORDS[:2]))))
    inbox.put(EVENTS[:2], 1.0)
    with pytest.raises(BacklogError, match="bytes of records"):
        inbox.put(EVENTS[2:3], 2.0)
    inbox.store_position("a", Position(STRAND, 99, bytes(32)), 1)
    assert 2 == inbox.trim(STRAND)

    assert 1 == inbox.put(EVENTS[2:3], 2.0)


def test_trimming_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trimming goes in steps, so that others have their turn, to the end."""
    monkeypatch.setattr("qldb_stream.inbox._inbox._TRIM_RECORDS", 4)
    inbox = MemoryInbox()
    new = inbox.put(EVENTS, 1.0)
    trimmed = 0
    for strand_id in inbox.strands():
        inbox.store_position("a", Position(strand_id, 99, bytes(32)), 1)
        trimmed += inbox.trim(strand_id)

    assert new == trimmed
    assert 0 == inbox.trim("unknown")


def test_a_registered_sink_without_position_holds_all(inbox: Inbox) -> None:
    """Nothing is trimmed for one sink that another has not begun with."""
    inbox.put(EVENTS, 1.0)
    assert 0 == inbox.trim(STRAND)
    inbox.register("b")
    inbox.store_position("a", Position(STRAND, 99, bytes(32)), 1)
    assert 0 == inbox.trim(STRAND)
    assert inbox.trimmable(STRAND) is None
    inbox.forget("b")

    assert 99 == inbox.trimmable(STRAND)
    assert inbox.trim(STRAND)


def test_tokens_start_with_the_time(inbox: Inbox) -> None:
    """A new inbox gives higher tokens than one that was lost, and still rising ones."""
    first = inbox.lease("a", 1.0, 1_700_000_000.0)
    second = inbox.lease("a", 1.0, 1_700_000_001.0)
    third = inbox.lease("a", 1.0, 2.0)

    assert Lease("a", 1_700_000_000_000, 1_700_000_001.0) == first
    assert Lease("a", 1_700_000_001_000, 1_700_000_002.0) == second
    assert third is None  # by a clock that is behind, the lease is held


def test_a_lost_lease(inbox: Inbox) -> None:
    """Who lost a lease cannot renew it; giving it back does nothing to the next holder."""
    lost = inbox.lease("a", 1.0, 1.0)
    assert lost is not None
    held = inbox.lease("a", 10.0, 2.0)
    assert held is not None
    with pytest.raises(StaleTokenError):
        inbox.renew(lost, 1.0, 2.0)

    assert inbox.release(lost, strand_id=STRAND, arrivals=0)
    assert inbox.lease("a", 1.0, 3.0) is None
    assert held == attrs.evolve(inbox.renew(held, 1.0, 3.0), expires_s=12.0)


def test_no_wake_up_is_lost(inbox: Inbox) -> None:
    """A record that comes between look and release keeps the lease with its holder."""
    lease = inbox.lease(STRAND, 60.0, 1.0)
    assert lease is not None
    seen = inbox.arrivals(STRAND)
    inbox.put(EVENTS[:1], 1.0)
    assert not inbox.release(lease, strand_id=STRAND, arrivals=seen)
    assert inbox.lease(STRAND, 60.0, 2.0) is None

    assert inbox.release(lease, strand_id=STRAND, arrivals=inbox.arrivals(STRAND))
    assert inbox.lease(STRAND, 60.0, 2.0) is not None


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, float("nan"), float("inf")])
def test_unsound_times(inbox: Inbox, ttl_s: float) -> None:
    """A lease for no time, or for ever, is refused."""
    with pytest.raises(UsageError, match="sound times"):
        inbox.lease("a", ttl_s, 1.0)


def test_half_a_condition(inbox: Inbox) -> None:
    """A release names a strand and its arrivals, or neither."""
    with pytest.raises(UsageError, match="or neither"):
        inbox.release(Lease("a", 1, 1.0), strand_id=STRAND)


def test_positions_come_back_whole(inbox: Inbox) -> None:
    """Parked numbers, gaps and start are kept with a position."""
    position = Position(STRAND, 9, bytes(32), frozenset((3, 5)), (Gap(1, 2, "lost"),), 1)
    inbox.store_position("a", position, 7)
    found = inbox.position("a", STRAND)
    assert found is not None

    assert (position, 1) == (found, found.start)
    assert inbox.position("b", STRAND) is None
    with pytest.raises(StaleTokenError):
        inbox.store_position("a", position, 6)


def exported(block: Block) -> Block:
    """The block as an export has it: from no stream."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, stream_arn=None))


def test_parked_blocks_come_back_whole(inbox: Inbox) -> None:
    """A parked block is what it was, system entries, its origin and the filter's work included."""
    shape = JournalShape(system=0.5, redactions=0.3, deletes=0.2)
    for number, block in enumerate(make_journal(4, blocks=20, shape=shape)):
        revisions = [
            attrs.evolve(r, masked=("a", "b.c"), is_withheld=r.data_ion is None)
            if r.metadata and number % 3 == 0
            else r
            for r in block.revisions
        ]
        changed = attrs.evolve(
            exported(block) if number % 2 else block,
            revisions=tuple(revisions),
            filtered=Filtered({"Person": None, "Car": "car"}) if number % 3 == 0 else None,
        )
        parked = ParkedBlock(
            "a", changed, ParkReason.FOLLOWS, "why", WHEN, frozenset("xy"), frozenset("t"), 7
        )
        inbox.park(parked)
        (found,) = inbox.parked("a", block.address.strand_id)
        assert parked == found
        inbox.unpark("a", block.address.strand_id, number)


def test_a_block_that_is_unparked_meanwhile_is_passed_over(inbox: Inbox) -> None:
    """Iterating over parked blocks goes on when one of them goes."""
    of_strand = [b for b in BLOCKS if b.address.strand_id == STRAND][:3]
    for block in of_strand:
        inbox.park(ParkedBlock("a", block, ParkReason.REFUSED, "", WHEN))
    found = inbox.parked("a", STRAND)
    assert of_strand[0] == next(found).block
    inbox.unpark("a", STRAND, of_strand[1].address.sequence_no)

    assert [of_strand[2]] == [parked.block for parked in found]


class ForeignDecodeError(DecodeError):
    """Of somebody else's source."""


def test_quarantine_keeps_bytes_while_there_is_room() -> None:
    """Beyond the limit of bytes an entry says that its bytes are not held."""
    inbox = MemoryInbox(limits=small_limits(quarantined_bytes=5))
    error = CarrierError("kinesis", 3, "cut off")
    noise = [Undecodable("sh\udc80ard", n, 3, error, bytes(3)) for n in range(3)]
    inbox.put([*noise, noise[0]], 5.0)

    assert [bytes(3), None, None] == [found.item.data for found in inbox.quarantined()]
    assert [(n, error, 5.0) for n in range(3)] == [
        (found.item.offset, found.item.error, found.arrived_s) for found in inbox.quarantined()
    ]
    assert 0 == inbox.discard_quarantined(4.9)
    assert 3 == inbox.discard_quarantined(5.0)


def test_an_error_of_somebody_else(inbox: Inbox) -> None:
    """An error that this package does not have is kept as its sentence."""
    inbox.put([Undecodable("theirs", 3, 3, ForeignDecodeError("odd"))], 1.0)
    (found,) = inbox.quarantined()

    assert CarrierError("theirs", 3, "odd") == found.item.error


def test_repeats_raise_no_counter(inbox: Inbox) -> None:
    """Only what is new counts as an arrival."""
    event = parse_record(RECORDS[0])
    counts = [(inbox.put([event], 1.0), inbox.arrivals(STRAND)) for _ in range(2)]

    assert [(1, 1), (0, 1)] == counts


def test_position_of_a_block(inbox: Inbox) -> None:
    """A position that a block led to is read again as it was."""
    position = position_at(BLOCKS[2])
    inbox.store_position("a", position, 0)

    assert position == inbox.position("a", position.strand_id)


def test_checkpoints_are_small_and_fenced(inbox: Inbox) -> None:
    """A text is kept by key, replaced unless a higher token stored it, and bounded."""
    assert inbox.checkpoint("shard") is None
    inbox.store_checkpoint("shard", "one", 5)
    inbox.store_checkpoint("shard", "two", 5)
    with pytest.raises(StaleTokenError) as caught:
        inbox.store_checkpoint("shard", "old", 4)
    assert (StaleTokenError("shard", 5, 4), "two") == (caught.value, inbox.checkpoint("shard"))
    for key, value in (("", ""), ("k" * 513, ""), ("k", "v" * 4097)):
        with pytest.raises(UsageError, match="1 to 512 and up to 4096"):
            inbox.store_checkpoint(key, value, 9)

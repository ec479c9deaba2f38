"""What others do between the calls of one method: the other does it before a chosen call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import attrs
import pytest

from qldb_stream.errors import BacklogError, CarrierError, InboxUnavailableError, UsageError
from qldb_stream.events import BlockAddress, RevisionDetails, Undecodable
from qldb_stream.inbox import InboxLimits
from qldb_stream.inbox._records import redacted_event
from qldb_stream.inbox.dynamodb import DynamoDbInbox
from qldb_stream.report import ParkedBlock, ParkReason, Position
from tests.inbox.dynamodb.faults import Faults, document_of, long_event, open_table, where_of
from tests.inbox.support import BLOCKS, EVENTS, REDACTIONS, STRAND, redacted
from tests.inbox.tables import items_of, objects_of

ASKED = REDACTIONS[0]
FULL = next(e for e in EVENTS if isinstance(e, RevisionDetails) and e != redacted(e, [ASKED]))
WHERE = where_of(FULL)
LONG, LONG_ASKED = long_event(350_000)
PARKED = ParkedBlock(
    "a",
    next(b for b in BLOCKS if b.address == FULL.revision.address),
    ParkReason.REFUSED,
    "",
    datetime(2026, 1, 2, tzinfo=UTC),
)


@attrs.define
class Pair:
    """Two workers; the other one acts before some calls of the first."""

    mine: DynamoDbInbox
    other: DynamoDbInbox
    faults: Faults

    def before(self, operation: str, act: Callable[[], object], times: int = 1) -> None:
        """Let the other act before the first calls of an operation that are made from now on."""
        left = [act] * times

        def befall(name: str, _count: int) -> object:
            if name == operation and left:
                now, self.faults.before = left.pop(), lambda _name, _count: None
                now()
                self.faults.before = befall
            return None

        self.faults.before = befall


@pytest.fixture
def pair(dynamodb: str, table: str, bucket: str, faults: Faults) -> Iterator[Pair]:
    """Two workers at one inbox."""
    workers = [open_table(dynamodb, table, bucket=bucket) for _ in range(2)]
    yield Pair(workers[0], workers[1], faults)
    for worker in workers:
        worker.close()


@pytest.mark.parametrize(("event", "asked"), [(FULL, ASKED), (LONG, LONG_ASKED)])
def test_erased_while_it_is_put(
    pair: Pair,
    dynamodb: str,
    table: str,
    bucket: str,
    event: RevisionDetails,
    asked: object,
) -> None:
    """What is erased between look and write comes in redacted, and was never stored."""
    pair.before("TransactWriteItems", lambda: pair.other.erase([asked]))  # type: ignore[list-item] # its type is a parameter's
    assert 1 == pair.mine.put([event], 1.0)

    assert (redacted_event(event),) == pair.other.block(*where_of(event))
    document = document_of(event)[-100:]
    everything = [repr(items_of(dynamodb, table)).encode(), *objects_of(dynamodb, bucket).values()]
    assert not any(document in each for each in everything)
    assert not any(item["pk"]["S"] == "object" for item in items_of(dynamodb, table))


def test_erased_all_the_time(pair: Pair) -> None:
    """Who is always too late hears of it, and nothing is stored."""
    others = [attrs.evolve(ASKED, document_id=f"other {n}") for n in range(40)]
    pair.before("TransactWriteItems", lambda: pair.other.erase([others.pop()]), times=30)
    with pytest.raises(InboxUnavailableError, match="others change strand"):
        pair.mine.put([FULL], 1.0)

    assert () == pair.mine.block(*WHERE)


def test_put_twice_at_once(pair: Pair) -> None:
    """What another stores between look and write is stored and counted once."""
    pair.before("TransactWriteItems", lambda: pair.other.put(EVENTS[2:6], 1.0))
    assert 2 == pair.mine.put(EVENTS[:4], 1.0)

    assert 6 == pair.mine.status().strands[0].records
    assert 2 == pair.mine.arrivals(STRAND)


def test_a_long_record_put_twice_at_once(pair: Pair, dynamodb: str, bucket: str) -> None:
    """Of two objects for one record one stays."""
    pair.before("TransactWriteItems", lambda: pair.other.put([LONG], 1.0))
    assert 0 == pair.mine.put([LONG], 1.0)

    assert (LONG,) == pair.mine.block(*where_of(LONG))
    assert 1 == len(objects_of(dynamodb, bucket))


def test_trimmed_twice_at_once(pair: Pair) -> None:
    """What another trims at the same time is counted down once."""
    pair.mine.put(EVENTS[:6], 1.0)
    pair.mine.store_position("a", Position(STRAND, 99, bytes(32)), 1)
    pair.before("TransactWriteItems", lambda: pair.other.trim(STRAND))
    pair.mine.trim(STRAND)

    (strand,) = pair.mine.status().strands
    assert (0, 0) == (strand.records, strand.record_bytes)


def test_trimmed_while_it_is_read(pair: Pair) -> None:
    """A record whose object goes between listing and reading is just not there."""
    pair.mine.put([LONG], 1.0)
    pair.mine.store_position("a", Position(where_of(LONG)[0], 99, bytes(32)), 1)
    pair.before("GetObject", lambda: pair.other.trim(where_of(LONG)[0]))

    assert () == pair.mine.block(*where_of(LONG))


def test_the_redacted_form_comes_while_it_is_erased(pair: Pair) -> None:
    """When the redacted copy comes at that moment, the full one goes, and one is left."""
    pair.mine.put([FULL], 1.0)
    form = redacted_event(FULL)
    calls = []

    def put_form() -> None:
        calls.append(1)
        if len(calls) == 2:  # before the replacement; the first is the mark
            pair.other.put([form], 1.0)

    pair.before("TransactWriteItems", put_form, times=2)
    assert 1 == pair.mine.erase([ASKED])

    assert (form,) == pair.mine.block(*WHERE)
    assert 1 == sum(strand.records for strand in pair.mine.status().strands)


def test_erased_while_it_is_parked(pair: Pair, dynamodb: str, table: str) -> None:
    """What is erased between look and write is parked redacted, and was never stored."""
    pair.before("TransactWriteItems", lambda: pair.other.erase([ASKED]))
    pair.mine.park(PARKED)

    (parked,) = pair.other.parked("a", WHERE[0])
    forms = [r for r in parked.block.revisions if r.hash == FULL.revision.hash]
    assert [redacted_event(FULL).revision] == forms
    assert document_of(FULL) not in repr(items_of(dynamodb, table)).encode()
    assert (("a", WHERE[0], 1),) == pair.mine.status().parked


def test_parked_twice_at_once(pair: Pair) -> None:
    """The later one replaces the earlier, and one is counted."""
    pair.before("TransactWriteItems", lambda: pair.other.park(attrs.evolve(PARKED, detail="x")))
    pair.mine.park(PARKED)

    assert [PARKED] == list(pair.mine.parked("a", WHERE[0]))
    assert (("a", WHERE[0], 1),) == pair.mine.status().parked


def test_parked_all_the_time(pair: Pair) -> None:
    """Who is always too late hears of it."""
    pair.before("TransactWriteItems", lambda: pair.other.park(PARKED), times=30)
    with pytest.raises(InboxUnavailableError, match="others change a parked block"):
        pair.mine.park(PARKED)


def test_unparked_while_it_is_erased(pair: Pair) -> None:
    """A parked block that another takes out meanwhile is not there to be erased."""
    pair.mine.park(PARKED)
    calls = []

    def unpark() -> None:
        calls.append(1)
        if len(calls) == 2:
            pair.other.unpark("a", *WHERE)

    pair.before("TransactWriteItems", unpark, times=2)
    assert 0 == pair.mine.erase([ASKED])
    assert () == pair.mine.status().parked


def test_a_long_parked_block_is_replaced_while_it_is_read(pair: Pair) -> None:
    """The one that took its place is given."""
    block = attrs.evolve(PARKED.block, revisions=(LONG.revision,))
    address: BlockAddress = block.address
    pair.mine.park(attrs.evolve(PARKED, block=block))
    pair.before("GetObject", lambda: pair.other.park(PARKED))

    assert [PARKED] == list(pair.mine.parked("a", address.strand_id))


def test_unpark_twice_at_once(pair: Pair) -> None:
    """A block that two take out at once is counted down once."""
    pair.mine.park(PARKED)
    pair.before("TransactWriteItems", lambda: pair.other.unpark("a", *WHERE))
    pair.mine.unpark("a", *WHERE)

    assert () == pair.mine.status().parked


def test_limits_hold(dynamodb: str, table: str) -> None:
    """Records, parked blocks and unreadable records are bounded, and repeats pass."""
    limits = InboxLimits(records=4, parked_blocks=1, quarantined=1)
    inbox = open_table(dynamodb, table, limits=limits)
    noise = [Undecodable("s", n, 3, CarrierError("s", n, "cut off"), b"abc") for n in range(2)]
    assert 4 == inbox.put([*EVENTS[:4], noise[0]], 1.0)
    assert 0 == inbox.put([*EVENTS[:4], noise[0]], 1.0)
    for item in (EVENTS[4], noise[1]):
        with pytest.raises(BacklogError):
            inbox.put([item], 1.0)
    for _ in range(2):
        inbox.park(PARKED)
    with pytest.raises(BacklogError, match="parked blocks wait for somebody"):
        inbox.park(attrs.evolve(PARKED, sink="b"))

    assert 4 == inbox.status().strands[0].records
    assert [noise[0]] == [found.item for found in inbox.quarantined()]
    inbox.close()


def test_names_that_are_no_text(dynamodb: str, table: str) -> None:
    """A checkpoint that cannot be stored is refused."""
    inbox = open_table(dynamodb, table)
    with pytest.raises(UsageError, match="no Unicode text"):
        inbox.store_checkpoint("a", "\udc80", 1)
    inbox.close()


def test_discarded_while_it_is_read(pair: Pair) -> None:
    """A quarantined record whose object goes between listing and reading is passed over."""
    noise = Undecodable("s", 1, 3, CarrierError("s", 1, "cut off"), document_of(LONG))
    pair.mine.put([noise], 1.0)
    pair.before("GetObject", lambda: pair.other.discard_quarantined(1.0))
    assert [] == list(pair.mine.quarantined())

    named = attrs.evolve(noise, data=LONG_ASKED.document_id.encode() + document_of(LONG))
    pair.mine.put([named], 1.0)
    pair.before("GetObject", lambda: pair.other.erase([LONG_ASKED]))
    assert [None] == [found.item.data for found in pair.mine.quarantined()]


def test_discarded_twice_at_once(pair: Pair) -> None:
    """What another discards at that moment is counted down once, and the rest goes."""
    noise = [Undecodable("s", n, 3, CarrierError("s", n, "cut off"), b"abc") for n in range(3)]
    pair.mine.put(noise[:2], 1.0)
    pair.mine.put(noise[2:], 5.0)
    pair.before("TransactWriteItems", lambda: pair.other.discard_quarantined(1.0))

    assert 1 == pair.mine.discard_quarantined(5.0)
    assert 0 == pair.mine.status().quarantined
    assert [] == list(pair.mine.quarantined())


def test_quarantined_twice_at_once(pair: Pair) -> None:
    """What another quarantines at that moment is there and counted once."""
    noise = Undecodable("s", 1, 3, CarrierError("s", 1, "cut off"), document_of(LONG))
    pair.before("TransactWriteItems", lambda: pair.other.put([noise], 1.0))
    pair.mine.put([noise], 1.0)

    assert [noise] == [found.item for found in pair.mine.quarantined()]
    assert 1 == pair.mine.status().quarantined


def test_what_cannot_be_quarantined_is_not_taken_for_it(pair: Pair) -> None:
    """Who is forestalled again and again hears of it: nobody acknowledges what is nowhere."""
    noise = Undecodable("s", 1, 3, CarrierError("s", 1, "cut off"), document_of(LONG))
    steal = pair.other._objects.remove_loose  # noqa: SLF001 - what an erasure does at that moment
    pair.before("TransactWriteItems", steal, times=20)
    with pytest.raises(InboxUnavailableError, match="others change the quarantine"):
        pair.mine.put([noise], 1.0)

    assert [] == list(pair.mine.quarantined())
    pair.mine.put([noise], 1.0)
    assert [noise] == [found.item for found in pair.mine.quarantined()]

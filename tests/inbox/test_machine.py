"""All inboxes against one naive model, two workers at each."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from qldb_stream.errors import BacklogError, EnvelopeError, StaleTokenError
from qldb_stream.events import Block, Event, Undecodable
from qldb_stream.inbox import InboxLimits, MemoryInbox, SqliteInbox
from qldb_stream.inbox.dynamodb import DynamoDbInbox, DynamoDbOptions
from qldb_stream.report import Lease, ParkedBlock, ParkReason, Position
from tests.inbox.support import (
    BLOCKS,
    EVENTS,
    REDACTIONS,
    STRANDS,
    AnyInbox,
    address_of,
    position_at,
    redacted,
)
from tests.inbox.tables import new_table

SINKS = ("a", "b")
LIMITS = InboxLimits(records=40, parked_blocks=3, quarantined=3)
NOISE = [
    Undecodable(f"shard {n}", n, 3, EnvelopeError("x", "y", "z"), b"abc" if n else None)
    for n in range(4)
]
WORKERS = st.integers(0, 1)
ITEMS = [*EVENTS, *NOISE]
ITEM_NUMBERS = st.integers(0, len(ITEMS) - 1)
BLOCK_NUMBERS = st.integers(0, len(BLOCKS) - 1)


@attrs.define
class Model:
    """What an inbox must do, in lists and dicts, with no thought of cost."""

    records: list[Event] = attrs.field(factory=list)
    arrivals: dict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    tokens: dict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    expires: dict[str, float] = attrs.field(factory=dict)
    sinks: set[str] = attrs.field(factory=set)
    positions: dict[tuple[str, str], tuple[Position, int]] = attrs.field(factory=dict)
    checkpoints: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    parked: dict[tuple[str, str, int], ParkedBlock] = attrs.field(factory=dict)
    quarantined: list[Undecodable] = attrs.field(factory=list)
    erased: list[int] = attrs.field(factory=list)

    def put(self, items: Sequence[Event | Undecodable]) -> int | None:
        """Answer how many are new, None when they do not fit."""
        asked = [REDACTIONS[n] for n in self.erased]
        new: list[Event] = []
        noise: list[Undecodable] = []
        for item in items:
            if isinstance(item, Undecodable):
                if item not in [*self.quarantined, *noise]:
                    noise.append(item)
            elif (kept := redacted(item, asked)) not in [*self.records, *new]:
                new.append(kept)
        if len(self.records) + len(new) > LIMITS.records:
            return None
        if len(self.quarantined) + len(noise) > LIMITS.quarantined:
            return None
        self.records += new
        self.quarantined += noise
        for strand_id in {address_of(event).strand_id for event in new}:
            self.arrivals[strand_id] += 1
        return len(new)

    def block(self, strand_id: str, number: int) -> tuple[Event, ...]:
        """Give what is stored of a block."""
        wanted = (strand_id, number)
        return tuple(e for e in self.records if attrs.astuple(address_of(e)) == wanted)

    def trim(self, strand_id: str) -> int:
        """Remove what all sinks have."""
        reached = [self.positions.get((sink, strand_id)) for sink in self.sinks]
        if not reached or None in reached:
            return 0
        last = min(found[0].sequence_no for found in reached if found is not None)
        kept = [
            e
            for e in self.records
            if address_of(e).strand_id != strand_id or address_of(e).sequence_no > last
        ]
        gone = len(self.records) - len(kept)
        self.records = kept
        return gone

    def erase(self, number: int) -> int:
        """Redact what is stored; answer how many copies were full."""
        self.erased.append(number)
        asked = [REDACTIONS[number]]
        changed = [redacted(event, asked) for event in self.records]
        count = sum(a is not b for a, b in zip(self.records, changed, strict=True))
        self.records = changed
        for key, parked in self.parked.items():
            block = redacted_block(parked.block, number)
            count += block != parked.block
            self.parked[key] = attrs.evolve(parked, block=block)
        return count


def redacted_block(block: Block, number: int) -> Block:
    """A block as it reads after one redaction."""
    asked = REDACTIONS[number]
    revisions = [
        attrs.evolve(r, data_ion=None, data_hash=r.data_ion.hash())
        if r.data_ion is not None
        and r.metadata is not None
        and (r.address, r.metadata.id, r.metadata.version)
        == (asked.block_address, asked.document_id, asked.version)
        else r
        for r in block.revisions
    ]
    return attrs.evolve(block, revisions=tuple(revisions))


class InboxMachine(RuleBasedStateMachine):
    """Two workers do what they like, one after the other; the model knows what must come of it."""

    leases = Bundle("leases")
    watched = 2  # so many workers are asked after each step

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now_s = 100.0
        self.workers = self.open()

    def open(self) -> list[AnyInbox]:
        """Two views of one new inbox."""
        inbox = MemoryInbox(limits=LIMITS)
        return [inbox, inbox]

    def teardown(self) -> None:
        """Close what was opened."""
        for worker in self.workers:
            worker.close()

    @rule(by=WORKERS, numbers=st.lists(ITEM_NUMBERS, max_size=12))
    def put(self, by: int, numbers: list[int]) -> None:
        """Records are stored once each, or none of them."""
        chosen = [ITEMS[number] for number in numbers]
        expected = self.model.put(chosen)
        if expected is None:
            with pytest.raises(BacklogError):
                self.workers[by].put(chosen, self.now_s)
        else:
            assert expected == self.workers[by].put(chosen, self.now_s)

    @rule(by=WORKERS, number=BLOCK_NUMBERS)
    def put_block(self, by: int, number: int) -> None:
        """A block is put as its records are, one after the other."""
        block = BLOCKS[number]
        of_block = [e for e in EVENTS if address_of(e) == block.address]
        if self.model.put(of_block) is None:
            with pytest.raises(BacklogError):
                self.workers[by].put(of_block, self.now_s)
        else:
            self.workers[by].put(of_block, self.now_s)

    @rule(by=WORKERS, number=BLOCK_NUMBERS)
    def read_block(self, by: int, number: int) -> None:
        """A block's records are there, in the order in which they came."""
        block = BLOCKS[number]
        where = (block.address.strand_id, block.address.sequence_no)
        assert self.model.block(*where) == self.workers[by].block(*where)

    @rule(seconds=st.sampled_from([0.5, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds

    @rule(target=leases, by=WORKERS, key=st.sampled_from([*STRANDS, "shard"]))
    def lease(self, by: int, key: str) -> Lease | object:
        """A lease is given when it is free or has expired, with a higher token."""
        found = self.workers[by].lease(key, 10.0, self.now_s)
        if self.model.expires.get(key, 0.0) > self.now_s:
            assert found is None
            return multiple()
        assert found is not None
        assert found.token > self.model.tokens[key]
        assert (key, self.now_s + 10.0) == (found.key, found.expires_s)
        self.model.tokens[key] = found.token
        self.model.expires[key] = found.expires_s
        return found

    @rule(target=leases, by=WORKERS, lease=consumes(leases))
    def renew(self, by: int, lease: Lease) -> Lease | object:
        """A lease is renewed by whoever had it last."""
        if self.model.tokens[lease.key] != lease.token:
            with pytest.raises(StaleTokenError):
                self.workers[by].renew(lease, 10.0, self.now_s)
            return multiple()
        renewed = self.workers[by].renew(lease, 10.0, self.now_s)
        assert Lease(lease.key, lease.token, self.now_s + 10.0) == renewed
        self.model.expires[lease.key] = renewed.expires_s
        return renewed

    @rule(by=WORKERS, lease=leases, seen_less=st.booleans(), strand_id=st.sampled_from(STRANDS))
    def release(self, by: int, lease: Lease, strand_id: str, *, seen_less: bool) -> None:
        """A lease is not given back while more came than its holder has seen."""
        arrivals = self.model.arrivals[strand_id]
        is_held = self.model.tokens[lease.key] == lease.token
        seen = max(0, arrivals - seen_less)
        answer = self.workers[by].release(lease, strand_id=strand_id, arrivals=seen)
        assert (not is_held or seen == arrivals) == answer
        if is_held and answer:
            self.model.expires.pop(lease.key, None)

    @rule(by=WORKERS, sink=st.sampled_from(SINKS))
    def register(self, by: int, sink: str) -> None:
        """A sink is registered, again and again."""
        assert (sink not in self.model.sinks) == self.workers[by].register(sink)
        self.model.sinks.add(sink)

    @rule(by=WORKERS, sink=st.sampled_from(SINKS))
    def forget(self, by: int, sink: str) -> None:
        """Of a forgotten sink nothing is left."""
        self.workers[by].forget(sink)
        self.model.sinks.discard(sink)
        for key in [key for key in self.model.positions if key[0] == sink]:
            del self.model.positions[key]
        for where in [where for where in self.model.parked if where[0] == sink]:
            del self.model.parked[where]

    @rule(
        by=WORKERS,
        sink=st.sampled_from(SINKS),
        number=BLOCK_NUMBERS,
        token=st.integers(0, 3),
        parked=st.frozensets(st.integers(0, 5), max_size=2),
    )
    def store_position(
        self, by: int, sink: str, number: int, token: int, parked: frozenset[int]
    ) -> None:
        """A position is stored unless a higher token has stored one."""
        block = BLOCKS[number]
        strand_id = block.address.strand_id
        position = attrs.evolve(position_at(block), parked=parked)
        stored = self.model.positions.get((sink, strand_id))
        if stored is not None and stored[1] > token:
            with pytest.raises(StaleTokenError):
                self.workers[by].store_position(sink, position, token)
            return
        self.workers[by].store_position(sink, position, token)
        self.model.positions[sink, strand_id] = (position, token)
        self.model.sinks.add(sink)

    @rule(by=WORKERS, key=st.sampled_from(SINKS), token=st.integers(0, 3))
    def store_checkpoint(self, by: int, key: str, token: int) -> None:
        """A checkpoint is stored unless a higher token has stored one."""
        value, stored = f"{by} {token}", self.model.checkpoints.get(key, ("", -1))
        if stored[1] > token:
            with pytest.raises(StaleTokenError):
                self.workers[by].store_checkpoint(key, value, token)
            return
        self.workers[by].store_checkpoint(key, value, token)
        self.model.checkpoints[key] = (value, token)
        assert value == self.workers[1 - by].checkpoint(key)

    @rule(by=WORKERS, strand_id=st.sampled_from(STRANDS))
    def trim(self, by: int, strand_id: str) -> None:
        """What every registered sink has goes, and nothing else."""
        assert self.model.trim(strand_id) == self.workers[by].trim(strand_id)

    @rule(by=WORKERS, number=st.integers(0, len(REDACTIONS) - 1))
    def erase(self, by: int, number: int) -> None:
        """Every copy of a redacted document is replaced."""
        assert self.model.erase(number) == self.workers[by].erase([REDACTIONS[number]])

    @rule(
        by=WORKERS,
        sink=st.sampled_from(SINKS),
        number=BLOCK_NUMBERS,
        detail=st.sampled_from(["", "too large"]),
    )
    def park(self, by: int, sink: str, number: int, detail: str) -> None:
        """A parked block is kept, but for what was erased, in place of the one from before."""
        block = BLOCKS[number]
        parked = ParkedBlock(sink, block, ParkReason.REFUSED, detail, datetime.now(UTC))
        key = (sink, *attrs.astuple(block.address))
        if key not in self.model.parked and len(self.model.parked) >= LIMITS.parked_blocks:
            with pytest.raises(BacklogError):
                self.workers[by].park(parked)
            return
        self.workers[by].park(parked)
        for redaction in self.model.erased:
            block = redacted_block(block, redaction)
        self.model.parked[key] = attrs.evolve(parked, block=block)

    @rule(by=WORKERS, sink=st.sampled_from(SINKS), number=BLOCK_NUMBERS)
    def unpark(self, by: int, sink: str, number: int) -> None:
        """An unparked block is gone; one that was not there is no error."""
        block = BLOCKS[number]
        where = (sink, block.address.strand_id, block.address.sequence_no)
        self.workers[by].unpark(*where)
        self.model.parked.pop(where, None)

    @rule(by=WORKERS)
    def discard(self, by: int) -> None:
        """What is quarantined stays until somebody discards it."""
        assert len(self.model.quarantined) == self.workers[by].discard_quarantined(self.now_s)
        self.model.quarantined = []

    @invariant()
    def holds_the_same(self) -> None:
        """Counters, positions, park and quarantine are those of the model, for both workers."""
        for worker in self.workers[: self.watched]:
            status = worker.status()
            counted = {s.strand_id: (s.arrivals, s.records) for s in status.strands}
            expected = {
                strand_id: (arrivals, sum(address_of(e).strand_id == strand_id for e in records))
                for records in [self.model.records]
                for strand_id, arrivals in self.model.arrivals.items()
                if arrivals
            }
            assert expected == counted
            assert set(expected) == set(worker.strands())
            assert status.strands == tuple(worker.waiting(s.strand_id) for s in status.strands)
            assert None is worker.waiting("nowhere")
            assert {key: p for key, (p, _) in self.model.positions.items()} == {
                (sink, p.strand_id): p for sink, p in status.positions
            }
            assert tuple(sorted(self.model.sinks)) == status.sinks
            assert [q.item for q in worker.quarantined()] == self.model.quarantined
            for sink in SINKS:
                for strand_id in STRANDS:
                    of_strand = [
                        parked
                        for key, parked in sorted(self.model.parked.items(), key=lambda e: e[0])
                        if key[:2] == (sink, strand_id)
                    ]
                    assert of_strand == list(worker.parked(sink, strand_id))


class SqliteMachine(InboxMachine):
    """The same, each worker with a connection of its own."""

    def open(self) -> list[AnyInbox]:
        """One file, opened twice."""
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "a.inbox"
        return [SqliteInbox(path, limits=LIMITS) for _ in range(2)]

    def teardown(self) -> None:
        """Close what was opened, and remove it."""
        super().teardown()
        self.folder.cleanup()

    @rule(by=WORKERS)
    def reopen(self, by: int) -> None:
        """A worker goes and comes back; nothing is lost."""
        self.workers[by].close()
        self.workers[by] = SqliteInbox(self.workers[by].name, limits=LIMITS)


class DynamoDbMachine(InboxMachine):
    """The same in a table, each worker with a client of its own."""

    url = ""
    watched = 1  # both read the same table, and nothing but that

    def open(self) -> list[AnyInbox]:
        """One table, opened twice."""
        options = DynamoDbOptions(endpoint_url=self.url, shards=2)
        table = new_table(self.url)
        return [DynamoDbInbox(table, options, limits=LIMITS) for _ in range(2)]


BOUNDS = settings(max_examples=30, stateful_step_count=30)

TestMemory = InboxMachine.TestCase
TestMemory.settings = BOUNDS
TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = BOUNDS


def test_dynamodb(dynamodb: str) -> None:
    """The table does as the model does; it is slower, so that there are fewer runs."""
    machine = type("Machine", (DynamoDbMachine,), {"url": dynamodb})
    run_state_machine_as_test(machine, settings=settings(max_examples=4, stateful_step_count=15))

"""What consumers share: who works on what, what waits, and what was put aside."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import attrs

from qldb_stream.events import Block, BlockAddress, Undecodable
from qldb_stream.report._position import Position


@attrs.frozen
class Lease:
    """
    The right to work on something for a while.

    `token` is higher than that of every lease of `key` before it. `expires_s` is in seconds
    since 1970, by the clock of whoever asked.
    """

    key: str
    token: int
    expires_s: float


class ParkReason(enum.Enum):
    """Why a block was parked."""

    REFUSED = "refused"
    FOLLOWS = "follows"


@attrs.frozen
class ParkedBlock:
    """
    A block that one sink was not given, so that the others of its strand could be.

    A FOLLOWS block touches what `because_of`, an earlier parked block of the strand, touched.
    `documents` are the ids and `tables` the names that the block touches; `detail` quotes no
    document. `parked_at` is aware, UTC.
    """

    sink: str
    block: Block = attrs.field(repr=False)
    reason: ParkReason
    detail: str
    parked_at: datetime
    documents: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    because_of: int | None = None

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""
        return self.block.address


@attrs.frozen
class Quarantined:
    """Bytes that could not be read, kept as they came; `arrived_s` is seconds since 1970."""

    item: Undecodable
    arrived_s: float


@attrs.frozen
class WaitingStrand:
    """
    What waits of one strand.

    `records` and `record_bytes` count what is stored, delivered or not; `first` and `last`
    are its lowest and highest block, None when nothing is. `arrivals` rises with every `put`
    that brought something new. `oldest_s` is when the first record of block `first` came.
    """

    strand_id: str
    records: int
    record_bytes: int
    first: int | None
    last: int | None
    arrivals: int
    oldest_s: float | None


class WaitState(enum.Enum):
    """
    What a sink's next block of a strand is doing.

    NOTHING: nothing later is stored. READY: all of it is here. INCOMPLETE: some of its
    records are. MISSING: none is, though later blocks are here. UNKNOWN: the sink has no
    position in this strand, so what comes next is not known.
    """

    NOTHING = "nothing"
    READY = "ready"
    INCOMPLETE = "incomplete"
    MISSING = "missing"
    UNKNOWN = "unknown"


@attrs.frozen
class SinkWait:
    """
    What one registered sink waits for in one strand.

    `next` is the number that it needs, `behind` how many numbers there are from it to the
    last stored block, `since_s` when the first record came of the lowest stored block that
    it has not. `holds` are the numbers, first to last, that would go if it was forgotten.
    """

    sink: str
    strand_id: str
    next: int | None
    state: WaitState
    behind: int
    since_s: float | None
    holds: tuple[int, int] | None = None

    def as_json(self, now_s: float | None = None) -> dict[str, Any]:
        """Give the object that `status --json` prints; a time makes a lag of `since_s`."""
        lag_s = None
        if now_s is not None and self.since_s is not None:
            lag_s = max(0.0, now_s - self.since_s)
        return {
            "sink": self.sink,
            "strand_id": self.strand_id,
            "next": self.next,
            "state": self.state.value,
            "behind": self.behind,
            "lag_s": lag_s,
            "holds": None if self.holds is None else list(self.holds),
        }


@attrs.frozen
class InboxStatus:
    """
    What an inbox holds.

    `positions` are by sink and strand, as (sink, position). `parked` counts blocks by sink
    and strand, `quarantined` unreadable records. `sinks` are registered: all that they do
    not have is kept for them. `waits` says what each of them needs next of each strand.
    """

    strands: tuple[WaitingStrand, ...] = ()
    leases: tuple[Lease, ...] = ()
    positions: tuple[tuple[str, Position], ...] = ()
    parked: tuple[tuple[str, str, int], ...] = ()
    quarantined: int = 0
    sinks: tuple[str, ...] = ()
    waits: tuple[SinkWait, ...] = ()

    def as_json(self, now_s: float | None = None) -> dict[str, Any]:
        """Give the values that `status --json` prints; ages and lags need the time."""
        return {
            "strands": [attrs.asdict(strand) for strand in self.strands],
            "leases": [
                attrs.asdict(lease)
                | {"left_s": None if now_s is None else max(0.0, lease.expires_s - now_s)}
                for lease in self.leases
            ],
            "positions": [
                {"sink": sink, **position.as_json()} for sink, position in self.positions
            ],
            "parked": [
                {"sink": sink, "strand_id": strand_id, "blocks": count}
                for sink, strand_id, count in self.parked
            ],
            "quarantined": self.quarantined,
            "sinks": list(self.sinks),
            "waits": [wait.as_json(now_s) for wait in self.waits],
        }

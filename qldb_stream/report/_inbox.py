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
    are its lowest and highest block. `arrivals` rises with every `put` that brought
    something new. `oldest_s` is when the oldest stored record came.
    """

    strand_id: str
    records: int
    record_bytes: int
    first: int
    last: int
    arrivals: int
    oldest_s: float


@attrs.frozen
class InboxStatus:
    """
    What an inbox holds.

    `positions` are by sink and strand, as (sink, position). `parked` counts blocks by sink
    and strand, `quarantined` unreadable records.
    """

    strands: tuple[WaitingStrand, ...] = ()
    leases: tuple[Lease, ...] = ()
    positions: tuple[tuple[str, Position], ...] = ()
    parked: tuple[tuple[str, str, int], ...] = ()
    quarantined: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give the values that `status --json` prints."""
        return {
            "strands": [attrs.asdict(strand) for strand in self.strands],
            "leases": [attrs.asdict(lease) for lease in self.leases],
            "positions": [
                {"sink": sink, **position.as_json()} for sink, position in self.positions
            ],
            "parked": [
                {"sink": sink, "strand_id": strand_id, "blocks": count}
                for sink, strand_id, count in self.parked
            ],
            "quarantined": self.quarantined,
        }

"""What an inbox holds, summed up: nothing is read whole, whatever waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qldb_stream.inbox._waits import iter_waits
from qldb_stream.inbox.dynamodb._leases import Leases
from qldb_stream.inbox.dynamodb._parked import Park
from qldb_stream.inbox.dynamodb._positions import Positions
from qldb_stream.inbox.dynamodb._quarantine import Quarantine
from qldb_stream.inbox.dynamodb._records import Records
from qldb_stream.inbox.dynamodb._values import maybe_number, need
from qldb_stream.report import InboxStatus, WaitingStrand

__all__ = ["came_of", "maybe_strand", "sum_up"]


def sum_up(
    records: Records, leases: Leases, positions: Positions, park: Park, quarantine: Quarantine
) -> InboxStatus:
    """Read the status; each part of it is of one moment, the whole is not."""
    strands = tuple([_strand(records, head) for head in came_of(records)])
    stored, sinks = positions.all(), positions.sinks()
    return InboxStatus(
        strands,
        leases.held(),
        stored,
        park.counts(),
        quarantine.count(),
        tuple(sinks),
        tuple(iter_waits(records, sinks, strands, stored)),
    )


def maybe_strand(records: Records, strand_id: str) -> WaitingStrand | None:
    """Say what is stored of one strand; None when nothing of it ever came."""
    head = records.head(strand_id)
    return _strand(records, head) if head is not None and maybe_number(head, "came") else None


def came_of(records: Records) -> list[Mapping[str, Any]]:
    """Give the counters of the strands of which anything ever came, by id."""
    name = records.table.name
    found = [head for head in records.heads() if maybe_number(head, "came")]
    return sorted(found, key=lambda head: str(need(head, "strand_id", str, name)))


def _strand(records: Records, head: Mapping[str, Any]) -> WaitingStrand:
    strand_id = need(head, "strand_id", str, records.table.name)
    first = records.lowest_after(strand_id, -1)
    return WaitingStrand(
        strand_id,
        maybe_number(head, "records"),
        maybe_number(head, "record_bytes"),
        first,
        records.last(strand_id),
        maybe_number(head, "arrivals"),
        None if first is None else records.arrival_s(strand_id, first),
    )

"""What an inbox holds, summed up: nothing is read whole, whatever waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import NEED_MORE, Undecodable
from qldb_stream.inbox._file import Row
from qldb_stream.inbox._leases import held_leases
from qldb_stream.inbox._parked import count_parked
from qldb_stream.inbox._positions import all_positions
from qldb_stream.inbox._quarantine import count_quarantined
from qldb_stream.inbox._store import read_block, rows
from qldb_stream.report import InboxStatus, Position, SinkWait, WaitingStrand, WaitState

__all__ = ["maybe_strand", "sum_up"]

_STRANDS: Final = """
SELECT strand_id, records, record_bytes,
    (SELECT min(sequence_no) FROM record WHERE strand_no = strand.no),
    (SELECT max(sequence_no) FROM record WHERE strand_no = strand.no),
    arrivals
FROM strand
"""
_ARRIVAL: Final = """
SELECT min(arrived_s) FROM record WHERE sequence_no = ?2
AND strand_no = (SELECT no FROM strand WHERE strand_id = ?1)
"""
_AFTER: Final = """
SELECT min(sequence_no) FROM record WHERE sequence_no > ?2
AND strand_no = (SELECT no FROM strand WHERE strand_id = ?1)
"""


def sum_up(connection: sqlite3.Connection, name: str) -> InboxStatus:
    """Read the status, all of it of one state."""
    found = rows(connection, f"{_STRANDS} ORDER BY strand_id")
    strands = tuple([_strand(connection, row) for row in found])
    positions = all_positions(connection, name)
    sinks = [sink for (sink,) in rows(connection, "SELECT name FROM sink ORDER BY 1")]
    return InboxStatus(
        strands,
        held_leases(connection),
        positions,
        count_parked(connection),
        count_quarantined(connection),
        tuple(sinks),
        tuple(_waits(connection, name, sinks, strands, positions)),
    )


def maybe_strand(connection: sqlite3.Connection, strand_id: str) -> WaitingStrand | None:
    """Say what is stored of one strand; None when nothing of it ever came."""
    for row in rows(connection, f"{_STRANDS} WHERE strand_id = ?", strand_id):
        return _strand(connection, row)
    return None


def _strand(connection: sqlite3.Connection, row: Row) -> WaitingStrand:
    strand_id, records, size, first, last, arrivals = row
    oldest_s = _arrival(connection, strand_id, first)
    return WaitingStrand(strand_id, records, size, first, last, arrivals, oldest_s)


def _arrival(connection: sqlite3.Connection, strand_id: str, number: int | None) -> float | None:
    """Say when the first record of a stored block came."""
    if number is None:
        return None
    ((arrived_s,),) = rows(connection, _ARRIVAL, strand_id, number)
    return float(arrived_s)


def _waits(
    connection: sqlite3.Connection,
    name: str,
    sinks: Sequence[str],
    strands: Sequence[WaitingStrand],
    positions: Sequence[tuple[str, Position]],
) -> Iterator[SinkWait]:
    known = {(sink, position.strand_id): position for sink, position in positions}
    for strand in strands:
        reached = {sink: known.get((sink, strand.strand_id)) for sink in sinks}
        for sink in sinks:
            holds = _held_back(sink, reached, strand)
            yield _wait(connection, name, sink, strand, reached[sink], holds)


def _held_back(
    sink: str, reached: Mapping[str, Position | None], strand: WaitingStrand
) -> tuple[int, int] | None:
    """Give the stored numbers that every other sink has, and this one has not."""
    if strand.first is None or strand.last is None:
        return None
    own = reached[sink]
    first = strand.first if own is None else max(strand.first, own.sequence_no + 1)
    others = [-1 if p is None else p.sequence_no for other, p in reached.items() if other != sink]
    last = min([strand.last, *others])
    return (first, last) if first <= last else None


def _wait(
    connection: sqlite3.Connection,
    name: str,
    sink: str,
    strand: WaitingStrand,
    position: Position | None,
    holds: tuple[int, int] | None,
) -> SinkWait:
    strand_id, last = strand.strand_id, strand.last
    had = -1 if position is None else position.sequence_no
    ((lowest,),) = rows(connection, _AFTER, strand_id, had)
    since_s = _arrival(connection, strand_id, lowest)
    next_no = None if position is None else _next_number(position)
    state = WaitState.NOTHING
    if next_no is None:
        state = WaitState.UNKNOWN
    elif lowest is not None:
        state = _state(connection, name, strand_id, next_no)
    begin = lowest if next_no is None else next_no
    behind = 0 if last is None or begin is None else max(0, last - begin + 1)
    return SinkWait(sink, strand_id, next_no, state, behind, since_s, holds)


def _next_number(position: Position) -> int:
    number = position.sequence_no + 1
    for gap in sorted(position.gaps, key=lambda gap: gap.first):
        if gap.first <= number <= gap.last:
            number = gap.last + 1
    return number


def _state(connection: sqlite3.Connection, name: str, strand_id: str, number: int) -> WaitState:
    items = [item for _arrived_s, item in read_block(connection, name, strand_id, number)]
    if not items:
        return WaitState.MISSING
    assembler = BlockAssembler(limit=len(items))
    for item in items:
        if not isinstance(item, Undecodable):
            assembler.feed(item)
    return WaitState.INCOMPLETE if assembler.next_block() is NEED_MORE else WaitState.READY

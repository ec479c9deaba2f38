"""What an inbox holds, summed up: nothing is read whole, whatever waits."""

from __future__ import annotations

import sqlite3
from typing import Final

from qldb_stream.inbox._file import Row
from qldb_stream.inbox._leases import held_leases
from qldb_stream.inbox._parked import count_parked
from qldb_stream.inbox._positions import all_positions
from qldb_stream.inbox._quarantine import count_quarantined
from qldb_stream.inbox._store import lowest_after, read_block, rows
from qldb_stream.inbox._waits import iter_waits
from qldb_stream.report import InboxStatus, WaitingStrand
from qldb_stream.typing import Item

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
        tuple(iter_waits(_Stored(connection, name), sinks, strands, positions)),
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


class _Stored:
    """What is stored of strands, asked in one transaction."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection: Final = connection
        self._name: Final = name

    def lowest_after(self, strand_id: str, number: int) -> int | None:
        """Give the lowest stored number above one; None when there is none."""
        return lowest_after(self._connection, strand_id, number)

    def arrival_s(self, strand_id: str, number: int) -> float | None:
        """Say when the first record of a stored block came."""
        return _arrival(self._connection, strand_id, number)

    def block(self, strand_id: str, number: int) -> list[Item]:
        """Give a block's records."""
        found = read_block(self._connection, self._name, strand_id, number)
        return [item for _arrived_s, item in found]

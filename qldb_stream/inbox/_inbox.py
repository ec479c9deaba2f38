"""
The inbox in a SQLite file, and the same in memory.

Strategy: one transaction for each method, durable when it is committed; what the methods do
to the tables is in the modules of their subject. Documents that were erased are gone from the
file when `erase` returns: SQLite overwrites what it deletes, the write-ahead log is cut, and
then the file is searched for them, because SQLite may leave a copy of a row in the unused part
of a page when it moves rows between pages; if so, the file is written anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from qldb_stream.events import Block, RedactedRevision
from qldb_stream.inbox import _checkpoints, _leases, _parked, _positions, _quarantine, _store
from qldb_stream.inbox._erasure import Erasure
from qldb_stream.inbox._file import MEMORY, Database
from qldb_stream.inbox._limits import IN_MEMORY, InboxLimits, check_release, check_times
from qldb_stream.inbox._records import read_items
from qldb_stream.inbox._status import maybe_strand, sum_up
from qldb_stream.report import (
    InboxStatus,
    Lease,
    ParkedBlock,
    Position,
    Quarantined,
    WaitingStrand,
)
from qldb_stream.typing import Item

__all__ = ["MemoryInbox", "SqliteInbox"]

# How many records one transaction of `trim` removes, so that writers between have their turn.
_TRIM_RECORDS: Final = 5_000


class SqliteInbox:
    """
    What consumers share, in a SQLite file; see `qldb_stream.typing.Inbox`.

    Threads may share one object, processes open one each; none survives a fork. The file
    is made when there is none, readable by its owner alone.

    Args:
        path: the file.
        limits: how much it may hold.
        must_exist: refuse to make a file.

    Raises:
        InboxFileError: it is something else than an inbox of this version, or damaged.
        InboxUnavailableError: it cannot be opened now. Every method raises these two.
        UsageError: from every method, when the inbox is closed, or a name is no Unicode text.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limits: InboxLimits | None = None,
        must_exist: bool = False,
    ) -> None:
        self._database: Final = Database(os.fspath(path), must_exist=must_exist)
        self._limits: Final = limits or InboxLimits()

    @property
    def name(self) -> str:
        """Give the file's path."""
        return self._database.path

    def put(self, items: Sequence[Item | Block], now_s: float) -> int:
        """
        Store what is not stored yet, once each by strand, number and the bytes' SHA-256.

        Blocks are stored as their records. Of a record that was erased before, the redacted
        form is stored. Records that cannot be read are kept in the quarantine, bounded:
        beyond the limit of bytes, or where the source held none, `data` is None there.

        Returns:
            How many records were new; unreadable ones do not count.

        Raises:
            BacklogError: the inbox or its quarantine is full; nothing of `items` was stored.
        """
        entries, unreadable = read_items(items)
        with self._database.write() as connection:
            new, lost = _store.put_records(connection, entries, now_s)
            if new:
                _store.check_limits(connection, self._limits, self.name)
            _quarantine.put_unreadable(
                connection, [*unreadable, *lost], now_s, self._limits, self.name
            )
        return new

    def block(self, strand_id: str, sequence_no: int) -> tuple[Item, ...]:
        """
        Give all stored records of a block, in the order in which they came.

        One that was damaged in the file is an `Undecodable` in its place.
        """
        with self._database.read() as connection:
            found = _store.read_block(connection, self.name, strand_id, sequence_no)
        return tuple([item for _arrived_s, item in found])

    def next_stored(self, strand_id: str, number: int) -> int | None:
        """Give the lowest number above one of which anything is stored; None for nothing."""
        with self._database.read() as connection:
            return _store.lowest_after(connection, strand_id, number)

    def arrivals(self, strand_id: str) -> int:
        """Give the strand's counter of arrivals; 0 for a strand that is not known."""
        with self._database.read() as connection:
            return _store.arrivals_of(connection, strand_id)

    def strands(self) -> tuple[str, ...]:
        """Name the strands of which anything ever came, in order."""
        with self._database.read() as connection:
            found = _store.rows(connection, "SELECT strand_id FROM strand ORDER BY 1")
        return tuple([strand_id for (strand_id,) in found])

    def waiting(self, strand_id: str) -> WaitingStrand | None:
        """Say what is stored of a strand; None for one that is not known."""
        with self._database.read() as connection:
            return maybe_strand(connection, strand_id)

    def lease(self, key: str, ttl_s: float, now_s: float) -> Lease | None:
        """Take a free or expired lease; None while another holds it."""
        check_times(ttl_s, now_s)
        with self._database.write() as connection:
            return _leases.take_lease(connection, key, ttl_s, now_s)

    def renew(self, lease: Lease, ttl_s: float, now_s: float) -> Lease:
        """
        Prolong a lease, with the same token; an expired one too, if nobody has had it since.

        Raises:
            StaleTokenError: somebody else has had it since.
        """
        check_times(ttl_s, now_s)
        with self._database.write() as connection:
            return _leases.renew_lease(connection, lease, ttl_s, now_s)

    def release(
        self, lease: Lease, *, strand_id: str | None = None, arrivals: int | None = None
    ) -> bool:
        """
        Give a lease back; in one step with the comparison, when a strand is named.

        Returns:
            False when more came for the strand than `arrivals`: the lease is still held.

        Raises:
            UsageError: only one of strand and arrivals is given.
        """
        check_release(strand_id, arrivals)
        with self._database.write() as connection:
            return _leases.release_lease(connection, lease, strand_id, arrivals or 0)

    def position(self, sink: str, strand_id: str) -> Position | None:
        """Give what a sink is known to have of a strand; None for nothing."""
        with self._database.read() as connection:
            return _positions.read_position(connection, self.name, sink, strand_id)

    def store_position(self, sink: str, position: Position, token: int) -> None:
        """
        Keep what a sink has; it is registered with that.

        Raises:
            StaleTokenError: the position was stored with a higher token.
        """
        with self._database.write() as connection:
            _positions.set_position(connection, sink, position, token)

    def checkpoint(self, key: str) -> str | None:
        """Give the text that a source keeps under a key; None for nothing."""
        with self._database.read() as connection:
            return _checkpoints.read_checkpoint(connection, key)

    def store_checkpoint(self, key: str, value: str, token: int) -> None:
        """
        Keep a text for a source, in place of what was there.

        Raises:
            StaleTokenError: it was stored with a higher token (`strand_id` is the key).
            UsageError: the key has not 1 to 512 characters, or the value more than 4,096.
        """
        _checkpoints.check_checkpoint(key, value)
        with self._database.write() as connection:
            _checkpoints.set_checkpoint(connection, key, value, token)

    def register(self, sink: str) -> bool:
        """Keep everything for a sink from now on; again does nothing. Say whether it is new."""
        with self._database.write() as connection:
            return _positions.register_sink(connection, sink)

    def forget(self, sink: str) -> None:
        """Keep nothing for a sink any more: its positions and parked blocks go."""
        with self._database.write() as connection:
            _positions.forget_sink(connection, sink)

    def trimmable(self, strand_id: str) -> int | None:
        """Give the number up to which every registered sink has a strand; None for nothing."""
        with self._database.read() as connection:
            return _positions.had(connection, self.name, strand_id)

    def trim(self, strand_id: str) -> int:
        """
        Remove the records of blocks that every registered sink has; give their number.

        A sink has what its position has passed: parked blocks are in the park, gaps are
        declared. Nothing goes while a registered sink has no position in the strand, or
        none is registered.
        """
        trimmed = 0
        while True:
            with self._database.write() as connection:
                last = _positions.had(connection, self.name, strand_id)
                if last is None:
                    return trimmed
                gone = _store.trim_records(connection, strand_id, last, _TRIM_RECORDS)
            trimmed += gone
            if gone < _TRIM_RECORDS:
                return trimmed

    def erase(self, redacted: Sequence[RedactedRevision]) -> int:
        """
        Put the redacted form in place of stored and parked copies; give their number.

        The documents are gone from the file and its log when this returns. Copies that
        come later are stored in their redacted form. Unreadable records lose their bytes
        where these name the document.

        Raises:
            InboxUnavailableError: others used the file all the time. The copies are replaced
                then, but their bytes may still be in the log: ask again.
        """
        return Erasure(self._database).run(redacted)

    def park(self, parked: ParkedBlock) -> None:
        """
        Keep a block for one sink; again with the same address replaces it.

        Raises:
            BacklogError: too many blocks are parked.
        """
        with self._database.write() as connection:
            _parked.park_block(connection, parked)
            _parked.check_parked(connection, self._limits, self.name)

    def parked(self, sink: str, strand_id: str) -> Iterator[ParkedBlock]:
        """Iterate over a sink's parked blocks of a strand, by number, one held at a time."""
        with self._database.read() as connection:
            numbers = _parked.parked_numbers(connection, sink, strand_id)
        for number in numbers:
            with self._database.read() as connection:
                found = _parked.read_parked(connection, self.name, sink, strand_id, number)
            if found is not None:
                yield found

    def unpark(self, sink: str, strand_id: str, sequence_no: int) -> None:
        """Remove a parked block; one that is not there is no error."""
        with self._database.write() as connection:
            _parked.unpark_block(connection, sink, strand_id, sequence_no)

    def quarantined(self) -> Iterator[Quarantined]:
        """Iterate over what could not be read, in the order in which it came."""
        last = 0
        while True:
            with self._database.read() as connection:
                found = _quarantine.read_quarantined(connection, self.name, last)
            if found is None:
                return
            last, quarantined = found
            yield quarantined

    def discard_quarantined(self, until_s: float) -> int:
        """Remove what could not be read and came until a moment; give its number."""
        with self._database.write() as connection:
            return _quarantine.discard(connection, until_s)

    def status(self) -> InboxStatus:
        """Sum up what it holds; it costs the same whatever waits."""
        with self._database.read() as connection:
            return sum_up(connection, self.name)

    def remove_unused(self) -> bool:
        """
        Close it; if this object made the file and nothing came of it, take the file away.

        A file in which anything was stored, or that somebody else has open, stays.

        Returns:
            Whether the file is gone.
        """
        return self._database.remove_unused()

    def close(self) -> None:
        """Let go of it; what is stored stays."""
        self._database.close()


class MemoryInbox(SqliteInbox):
    """
    The same in memory, for one process; what is stored goes when it is closed.

    It is SQLite in memory, so that it keeps the very rules of the file.
    """

    def __init__(self, *, limits: InboxLimits = IN_MEMORY) -> None:
        super().__init__(MEMORY, limits=limits)

    @property
    def name(self) -> str:
        """Give the name that stands in messages."""
        return "memory:"

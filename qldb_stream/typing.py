"""
The protocols that the stages and their plug-ins meet through.

A sink, a source or a carrier is whatever has these methods; nothing has to be
inherited. Import them for annotations, implement them in your own package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from qldb_stream.events import Event, Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qldb_stream.events import Block, RedactedRevision
    from qldb_stream.report import (
        InboxStatus,
        Lease,
        ParkedBlock,
        Position,
        Quarantined,
        StoredRevision,
        WaitingStrand,
    )

__all__ = [
    "ErasingSink",
    "Inbox",
    "Item",
    "LiveSource",
    "MentioningSink",
    "Readable",
    "ReadableSink",
    "RepairableSink",
    "Sink",
    "Source",
]

Item: TypeAlias = Event | Undecodable
"""What a source yields: an event, or bytes that could not be read as one."""


@runtime_checkable
class Readable(Protocol):
    """Bytes of known length that can be read at any place, more than once."""

    @property
    def name(self) -> str:
        """Name the carrier for messages; a file's path, an object's key."""

    @property
    def size(self) -> int:
        """Give the length in bytes, after decompression."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`; fewer only at the end."""


@runtime_checkable
class Source(Protocol):
    """
    Where a journal comes from.

    A bounded source (files, an archive) ends by itself and hands its events over
    sorted by block address, each exactly as often as it holds it; a live one hands
    them over as they arrive. Unreadable parts come as `Undecodable` values in
    their place; nothing is dropped.
    """

    @property
    def bounded(self) -> bool:
        """Say whether the source ends by itself and is sorted."""

    def items(self) -> Iterator[Item]:
        """Iterate over everything the source holds; may be called again."""


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source without an end that is told what is safe, and can be asked to end."""

    def acknowledge(self, count: int) -> None:
        """
        Take note that the next `count` items it has given are durable elsewhere.

        Called in the order in which they were given, from another thread than `items` runs in.
        """

    def stop(self) -> None:
        """End `items` soon, from another thread; what was not acknowledged comes again."""


@runtime_checkable
class Sink(Protocol):
    """Where blocks go: applied whole or not at all, in order, per strand."""

    def position(self, strand_id: str) -> Position | None:
        """
        Give what this sink has durably applied, or None for nothing yet.

        Its `start` tells what the sink never had; keep it with the position, when
        `apply` gives one.

        Raises:
            DeliveryError: the sink cannot be asked now.
        """

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Apply a run of whole blocks of one strand, durably.

        A run follows the sink's position, numbers in `position.parked` and `position.gaps`
        apart. It may repeat blocks that the sink has (`Position.pending` leaves them out; when
        `Position.covers` says that all is there, answer the stored position), and may be
        empty: then only the position changes. A block that was parked comes later, alone,
        with a position that no longer names it as parked.

        Args:
            blocks: in order.
            position: what the position becomes when all of them are applied.
            token: fencing token; a sink that stores its own position stores this
                with it and refuses a lower one with `StaleTokenError`.

        Returns:
            The position reached: `position`, or, when only a prefix was applied,
            `position.at(last applied block)`. It is durable when this returns, and where
            the sink has transactions it was written in the one that applied the
            blocks.

        Raises:
            DeliveryError: the first block that is not covered by the sink's position
                could not be applied; nothing of it is left behind.
        """

    def close(self) -> None:
        """Release what the sink holds; applied blocks stay applied."""


@runtime_checkable
class ErasingSink(Protocol):
    """A sink that can take data back out of blocks that it has applied."""

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Erase the documents of all revisions that are REDACTED in these copies of blocks.

        Hash and dataHash stay. Blocks or revisions that the sink has not are passed over;
        what is erased already stays so. Durable when this returns.

        Raises:
            DeliveryError: the data could not be erased; it may be asked again.
        """


@runtime_checkable
class MentioningSink(Protocol):
    """A sink for which a block depends on more documents than those that it changes."""

    def mentions(self, block: Block) -> frozenset[str]:
        """Name the documents that the block refers to, by the source's ids."""


@runtime_checkable
class ReadableSink(Protocol):
    """A sink that can tell what it holds, and what it should hold."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Iterate over what the history holds of these blocks when they are applied."""

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Iterate over what it does hold of a range, both ends included, by block number."""

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Iterate over the newest revision of each document that is there now."""


@runtime_checkable
class RepairableSink(ReadableSink, Protocol):
    """A readable sink that can be put right."""

    def repair(self, blocks: Sequence[Block], token: int) -> None:
        """
        Write the revisions of applied blocks anew, in place of what is held of them.

        The current state of the documents that these blocks touch follows from the history
        as it stands then.

        Raises:
            DeliveryError: it could not be written; nothing has changed.
        """


@runtime_checkable
class Inbox(Protocol):
    """
    What consumers share: records that wait, leases, positions, parked blocks.

    Everything is durable when the method returns. Any number of workers in any number of
    processes use one inbox; each method is atomic. Whatever cannot be reached now is a
    `DeliveryError` that may be retried. Times are arguments, in seconds since 1970.
    """

    def put(self, items: Sequence[Item | Block], now_s: float) -> int:
        """
        Store items that are not stored yet; then raise `arrivals` of their strands.

        CONTROL records hold nothing and are passed over; unreadable ones are quarantined.

        Returns:
            How many records were new.

        Raises:
            BacklogError: it is full; nothing of `items` was stored.
        """

    def block(self, strand_id: str, sequence_no: int) -> tuple[Item, ...]:
        """Give all stored records of a block, in the order in which they came; O(1)."""

    def next_stored(self, strand_id: str, number: int) -> int | None:
        """Give the lowest number above one of which anything is stored; None for nothing; O(1)."""

    def arrivals(self, strand_id: str) -> int:
        """Give the strand's counter of arrivals; 0 for a strand that is not known."""

    def strands(self) -> tuple[str, ...]:
        """Name the strands of which anything ever came."""

    def waiting(self, strand_id: str) -> WaitingStrand | None:
        """Say what is stored of a strand; None for one that is not known; O(1)."""

    def lease(self, key: str, ttl_s: float, now_s: float) -> Lease | None:
        """Take a free or expired lease; None while another holds it."""

    def renew(self, lease: Lease, ttl_s: float, now_s: float) -> Lease:
        """
        Prolong a lease, with the same token.

        Raises:
            StaleTokenError: somebody else has had it since.
        """

    def release(
        self, lease: Lease, *, strand_id: str | None = None, arrivals: int | None = None
    ) -> bool:
        """
        Give a lease back; in one step with the comparison, when a strand is named.

        Returns:
            False when more came for the strand than `arrivals`: the lease is still held, and
            its holder looks again. True otherwise, also when it was lost before.
        """

    def position(self, sink: str, strand_id: str) -> Position | None:
        """Give what a sink is known to have of a strand; None for nothing."""

    def store_position(self, sink: str, position: Position, token: int) -> None:
        """
        Keep what a sink has, and hold back `trim` for it.

        Raises:
            StaleTokenError: the position was stored with a higher token.
        """

    def checkpoint(self, key: str) -> str | None:
        """Give the text that a source keeps under a key; None for nothing."""

    def store_checkpoint(self, key: str, value: str, token: int) -> None:
        """
        Keep a text for a source, in place of what was there.

        Args:
            key: what it is about, such as a shard; 1 to 512 characters. It is never removed.
            value: at most 4,096 characters.
            token: of the lease of that key under which it is written.

        Raises:
            StaleTokenError: it was stored with a higher token (`strand_id` is the key).
            UsageError: key or value are longer.
        """

    def register(self, sink: str) -> bool:
        """Keep everything for a sink from now on; again does nothing. Say whether it is new."""

    def forget(self, sink: str) -> None:
        """Keep nothing for a sink any more: its positions and parked blocks go."""

    def trimmable(self, strand_id: str) -> int | None:
        """Give the number up to which every registered sink has a strand; None for nothing."""

    def trim(self, strand_id: str) -> int:
        """Remove the records of blocks that every registered sink has; give their number."""

    def erase(self, redacted: Sequence[RedactedRevision]) -> int:
        """Put the redacted form in place of stored and parked copies; give their number."""

    def park(self, parked: ParkedBlock) -> None:
        """Keep a block for one sink; again with the same address replaces it."""

    def parked(self, sink: str, strand_id: str) -> Iterator[ParkedBlock]:
        """Iterate over a sink's parked blocks of a strand, by number."""

    def unpark(self, sink: str, strand_id: str, sequence_no: int) -> None:
        """Remove a parked block; one that is not there is no error."""

    def quarantined(self) -> Iterator[Quarantined]:
        """Iterate over what could not be read, in the order in which it came."""

    def discard_quarantined(self, until_s: float) -> int:
        """Remove what could not be read and came until a moment; give its number."""

    def status(self) -> InboxStatus:
        """Sum up what it holds."""

    def close(self) -> None:
        """Let go of it; what is stored stays."""

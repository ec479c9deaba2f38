"""
The protocols that the stages and their plug-ins meet through.

A sink, a source or a carrier is whatever has these methods; nothing has to be
inherited. Import them for annotations, implement them in your own package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from qldb_stream.events import Event, Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qldb_stream.events import Block
    from qldb_stream.report import Position

__all__ = ["Item", "Readable", "Sink", "Source"]

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

        Args:
            blocks: in order, the next after the sink's position, at least one.
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

"""
Source blocks that were parked, held in memory until the destination's journal comes to them.

As many as may be parked at once, within a bound in bytes; one that finds no room is remembered by
its number alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from qldb_stream.events import Block

__all__ = ["HeldBlocks"]

_MOST_BLOCKS: Final = 10_000
"""As many as a strand may have parked for a sink."""

_MOST_BYTES: Final = 64 * 2**20
"""Of documents; some 16 of the largest transactions, facts 5.8."""


class HeldBlocks:
    """Blocks by number."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}
        self._left_out: set[int] = set()
        self._bytes = 0

    def add(self, block: Block) -> bool:
        """Hold a block; False when there is no room."""
        number, size = block.address.sequence_no, _size(block)
        if len(self._blocks) >= _MOST_BLOCKS or self._bytes + size > _MOST_BYTES:
            self._left_out.add(number)
            return False
        self._blocks[number] = block
        self._bytes += size
        return True

    def pop(self, number: int) -> Block | None:
        """Give a block away, if it is held."""
        block = self._blocks.pop(number, None)
        if block is not None:
            self._bytes -= _size(block)
        return block

    def was_left_out(self, number: int) -> bool:
        """Say whether a block found no room, once."""
        if number not in self._left_out:
            return False
        self._left_out.remove(number)
        return True

    def iter_left(self) -> Iterator[Block]:
        """Iterate over what is held still, by number."""
        return (self._blocks[number] for number in sorted(self._blocks))


def _size(block: Block) -> int:
    slices = [revision.data_ion for revision in block.revisions]
    return sum(each.end - each.start for each in slices if each is not None)

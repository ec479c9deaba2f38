"""How far a sink has come in a strand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qldb_stream.events import Block


@attrs.frozen
class Gap:
    """Blocks that the owner declared missing, first to last, both included."""

    first: int
    last: int
    reason: str


@attrs.frozen
class Position:
    """
    Every block up to `sequence_no` is applied, `parked` and `gaps` apart.

    `block_hash` is the hash of block `sequence_no`, 32 bytes; it links the next block.
    `start` is the first block that was applied: what is older was never there. None is
    unknown, as in files of before it was kept; it is no part of equality, since it says
    nothing of how far a sink has come.
    """

    strand_id: str
    sequence_no: int
    block_hash: bytes
    parked: frozenset[int] = frozenset()
    gaps: tuple[Gap, ...] = ()
    start: int | None = attrs.field(default=None, eq=False)

    def at(self, block: Block) -> Position:
        """Give the same position, moved to an applied block of the strand."""
        return attrs.evolve(
            self, sequence_no=block.address.sequence_no, block_hash=block.block_hash
        )

    def pending(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """Give the blocks that come after this position; those before are applied."""
        return tuple(b for b in blocks if b.address.sequence_no > self.sequence_no)

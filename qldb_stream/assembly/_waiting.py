"""Blocks that wait for their revisions."""

from __future__ import annotations

import attrs

from qldb_stream.events import BlockAddress, BlockSummary, Revision, RevisionSummary

__all__ = ["Slot", "WaitingBlock", "best_slot"]


@attrs.define(eq=False)
class Slot:
    """A leaf of a waiting block, and the different copies that came for it."""

    leaf: RevisionSummary
    block: WaitingBlock
    copies: list[Revision] = attrs.field(factory=list)

    @property
    def is_missing(self) -> bool:
        """Say whether its revision has to come; a hash-only leaf is the system's."""
        return self.leaf.document_id is not None and not self.copies


@attrs.define(eq=False)
class WaitingBlock:
    """
    A block whose summary is there.

    `others` are summaries that were left out, to know them again. `missing` counts slots.
    """

    summary: BlockSummary
    slots: list[Slot] = attrs.field(factory=list)
    others: list[BlockSummary] = attrs.field(factory=list)
    missing: int = 0

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""
        return self.summary.address

    @property
    def parts(self) -> int:
        """Count the events that it holds."""
        return 1 + sum(len(slot.copies) for slot in self.slots)


def best_slot(slots: list[Slot], revision: Revision) -> Slot:
    """Choose among slots of one hash; a sound journal never has two."""
    if len(slots) == 1:
        return slots[0]
    claim = (revision.address, revision.document_id)
    fitting = [slot for slot in slots if claim == (slot.block.address, slot.leaf.document_id)]
    return (fitting or [slot for slot in slots if slot.is_missing] or slots)[0]

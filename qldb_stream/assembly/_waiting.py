"""Blocks that wait for their revisions."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from qldb_stream.assembly._copies import same_summary
from qldb_stream.assembly._different import MAX_COPIES, DifferentCopies
from qldb_stream.assembly._given import summary_mark
from qldb_stream.events import BlockAddress, BlockSummary, Revision, RevisionSummary

__all__ = ["Shelf", "Slot", "SlotIndex", "WaitingBlock"]


@attrs.define(eq=False)
class Shelf:
    """Different copies of one revision, for which there is no better place."""

    copies: DifferentCopies

    @property
    def is_missing(self) -> bool:
        """Say whether something has to come here."""
        return False


@attrs.define(eq=False)
class Slot(Shelf):
    """A leaf of a waiting block, and the different copies that came for it."""

    leaf: RevisionSummary
    block: WaitingBlock

    @property
    def is_missing(self) -> bool:
        """Say whether its revision has to come; a hash-only leaf is the system's."""
        return self.leaf.document_id is not None and not self.copies.revisions


@attrs.define(eq=False)
class WaitingBlock:
    """
    A block whose summary is there.

    `others` are summaries that were left out, to know them again, at most MAX_COPIES;
    `marks` are theirs and the summary's. `missing` counts slots.
    """

    summary: BlockSummary
    slots: list[Slot] = attrs.field(factory=list)
    others: list[BlockSummary] = attrs.field(factory=list)
    marks: set[int] = attrs.field(factory=set)
    is_crowded: bool = False
    missing: int = 0

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""
        return self.summary.address

    @property
    def parts(self) -> int:
        """Count the events that it holds."""
        return 1 + sum(len(slot.copies.revisions) for slot in self.slots)

    @property
    def is_full(self) -> bool:
        """Say whether it takes no other summary."""
        return len(self.others) >= MAX_COPIES

    def knows(self, summary: BlockSummary) -> bool:
        """Say whether an equal summary came before; once it is full, only by its bytes."""
        if not self.marks:
            self.marks = {summary_mark(known) for known in (self.summary, *self.others)}
        if summary_mark(summary) in self.marks:
            return True
        if self.is_full:
            return False
        return any(same_summary(known, summary) for known in (self.summary, *self.others))

    def leave_out(self, summary: BlockSummary) -> None:
        """Remember a summary for which another one was taken."""
        self.others.append(summary)
        self.marks.add(summary_mark(summary))

    def replaced_by(self, summary: BlockSummary) -> WaitingBlock:
        """Make the block of a better summary; it has no slots yet."""
        marks = {*self.marks, summary_mark(summary)}
        others = [*self.others, self.summary]
        return WaitingBlock(summary, others=others, marks=marks, is_crowded=self.is_crowded)

    def taking(self, summary: BlockSummary) -> WaitingBlock:
        """Make the block of one of the others; it has no slots yet."""
        others = [known for known in (self.summary, *self.others) if known is not summary]
        return WaitingBlock(summary, others=others, marks=self.marks, is_crowded=self.is_crowded)

    @property
    def left_out(self) -> frozenset[bytes]:
        """Give the hashes of the revisions that the other summaries list."""
        return frozenset([leaf.hash for one in self.others for leaf in one.revision_summaries])


class SlotIndex:
    """Finds the slot that a revision fills, by its hash; equally fast whatever is here."""

    def __init__(self) -> None:
        self._single: dict[bytes, Slot] = {}
        self._twins: dict[bytes, _Twins] = {}

    def add(self, slot: Slot) -> Slot | None:
        """Take in a slot; give the one that has to share what it holds from now on."""
        digest = slot.leaf.hash
        twins = self._twins.get(digest)
        if twins is not None:
            twins.add(slot)
            return None
        first = self._single.setdefault(digest, slot)
        if first is slot:
            return None
        del self._single[digest]
        twins = self._twins[digest] = _Twins()
        twins.add(first)
        twins.add(slot)
        return first

    def settle(self, slot: Slot) -> int:
        """Let a slot that is to be decided have what fits no other; count what was dropped."""
        twins = self._twins.get(slot.leaf.hash)
        return 0 if twins is None else twins.settle(slot)

    def remove(self, slots: Iterable[Slot]) -> int:
        """Forget some slots that are here; give how many copies were dropped."""
        dropped = 0
        for slot in slots:
            digest = slot.leaf.hash
            if self._single.pop(digest, None) is None:
                twins = self._twins[digest]
                dropped += twins.remove(slot)
                if not twins.slots:
                    del self._twins[digest]
        return dropped

    def best(self, revision: Revision) -> Shelf | None:
        """Choose the place for a revision; None when there is no slot of its hash."""
        slot = self._single.get(revision.hash)
        if slot is not None:
            return slot
        twins = self._twins.get(revision.hash)
        return None if twins is None else twins.best(revision)


class _Twins:
    """
    Several slots of one hash; a sound journal never has two, a damaged address makes them.

    A copy belongs to the slot that it claims. What claims none waits on a shelf, until one of the
    slots is to be decided that has nothing else, or the last: blocks are decided by address,
    so it does not matter what came first.
    """

    def __init__(self) -> None:
        self.slots: dict[Slot, None] = {}
        self._undecided: dict[Slot, None] = {}
        self._by_claim: dict[tuple[BlockAddress, str | None], Slot] = {}
        self._unclaimed = Shelf(DifferentCopies())

    def add(self, slot: Slot) -> None:
        """Take in a slot; what it holds or claims goes where it belongs."""
        self.slots[slot] = self._undecided[slot] = None
        if self._by_claim.setdefault(_claim(slot), slot) is not slot:
            return  # of the same block, which takes the first
        was_missing = slot.is_missing
        for revision in [*slot.copies.take(), *self._unclaimed.copies.take()]:
            self.best(revision).copies.add(revision)
        slot.block.missing += slot.is_missing - was_missing

    def settle(self, slot: Slot) -> int:
        """Give the copies on the shelf to a slot that needs them, or to the last one."""
        self._undecided.pop(slot, None)
        return self._take(slot) if slot.is_missing or not self._undecided else 0

    def remove(self, slot: Slot) -> int:
        """Forget a slot; those of one claim are of one block and go together."""
        del self.slots[slot]
        self._undecided.pop(slot, None)
        self._by_claim.pop(_claim(slot), None)
        return 0 if self.slots else self._take(slot)

    def best(self, revision: Revision) -> Shelf:
        """Choose the slot that a revision claims, or the shelf."""
        return self._by_claim.get((revision.address, revision.document_id), self._unclaimed)

    def _take(self, slot: Slot) -> int:
        """Move what is on the shelf into a slot; give what found no room there."""
        shelf = self._unclaimed.copies
        was_missing = slot.is_missing
        kept = [slot.copies.add(revision) for revision in shelf.take()]
        slot.copies.is_crowded |= shelf.is_crowded
        shelf.is_crowded = False
        slot.block.missing += slot.is_missing - was_missing
        return kept.count(False)


def _claim(slot: Slot) -> tuple[BlockAddress, str | None]:
    return slot.block.address, slot.leaf.document_id

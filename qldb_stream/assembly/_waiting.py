"""Blocks that wait for their revisions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import attrs

from qldb_stream.assembly._copies import same_summary
from qldb_stream.assembly._different import MAX_COPIES, DifferentCopies
from qldb_stream.assembly._given import summary_mark
from qldb_stream.events import BlockAddress, BlockSummary, Revision, RevisionSummary

__all__ = ["Slot", "SlotIndex", "WaitingBlock"]


@attrs.define(eq=False)
class Slot:
    """A leaf of a waiting block, and the different copies that came for it."""

    leaf: RevisionSummary
    block: WaitingBlock
    copies: DifferentCopies

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


class SlotIndex:
    """Finds the slot that a revision fills, by its hash; equally fast whatever is here."""

    def __init__(self) -> None:
        self._single: dict[bytes, Slot] = {}
        self._twins: dict[bytes, _Twins] = {}

    def add(self, slot: Slot) -> None:
        """Take in a slot."""
        digest = slot.leaf.hash
        twins = self._twins.get(digest)
        if twins is None:
            first = self._single.setdefault(digest, slot)
            if first is slot:
                return
            del self._single[digest]
            twins = self._twins[digest] = _Twins()
            twins.add(first)
        twins.add(slot)

    def remove(self, slots: Iterable[Slot]) -> None:
        """Forget some slots that are here."""
        for slot in slots:
            digest = slot.leaf.hash
            if self._single.pop(digest, None) is None:
                twins = self._twins[digest]
                twins.remove(slot)
                if not twins.slots:
                    del self._twins[digest]

    def best(self, revision: Revision) -> Slot | None:
        """Choose the slot for a revision; None when there is none of its hash."""
        slot = self._single.get(revision.hash)
        if slot is not None:
            return slot
        twins = self._twins.get(revision.hash)
        return None if twins is None else twins.best(revision)


class _Twins:
    """Several slots of one hash; a sound journal never has two."""

    def __init__(self) -> None:
        self.slots: OrderedDict[Slot, None] = OrderedDict()
        self._missing: OrderedDict[Slot, None] = OrderedDict()
        self._by_claim: dict[tuple[BlockAddress, str | None], Slot] = {}

    def add(self, slot: Slot) -> None:
        self.slots[slot] = None
        self._missing[slot] = None
        self._by_claim.setdefault(_claim(slot), slot)

    def remove(self, slot: Slot) -> None:
        """Forget a slot; those of one claim are of one block and go together."""
        del self.slots[slot]
        self._missing.pop(slot, None)
        self._by_claim.pop(_claim(slot), None)

    def best(self, revision: Revision) -> Slot:
        """Choose what fits the revision's claim, else the first that is missing, or is."""
        fitting = self._by_claim.get((revision.address, revision.document_id))
        if fitting is not None:
            return fitting
        while self._missing:
            slot = next(iter(self._missing))
            if slot.is_missing:
                return slot
            del self._missing[slot]  # what is filled stays so as long as it is here
        return next(iter(self.slots))


def _claim(slot: Slot) -> tuple[BlockAddress, str | None]:
    return slot.block.address, slot.leaf.document_id

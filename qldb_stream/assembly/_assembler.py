"""
The assembler: summaries open blocks, revisions fill them.

Strategy: a waiting block has one slot for each leaf of its summary, and hashes lead to
slots. A revision joins by its hash; where several blocks list it, by the block that it
claims. One that no summary lists stays loose until a summary does; only when nothing more
can come for a block (`finish`, `close`) it joins by block address and document id, so that
a damaged hash becomes a failed check of a named document and not a missing record.
Copies that are equal fall out at once;
different ones stay in their slot, summaries in their block, until the block is given out
and are judged then, so that the outcome does not depend on their order (law 1). More than
MAX_COPIES different ones are a conflict whatever they are; those beyond it are dropped.

What is given out is remembered by a few numbers, so that its copies fall out as well:
the last `limit` revisions' worth of blocks, and none that `finish` has passed.

Every event costs about the same, whatever waits: look-ups by hash and address, no scans.
This module must not know carriers, the order of blocks, or verification.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Container
from typing import Final

from qldb_stream.assembly._copies import (
    better_summary,
    choose_revision,
    conflict,
    judge_rival,
    judge_stray,
    judge_summaries,
    linked_summary,
)
from qldb_stream.assembly._different import MAX_COPIES
from qldb_stream.assembly._given import (
    GivenBlocks,
    judge_late_revision,
    judge_late_summary,
    redacts,
)
from qldb_stream.assembly._loose import LooseRevisions
from qldb_stream.assembly._waiting import Shelf, Slot, SlotIndex, WaitingBlock
from qldb_stream.errors import BacklogError, IncompleteBlockError, IntegrityError, UsageError
from qldb_stream.events import (
    NEED_MORE,
    Block,
    BlockAddress,
    BlockSummary,
    ControlRecord,
    Event,
    Need,
    Revision,
    RevisionDetails,
)
from qldb_stream.report import Problem, ProblemCode

__all__ = ["BlockAssembler"]

_SUMMARY: Final = "the block's summary"
_CROWD: Final = f"many ways, more than {MAX_COPIES} times"
_MANY_OPEN: Final = 1000  # below it, dead entries of the heap are not worth sweeping


class BlockAssembler:
    """
    Feed it events in any order, ask it for whole blocks.

    Until a block is given out, copies of its parts compete and the genuine one wins. So
    whoever has sorted input calls `finish` before asking, or makes the assembler with
    `hold`.

    Args:
        limit: how many events may wait, and how much of what was given out is remembered.
        hold: whether blocks are given out only when `finish` or `close` says that nothing
            more comes for them, and not as soon as they are whole.
    """

    def __init__(self, *, limit: int = 100_000, hold: bool = False) -> None:
        self._limit = limit
        self._hold = hold
        self._blocks: dict[BlockAddress, WaitingBlock] = {}
        self._slots = SlotIndex()
        self._loose = LooseRevisions()
        self._ready: OrderedDict[BlockAddress, None] = OrderedDict()  # the first goes first
        self._given = GivenBlocks(limit)
        self._open: list[tuple[str, int]] = []  # a heap of addresses for `finish` to look at
        self._waiting = 0
        self._problems: list[Problem] = []
        self._redacted: list[BlockAddress] = []
        self._finished = ("", -1)  # the last address that `finish` has passed
        self._last: tuple[BlockAddress, bytes] | None = None  # given out last, and its hash
        self._is_closed = False

    def feed(self, event: Event) -> None:
        """
        Store an event; copies fall out. A ControlRecord belongs to no block and passes.

        Raises:
            BacklogError: too many events wait; this one was not stored.
            UsageError: it is no event, or `close` was called.
        """
        if self._is_closed:
            raise UsageError("an event was fed after close")
        if isinstance(event, RevisionDetails):
            self._feed_revision(event.revision)
        elif isinstance(event, BlockSummary):
            self._feed_summary(event)
        elif not isinstance(event, ControlRecord):
            raise UsageError(_no_event(event))

    def next_block(self) -> Block | Need:
        """Give a block that is whole, in the order in which they became so, or NEED_MORE."""
        if not self._ready:
            return NEED_MORE
        address, _ = self._ready.popitem(last=False)
        return self._give_out(self._blocks.pop(address))

    @property
    def is_idle(self) -> bool:
        """Say whether nothing waits, neither for parts nor for being asked for."""
        return not (self._open or self._ready)

    def finish(self, address: BlockAddress, passed: bytes | None = None) -> None:
        """
        Take note that nothing more comes for blocks up to an address.

        Whole blocks are ready then; of the others nothing is kept but a problem.

        Args:
            address: the last one.
            passed: the hash of the block there, where that went another way. Of copies of the
                block after it that one is taken which names this hash.
        """
        last = (address.strand_id, address.sequence_no)
        while self._open and self._open[0] <= last:
            place = heapq.heappop(self._open)
            found = BlockAddress(*place)
            if place < self._finished and found not in self._blocks:
                self._leave_out(found, address)
            elif (error := self._settle(found)) is not None:
                self._problems.append(_incomplete(error))
        self._given.forget(address)
        self._finished = max(self._finished, last)
        if passed is not None:
            self._last = (address, passed)

    def close(self) -> tuple[IntegrityError, ...]:
        """
        Take note that nothing more comes; then ask for the blocks that remain.

        Returns:
            By address, what is left over: blocks that lack a summary or revisions, and
            revisions that fit no block. They are not among the problems.
        """
        self._is_closed = True
        errors = [self._settle(BlockAddress(*place)) for place in sorted(set(self._open))]
        self._open.clear()
        return tuple([error for error in errors if error is not None])

    def take_problems(self) -> tuple[Problem, ...]:
        """
        Hand over the problems found since the last call.

        CONFLICT and INCOMPLETE mean that a block cannot be trusted or is lost.
        REVISION_HASH, BLOCK_HASH and MISMATCH report a copy that was left out for a better
        one, which is in the block.
        """
        problems = tuple(self._problems)
        self._problems.clear()
        return problems

    def take_redacted(self) -> tuple[BlockAddress, ...]:
        """
        Hand over the blocks of which a redacted copy came since the last call, too late.

        They were given out with the data of the revision; a block comes once for each copy.
        """
        redacted = tuple(self._redacted)
        self._redacted.clear()
        return redacted

    # --- revisions ---

    def _feed_revision(self, revision: Revision) -> None:
        slot = self._slots.best(revision)
        if slot is not None:
            self._fill(slot, revision)
            return
        given = self._given.with_hash(revision.hash)
        if given is not None:
            problem = judge_late_revision(revision, given)
            self._note_problem(problem)
            if problem is None and redacts(revision, given):
                self._redacted.append(given.address)
        elif not self._loose.has(revision):
            self._check_limit()
            self._waiting += 1
            self._add_loose(revision)

    def _fill(self, shelf: Shelf, revision: Revision) -> None:
        """Add a copy to its place; the first one in a slot may make the block whole."""
        copies = shelf.copies
        if copies.has(revision):
            return
        if copies.revisions and not copies.is_full:
            self._check_limit()
        was_missing = shelf.is_missing
        self._waiting += copies.add(revision)
        if was_missing and isinstance(shelf, Slot):
            shelf.block.missing -= 1
            self._note_whole(shelf.block)

    def _place(self, revision: Revision) -> None:
        """Find another place for an event that is counted."""
        shelf = self._slots.best(revision)
        if shelf is None:
            self._add_loose(revision)
        else:
            self._waiting -= 1
            self._fill(shelf, revision)

    def _add_loose(self, revision: Revision) -> None:
        """Keep an event that is counted; it is no more when there are too many like it."""
        if self._loose.add(revision):
            self._note_open(revision.address)
        else:
            self._waiting -= 1

    # --- summaries ---

    def _feed_summary(self, summary: BlockSummary) -> None:
        block = self._blocks.get(summary.address)
        if block is not None:
            self._add_copy(block, summary)
            return
        given = self._given.at(summary.address)
        if given is not None:
            self._note_problem(judge_late_summary(summary, given))
            return
        self._check_limit()
        self._note_open(summary.address)
        self._open_block(WaitingBlock(summary))

    def _open_block(self, block: WaitingBlock) -> None:
        """Make a slot for each leaf, and fill it with what is there already."""
        self._blocks[block.address] = block
        for leaf in block.summary.revision_summaries:
            slot = Slot(self._loose.take(leaf.hash), leaf, block)
            block.slots.append(slot)
            block.missing += slot.is_missing
            sharing = self._slots.add(slot)
            if sharing is not None:
                self._note_whole(sharing.block)
        self._waiting += 1
        self._note_whole(block)

    def _add_copy(self, block: WaitingBlock, summary: BlockSummary) -> None:
        """Keep another summary of a waiting block; the best one so far makes its slots."""
        if block.knows(summary):
            return
        if block.is_full:
            block.is_crowded = True
            return
        if better_summary(block.summary, summary) is block.summary:
            block.leave_out(summary)
            return
        self._replace(block, block.replaced_by(summary))

    def _replace(self, block: WaitingBlock, better: WaitingBlock) -> None:
        """Make the slots of another summary, and fill them with what is here."""
        self._close_block(block)
        for slot in block.slots:
            if slot.copies.is_crowded:
                self._problems.append(conflict(block.address, _CROWD, slot.copies.revisions[0]))
            for revision in slot.copies.revisions:
                self._place(revision)
        self._open_block(better)

    def _prefer_linked(self, block: WaitingBlock) -> WaitingBlock:
        """Take that copy of a block which names the hash of the block before, if any does."""
        if not block.others or self._last is None:
            return block
        before, digest = self._last
        at = block.address
        if (before.strand_id, before.sequence_no + 1) != (at.strand_id, at.sequence_no):
            return block
        summary = linked_summary(block.summary, block.others, digest)
        if summary is block.summary:
            return block
        self._replace(block, block.taking(summary))
        return self._blocks[at]

    def _judge_summaries(self, block: WaitingBlock) -> None:
        """Report what is wrong with the summaries that were left out, once and for all."""
        self._problems += judge_summaries(block.summary, block.others)
        if block.is_crowded:
            self._problems.append(conflict(block.address, _CROWD))

    def _close_block(self, block: WaitingBlock) -> None:
        """Forget where a block's slots are; its events are the caller's now."""
        self._blocks.pop(block.address, None)
        self._ready.pop(block.address, None)
        self._waiting -= 1 + self._slots.remove(block.slots)

    def _note_whole(self, block: WaitingBlock) -> None:
        """Let a block be asked for as long as nothing is missing."""
        if block.missing:
            self._ready.pop(block.address, None)
        elif not self._hold:
            self._ready[block.address] = None

    # --- giving out ---

    def _give_out(self, block: WaitingBlock) -> Block:
        """Make a block of the best copies in the slots."""
        self._close_block(block)
        self._judge_summaries(block)
        address = block.address
        revisions: list[Revision] = []
        for slot in block.slots:
            copies = slot.copies.revisions
            self._waiting -= len(copies)
            if copies:
                revision, problems = choose_revision(copies, address)
                self._problems += problems
                if slot.copies.is_crowded:
                    self._problems.append(conflict(address, _CROWD, revision))
            else:
                revision = Revision(address, slot.leaf.hash)
            revisions.append(revision)
        whole = Block(block.summary, tuple(revisions))
        self._given.add(whole)
        self._last = (address, block.summary.block_hash)
        return whole

    def _settle(self, address: BlockAddress) -> IncompleteBlockError | None:
        """Decide what becomes of a block for which nothing more comes."""
        block = self._blocks.get(address)
        if block is None:
            return self._settle_given(address)
        block = self._prefer_linked(block)
        self._waiting -= sum(self._slots.settle(slot) for slot in block.slots)
        if block.missing:
            self._fill_by_document(block)
        if not block.missing:
            self._ready[address] = None
            documents = [slot.leaf.document_id for slot in block.slots]
            self._judge_rivals(address, frozenset([found for found in documents if found]))
            return self._drop_loose(address, (), block.left_out)
        self._close_block(block)
        self._judge_summaries(block)
        self._waiting -= block.parts - 1
        lacking = tuple([f"document {s.leaf.document_id}" for s in block.slots if s.is_missing])
        return self._drop_loose(address, lacking) or IncompleteBlockError(
            address.strand_id, address.sequence_no, lacking
        )

    def _settle_given(self, address: BlockAddress) -> IncompleteBlockError | None:
        """Settle what claims a block that was given out, or that never came."""
        given = self._given.at(address)
        if given is None:
            return self._drop_loose(address, (_SUMMARY,))
        self._judge_rivals(address, given.documents)
        return self._drop_loose(address, ())

    def _leave_out(self, claimed: BlockAddress, address: BlockAddress) -> None:
        """Report what stood with a block and claims one whose turn is over."""
        for stray in self._loose.take_claims(claimed):
            self._waiting -= 1
            self._problems.append(judge_stray(stray, address))

    def _judge_rivals(self, address: BlockAddress, documents: frozenset[str]) -> None:
        """Report what claims a place that another revision has by its hash."""
        for rival in self._loose.take_claims(address, documents):
            self._waiting -= 1
            self._problems.append(judge_rival(rival, address))

    def _fill_by_document(self, block: WaitingBlock) -> None:
        """Join what claims a missing slot's block and document, whatever its hash."""
        missing: dict[str, Slot] = {}
        for slot in block.slots:
            if slot.is_missing:
                assert slot.leaf.document_id is not None
                missing.setdefault(slot.leaf.document_id, slot)
        for revision in self._loose.take_claims(block.address, frozenset(missing)):
            assert revision.document_id is not None
            slot = missing[revision.document_id]
            block.missing -= slot.is_missing
            self._waiting -= not slot.copies.add(revision)

    def _drop_loose(
        self, address: BlockAddress, missing: tuple[str, ...], told: Container[bytes] = ()
    ) -> IncompleteBlockError | None:
        """
        Give up what claims a block and fits nothing; None when there is no such thing.

        What a copy of the block lists that was left out, is told with that copy.
        """
        found = self._loose.take_claims(address)
        self._waiting -= len(found)
        loose = [revision for revision in found if revision.hash not in told]
        if not loose:
            return None
        unclaimed = tuple([f"document {one.document_id}" for one in loose])
        return IncompleteBlockError(address.strand_id, address.sequence_no, missing, unclaimed)

    def _note_problem(self, problem: Problem | None) -> None:
        if problem is not None:
            self._problems.append(problem)

    def _note_open(self, address: BlockAddress) -> None:
        """Let `finish` look at an address; sweep the heap when most of it is done with."""
        heapq.heappush(self._open, (address.strand_id, address.sequence_no))
        if len(self._open) > _MANY_OPEN + 2 * self._waiting:
            addresses = {*self._blocks, *self._loose.claims, address}
            self._open = sorted([(found.strand_id, found.sequence_no) for found in addresses])

    def _check_limit(self) -> None:
        if self._waiting >= self._limit:
            raise BacklogError(self._limit, "events", self._oldest_need())

    def _oldest_need(self) -> str:
        """Name what the event that waits longest waits for."""
        for address, block in self._blocks.items():
            for slot in block.slots:
                if slot.is_missing:
                    of_block = f"block {address.strand_id}/{address.sequence_no}"
                    return f"document {slot.leaf.document_id} of {of_block}"
        claimed = self._loose.oldest()
        if claimed is None:
            return "their blocks to be asked for"
        return f"the summary of block {claimed.strand_id}/{claimed.sequence_no}"


def _no_event(found: object) -> str:
    """Say what was fed in an event's place, and where it belongs; never what it holds."""
    if isinstance(found, Block):
        return "expected an event, found a whole Block: it needs no assembly, feed it on"
    hint = "; parse records first (parse_record)" if isinstance(found, bytes) else ""
    return f"expected an event, found {type(found).__name__}{hint}"


def _incomplete(error: IncompleteBlockError) -> Problem:
    """Make a problem of what is missing; it names a document when there is only one."""
    named = [name.removeprefix("document ") for name in (*error.missing, *error.unclaimed)]
    documents = [name for name in named if name != _SUMMARY]
    return Problem(
        ProblemCode.INCOMPLETE,
        str(error),
        error.strand_id,
        error.sequence_no,
        documents[0] if len(documents) == 1 else None,
    )

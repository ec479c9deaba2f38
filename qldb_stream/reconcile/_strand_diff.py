"""
One strand of a source beside what a sink holds of it, range by range.

A range is some whole blocks that follow each other. What cannot be compared (holes of the
source, blocks that do not verify) parts ranges; of such numbers the sink's own history says
what is newest, so that its current state can be judged all the same. A parked block, or
one in a declared gap, belongs to its range and should have left nothing.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, FilterError, ReplayRefusedError, UsageError
from qldb_stream.events import Block, RedactedRevision
from qldb_stream.partiql.ast import DropTable
from qldb_stream.reconcile._content import (
    HIDDEN,
    ContentDifference,
    ContentFindings,
    DiffCode,
    NotCompared,
    StrandDiff,
)
from qldb_stream.reconcile._content_current import CurrentState
from qldb_stream.reconcile._diff_rules import Rules, Verified
from qldb_stream.reconcile._match import match_revisions
from qldb_stream.reconcile._newest import NewestRevisions
from qldb_stream.reconcile._runs import Runs, is_in
from qldb_stream.reconcile._tables import Tables
from qldb_stream.replay import iter_ddl
from qldb_stream.report import Position, StoredRevision, iter_outside
from qldb_stream.statements import readable_redactions

_RANGE_BYTES: Final = 8 << 20
"""How many bytes of documents a range has at most, one block apart."""

_FURTHEST: Final = 2**63 - 1  # what databases keep as a block's number

_MOST_NOT_COMPARED: Final = 1_000
"""How many ranges are named that were not compared; the last one then takes the rest in."""


@attrs.define
class _Range:
    """Blocks to be compared together; `first` is where the one before ended."""

    first: int
    blocks: list[Block] = attrs.field(factory=list)
    last: Block | None = None
    count: int = 0
    size: int = 0


class StrandWalk:
    """
    Compares a strand; fed with all of its blocks in order, then finished.

    Args:
        position: what the sink had of it when the comparison began.
        verified: what agreed before.
    """

    def __init__(
        self,
        strand_id: str,
        rules: Rules,
        notes: NewestRevisions,
        findings: ContentFindings,
        position: Position | None,
        verified: Verified,
    ) -> None:
        self._rules = rules
        self._notes = notes
        self._findings = findings
        self._position = position
        self._through = verified.through
        self._agreed = verified.newest
        self._tables = Tables()
        self._range: _Range | None = None
        self._low: int | None = None
        self._next = 0
        self._bad: int | None = None
        self._comparable = Runs()
        self._plan = Runs()
        self._gaps = Runs()
        self._not_compared: list[NotCompared] = []
        self._parked: list[int] = []
        self._diff = StrandDiff(strand_id, position, None)
        before = frozenset() if self._agreed is None else self._agreed.parked
        now = frozenset() if position is None else position.parked
        self._again = before - now

    # --- the history -----------------------------------------------------------------------

    def feed(self, block: Block, *, is_verified: bool) -> None:
        """Take the next block of the source."""
        number, position = block.address.sequence_no, self._position
        if position is None or number > position.sequence_no:
            self._diff = attrs.evolve(self._diff, behind=self._diff.behind + 1)
            return
        if position.start is not None and number < position.start:
            self._leave_out(number, number, "the sink began later")
            return
        self._begin(number)
        filtered = self._filtered(block) if is_verified else "it does not verify"
        if isinstance(filtered, str):
            self._pass_by(number, number, filtered)
        elif self._has_agreed(number):
            self._remember(block, filtered)
        else:
            self._compare_position(block)
            self._add(block, filtered)

    def finish(self) -> StrandDiff:
        """Compare what is left: the last range, and the current state."""
        self._flush()
        position, strand_id = self._position, self._diff.strand_id
        if position is not None and self._low is not None:
            ends_before = self._next <= position.sequence_no
            if ends_before:
                self._hole(self._next, position.sequence_no, "the source ends before it")
                self._flush()
            else:
                for unasked in self._notes.unasked(strand_id):
                    self._report(unasked)
            self._compare_tail(position)
            self._compare_current(position)
        if self._diff.behind:
            first = 0 if position is None else position.sequence_no + 1
            self._findings.add(ContentDifference(DiffCode.BEHIND, strand_id, first))
        verified = self._verified()
        if self._low is not None:
            self._rules.progress(strand_id, verified)
        return attrs.evolve(
            self._diff,
            verified_through=verified.through,
            parked=tuple(self._parked),
            gaps=self._gaps.pairs(),
            not_compared=tuple(self._not_compared),
            plan=() if self._diff.hidden else self._plan.pairs(),
        )

    def _begin(self, number: int) -> None:
        """Take up a number; what is between it and the last one is a hole."""
        if self._low is None:
            agreed = self._through or self._agreed
            is_late = agreed is not None and number > agreed.sequence_no + 1
            self._low = self._next = agreed.sequence_no + 1 if agreed and is_late else number
        if number > self._next:
            self._hole(self._next, number - 1, "the source has it not")
        self._next = number + 1

    def _hole(self, first: int, last: int, why: str) -> None:
        """Pass over numbers that the source has not; declared gaps stay in their range."""
        assert self._position is not None
        for start, end in iter_outside(
            first, last, [(g.first, g.last) for g in self._position.gaps]
        ):
            self._pass_by(start, end, why)

    def _pass_by(self, first: int, last: int, why: str) -> None:
        """Leave a range uncompared; the sink itself says what is newest in it."""
        if self._range is not None and self._range.last is not None:
            self._flush(first - 1)
        fresh = first if self._agreed is None else max(first, self._agreed.sequence_no + 1)
        if fresh <= last:  # what agreed before still does
            self._leave_out(fresh, last, why)
            self._bad = fresh if self._bad is None else min(fresh, self._bad)
        for stored in self._rules.sink.history(self._diff.strand_id, first, last):
            self._notes.keep(stored, None)
        self._range = _Range(last + 1)

    def _leave_out(self, first: int, last: int, why: str) -> None:
        found = self._not_compared
        before = found[-1] if found else None
        is_next = before is not None and before.why == why and before.last == first - 1
        if before is not None and (is_next or len(found) >= _MOST_NOT_COMPARED):
            found[-1] = attrs.evolve(before, last=last)
        else:
            found.append(NotCompared(first, last, why))

    def _filtered(self, block: Block) -> Block | str:
        """Give the block as it was delivered, or why that cannot be said."""
        try:
            return block if self._rules.filter is None else self._rules.filter(block)
        except FilterError:
            return "the filter cannot read it"

    def _has_agreed(self, number: int) -> bool:
        agreed = self._agreed
        return agreed is not None and number <= agreed.sequence_no and number not in self._again

    def _has(self, number: int) -> bool:
        """Say whether the sink was given a block."""
        assert self._position is not None
        return number not in self._position.parked and not is_in(number, self._position.gaps)

    def _remember(self, block: Block, filtered: Block) -> None:
        """Pass over a block that agreed before, but for what is newest."""
        number = block.address.sequence_no
        self._flush(number - 1)
        self._diff = attrs.evolve(self._diff, passed_over=self._diff.passed_over + 1)
        self._comparable.add(number, number)
        if self._has(number):
            self._keep(filtered, list(self._rules.sink.expect([filtered])))
            for redacted in readable_redactions(block.summary):
                address = redacted.block_address
                key = (redacted.document_id, redacted.version)
                self._notes.redact(address.strand_id, address.sequence_no, *key)
        assert self._agreed is not None
        is_last = number == self._agreed.sequence_no
        if is_last and block.block_hash != self._agreed.block_hash:
            raise UsageError(
                f"strand {block.address.strand_id}: block {number} is another one than when it "
                "was compared; compare anew from the start"
            )
        if is_last or number % self._rules.range_blocks == 0:
            self._notes.reached(self._diff.strand_id, number, block.block_hash)
        self._range = _Range(number + 1)

    def _compare_position(self, block: Block) -> None:
        position, number = self._position, block.address.sequence_no
        assert position is not None
        if number == position.sequence_no and block.block_hash != position.block_hash:
            found = ContentDifference(DiffCode.OTHER_BLOCK, block.address.strand_id, number)
            self._report(found, is_repairable=False)

    def _add(self, block: Block, filtered: Block) -> None:
        number = block.address.sequence_no
        if self._range is None:
            self._range = _Range(number)
        assert self._position is not None
        if number in self._position.parked:
            self._parked.append(number)
        elif not self._has(number):
            self._gaps.add(number, number)
        else:
            self._comparable.add(number, number)
            self._range.blocks.append(filtered)
            self._range.size += sum(
                data.end - data.start
                for revision in filtered.revisions
                if (data := revision.data_ion) is not None
            )
        self._range.last = block
        self._range.count += 1
        if self._range.count >= self._rules.range_blocks or self._range.size >= _RANGE_BYTES:
            self._flush()

    def _flush(self, last: int | None = None) -> None:
        """Compare the range that was collected, up to a number: its last block's, or later."""
        collected, self._range = self._range, None
        if collected is None:
            return
        ends_with = collected.last
        if ends_with is None and (last is None or last < collected.first):
            self._range = collected
            return
        if last is None:
            assert ends_with is not None
            last = ends_with.address.sequence_no
        sink, strand_id = self._rules.sink, self._diff.strand_id
        expected = list(sink.expect(collected.blocks))
        agrees = self._compare(expected, list(sink.history(strand_id, collected.first, last)))
        by_block: dict[int, list[StoredRevision]] = {}
        for stored in expected:
            by_block.setdefault(stored.sequence_no, []).append(stored)
        for block in collected.blocks:
            self._keep(block, by_block.get(block.address.sequence_no, []))
        summaries = [block.summary for block in collected.blocks]
        for redacted in chain.from_iterable(map(readable_redactions, summaries)):
            agrees = self._compare_redacted(redacted) and agrees
        self._diff = attrs.evolve(
            self._diff,
            blocks=self._diff.blocks + len(collected.blocks),
            revisions=self._diff.revisions + len(expected),
        )
        self._range = _Range(last + 1)
        if agrees and ends_with is not None:
            self._agree(ends_with)

    def _compare(self, expected: list[StoredRevision], found: list[StoredRevision]) -> bool:
        agrees = True
        for difference in match_revisions(expected, found):
            if difference.code is DiffCode.ERASED:
                self._settle_erased(difference)
                continue
            self._report(difference)
            agrees = False
        return agrees

    def _settle_erased(self, difference: ContentDifference) -> None:
        """Wait for the block that asks for a redaction, which may have come already."""
        document = (difference.document_id, difference.version)
        if document not in self._notes.redacted(difference.strand_id, difference.sequence_no):
            self._notes.erased(difference)

    def _keep(self, block: Block, expected: list[StoredRevision]) -> None:
        """Note what a block says of documents and tables."""
        tables = {r.document_id: r.table.table_id for r in block.revisions if r.table is not None}
        for stored in expected:
            table_id = tables.get(stored.document_id)
            self._notes.keep(stored, table_id)
            self._tables.see(stored.table, table_id)
        info = block.summary.transaction_info
        with suppress(DecodeError, ReplayRefusedError):  # what is no DDL of QLDB's drops nothing
            texts = () if info is None else tuple(s.statement for s in info.statements)
            for _, change in iter_ddl(block.address, texts):
                name = block.delivered_name(change.name) if isinstance(change, DropTable) else None
                self._tables.change(change if name is None else DropTable(name))

    def _compare_redacted(self, redacted: RedactedRevision) -> bool:
        """Look whether what a block redacts is gone from the history."""
        address, document_id = redacted.block_address, redacted.document_id
        strand_id, number = address.strand_id, address.sequence_no
        self._notes.redact(strand_id, number, document_id, redacted.version)
        is_gone = True
        for stored in self._rules.sink.history(strand_id, number, number):
            key = (stored.document_id, stored.version)
            if key == (document_id, redacted.version) and stored.data is not None:
                self._report(ContentDifference.of(DiffCode.NOT_ERASED, stored))
                is_gone = False
        return is_gone

    def _agree(self, block: Block) -> None:
        """Note that a range agrees; tell how far that goes, when nothing before it is open."""
        strand_id, number = self._diff.strand_id, block.address.sequence_no
        self._notes.reached(strand_id, number, block.block_hash)
        is_further = self._agreed is None or number > self._agreed.sequence_no
        if is_further and self._bad is None and not self._notes.has_unasked(strand_id):
            reached = self._at(number, block.block_hash)
            self._rules.progress(strand_id, Verified(self._through, reached))

    def _compare_tail(self, position: Position) -> None:
        """Report what the history holds beyond the position, where the sink did not go on."""
        strand_id = self._diff.strand_id
        first = position.sequence_no + 1
        found = self._rules.sink.history(strand_id, first, _FURTHEST)
        kept = ContentFindings(self._findings.limit)
        for stored in found:
            kept.add(ContentDifference.of(DiffCode.EXTRA, stored))
        if self._rules.position_of(strand_id) == position:
            self._findings.take(kept)
            self._diff = attrs.evolve(
                self._diff, not_repairable=self._diff.not_repairable + kept.count
            )

    # --- the current state -----------------------------------------------------------------

    def _compare_current(self, position: Position) -> None:
        """Compare the current state, unless it is changing."""
        strand_id = self._diff.strand_id
        if self._rules.position_of(strand_id) != position:
            return
        kept = ContentFindings(self._findings.limit)
        repairs, bad, failed, hidden = Runs(), self._bad, 0, 0
        current = CurrentState(self._rules.sink, self._notes, self._tables, strand_id)
        for difference, number in current.differences(self._low or 0):
            kept.add(difference)
            bad = number if bad is None else min(bad, number)
            if difference.code in HIDDEN:
                hidden += 1
            elif number in self._comparable:
                repairs.add(number, number)
            else:
                failed += 1
        if self._rules.position_of(strand_id) != position:
            return
        self._findings.take(kept)
        self._bad = bad
        for first, last in repairs.pairs():
            self._plan.add(first, last)
        self._diff = attrs.evolve(
            self._diff,
            documents=current.documents,
            current_compared=True,
            not_repairable=self._diff.not_repairable + failed,
            hidden=self._diff.hidden + hidden,
        )

    # --- what comes of it ------------------------------------------------------------------

    def _report(self, difference: ContentDifference, *, is_repairable: bool = True) -> None:
        """Keep a difference, and plan its repair."""
        if difference.code is DiffCode.NOT_ERASED and self._notes.is_told(difference):
            return  # by the sink's own word, or by the block that redacts: both come here
        self._findings.add(difference)
        numbers = {difference.sequence_no}
        if difference.found_no is not None:
            numbers.add(difference.found_no)
        lowest = min(numbers)
        self._bad = lowest if self._bad is None else min(self._bad, lowest)
        if difference.code in HIDDEN:
            self._diff = attrs.evolve(self._diff, hidden=self._diff.hidden + 1)
        elif is_repairable and all(number in self._comparable for number in numbers):
            for number in numbers:
                self._plan.add(number, number)
        else:
            self._diff = attrs.evolve(self._diff, not_repairable=self._diff.not_repairable + 1)

    def _verified(self) -> Verified:
        """Say how far all agrees; the history alone, where the current state was not compared."""
        before = _FURTHEST if self._bad is None else self._bad
        found = self._notes.reached_before(self._diff.strand_id, before)
        through = self._through
        if through is not None and through.sequence_no >= before:
            through = None
        if found is None or (through is not None and found[0] <= through.sequence_no):
            return Verified(through)
        reached = self._at(*found)
        return Verified(reached) if self._diff.current_compared else Verified(through, reached)

    def _at(self, number: int, block_hash: bytes) -> Position:
        """Make the position of a block: what was parked up to there is not verified."""
        position = self._position
        assert position is not None
        unread = frozenset(n for n in self._again if n not in self._comparable)
        parked = frozenset(n for n in position.parked | unread if n <= number)
        gaps = tuple([gap for gap in position.gaps if gap.first <= number])
        before = None if self._through is None else self._through.start
        starts = [start for start in (self._low, before) if start is not None]
        return Position(
            self._diff.strand_id, number, block_hash, parked, gaps, min(starts, default=None)
        )

"""
The one place where assembly, order, verification and delivery meet; it does no I/O.

It is fed items and asked for blocks, and never stops: what is wrong becomes a problem in
the report, and the blocks after it are verified all the same. Each block comes out
with a verdict: whether a sink may have it, has it, or must not get it because something
before it is missing or wrong. Verification ignores the verdicts and delivery obeys them,
so that both say the same of one journal.

How long a block waits depends on the order in which items come, see `Order`.

A hole is one problem GAP for each run of missing numbers. A number that has a problem of
its own, because its block lacks a part or has two versions, is no hole; nor is a
declared gap, nor one that was declared when the sink crossed it.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import attrs

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import (
    BacklogError,
    ConflictError,
    IncompleteBlockError,
    IntegrityError,
    SequenceGapError,
    UsageError,
)
from qldb_stream.events import (
    NEED_MORE,
    Block,
    BlockAddress,
    Need,
    RevisionKind,
    Undecodable,
)
from qldb_stream.ordering import EARLIEST, Sequencer
from qldb_stream.pipeline._checks import NO_CHECKS, Checks, unconfirmed
from qldb_stream.pipeline._gate import StrandGate, Verdict
from qldb_stream.pipeline._sound import SettledBlock, SoundBlock, SoundRun
from qldb_stream.pipeline._strands import StrandState
from qldb_stream.pipeline._tally import Tally
from qldb_stream.report import (
    BlockVerification,
    Gap,
    Position,
    Problem,
    ProblemCode,
    VerifyReport,
)
from qldb_stream.typing import Item
from qldb_stream.verification import Redactions, verify_block

__all__ = ["LIMIT", "NO_GAPS", "CheckedBlock", "Order", "PipelineCore", "Verdict", "is_redacted"]

LIMIT: Final = 100_000
"""How many items may wait for the rest of their blocks, unless the caller says otherwise."""

NO_GAPS: Final[Mapping[str, Sequence[Gap]]] = MappingProxyType({})

# With these a block is lost, or one of two; with any other it is the better of two copies.
_STOPPING: Final = frozenset((ProblemCode.CONFLICT, ProblemCode.INCOMPLETE))


class Order(enum.Enum):
    """
    How items come, and so how long a block has to wait.

    SORTED: block by block; a block waits until `finish` says that nothing more comes for
    it, so that two versions of it are seen before either is used. Holes and missing parts
    cost no memory.

    UNSORTED: in any order, to an end; all wait until `close`, because only then it is known
    which block is the first.

    LIVE: in any order, without an end in sight; a block comes out when it is whole and its
    turn has come, counted from the start or the sink's position. What stands behind a hole
    waits; at the end it is neither delivered nor verified.
    """

    SORTED = "sorted"
    UNSORTED = "unsorted"
    LIVE = "live"


@attrs.frozen
class CheckedBlock:
    """
    A whole block in its place, what verification says, and what may become of it.

    `position` is what a sink's position becomes when it applies the block; None unless
    the verdict is DELIVER.
    """

    block: Block
    verification: BlockVerification
    verdict: Verdict
    position: Position | None


class PipelineCore:
    """
    Joins the stages from events to checked blocks.

    Args:
        order: how items come.
        start: the number that each strand must begin with; for all, or by strand. Lower
            ones are left out. None begins with the lowest that comes; not so when LIVE,
            where what the sink has must say it then.
        gaps: declared gaps by strand.
        limit: how many items may wait for the rest of their blocks.
        checks: what verification does beyond recomputing hashes.

    Attributes:
        before_start: how many whole blocks were left out, as they are before the start.
        redacted: blocks of which a redacted copy came when the sink had them already, or
            was about to get them with their data.
        locate: gives a problem of assembly with the places of the copies that it is about.
    """

    def __init__(
        self,
        order: Order,
        *,
        start: int | Mapping[str, int] | None = None,
        gaps: Mapping[str, Sequence[Gap]] = NO_GAPS,
        limit: int = LIMIT,
        checks: Checks = NO_CHECKS,
    ) -> None:
        self._order = order
        self._assembler = BlockAssembler(limit=limit, hold=order is not Order.LIVE)
        # Filled strand by strand; the sequencer looks when it meets a strand.
        self._live_starts: dict[str, int] = {}
        if order is Order.LIVE:
            self._sequencer = Sequencer(self._live_starts, gaps=gaps)
        else:
            self._sequencer = Sequencer(EARLIEST, sorted_input=True)
        # Live blocks that the sink has, and redacted copies of those that came out: out of turn,
        # since the sequencer waits for later ones.
        self._had: deque[Block] = deque()
        # Blocks that came whole and wait, as those in parts do in the assembler.
        self._whole: list[Block] = []
        self._limit = limit
        self._checks = checks
        self._verifier = checks.make_verifier()
        self._redactions = Redactions()
        self._tally = Tally()
        self._start = start
        self._gaps = gaps
        self._strands: dict[str, StrandState] = {}
        self._sound: dict[BlockAddress, SoundBlock] = {}  # verified elsewhere, and on their way
        self._is_closed = False
        self.before_start = 0
        self.redacted: dict[BlockAddress, None] = {}  # in the order in which they came
        self.locate: Callable[[Problem], Problem] = lambda problem: problem

    def open_strand(self, strand_id: str, position: Position | None) -> None:
        """
        Tell what a sink has of a strand, before anything of that strand is fed.

        Raises:
            UsageError: the start is beyond the next block that the sink needs.
        """
        first = self._first(strand_id)
        if position is not None and first is not None and first > position.sequence_no + 1:
            raise UsageError(
                f"strand {strand_id}: the sink has block {position.sequence_no}, to start with "
                f"{first} would leave a hole; leave the start away, or declare the gap"
            )
        gate = StrandGate(strand_id, position, first, self._gaps.get(strand_id, ()))
        self._strands[strand_id] = StrandState(gate, gate.next_number)
        if gate.next_number is not None:
            self._live_starts[strand_id] = gate.next_number

    def knows(self, strand_id: str) -> bool:
        """Say whether a strand has been opened."""
        return strand_id in self._strands

    def feed(self, item: Item | Block) -> None:
        """
        Store an item, or a block that is whole already; ask for blocks after it.

        A whole block counts as one record, and meets its copies where blocks are put in
        order: there, what is in parts is a block as well.

        Raises:
            BacklogError: more is waiting than the limits allow, and for what.
            UsageError: it is neither an event nor a block, a live strand has no start, or
                `close` was called.
        """
        if isinstance(item, Undecodable):
            self._tally.add_undecodable(item)
            return
        if isinstance(item, Block):
            self._store_whole(item)
        else:
            self._assembler.feed(item)
        self._tally.records += 1
        if self._order is Order.LIVE:
            self._pass_on()

    def pass_sound(self, found: SoundBlock, events: int) -> None:
        """
        Take a block of sorted input that was verified elsewhere; ask for blocks after it.

        `found` is what is to be told of it; `events`, in which it came, count as records.
        """
        assert self._order is Order.SORTED, "others wait for copies of their blocks"
        self._assembler.finish(found.address, found.block_hash)
        self._tally.records += events
        self._sound[found.address] = found
        self._pass_on(found.stub())

    def pass_following(self, found: Sequence[SettledBlock]) -> int:
        """
        Take blocks like `pass_sound`, as long as each plainly follows the last one of its strand.

        Args:
            found: of sorted input, as many as there are at once; all blocks before them were
                asked for.

        Returns:
            How many were taken; they count, and never come out.
        """
        strand_id = found[0].answer.strand_id if found else ""
        strand = self._strands.get(strand_id)
        if strand is None or not self._may_follow(strand, strand_id):
            return 0
        taken = found[: self._verifier.follow([one.answer for one in found])]
        if taken:
            self._pass_by(strand, taken[0].answer, taken[-1].answer)
        self._tally.records += sum([one.events for one in taken])
        for answer in [one.answer for one in taken]:
            self._tally.add_sound(1, answer.revisions)
            self._note(answer)
        return len(taken)

    def pass_run(self, run: SoundRun) -> bool:
        """Take blocks like `pass_following` all at once, if they follow; say whether they do."""
        strand_id = run.first.strand_id
        strand = self._strands.get(strand_id)
        may_follow = strand is not None and self._may_follow(strand, strand_id)
        if strand is None or not may_follow or not self._verifier.follow_run(run):
            return False
        self._pass_by(strand, run.first, run.last)
        self._tally.records += run.events
        self._tally.add_sound(run.blocks, run.revisions)
        for block in run.told:
            self._note(block)
        return True

    def _pass_by(self, strand: StrandState, first: SoundBlock, last: SoundBlock) -> None:
        """Let nothing wait for blocks that were passed."""
        self._assembler.finish(last.address, last.block_hash)
        self._sequencer.pass_over(last.address)
        strand.gate.pass_over(first.sequence_no, last.stub())
        strand.next = last.sequence_no + 1

    def _note(self, block: SoundBlock) -> None:
        """Note what is to be told of a block that was passed."""
        if block.not_checkable:
            self._tally.note_not_checkable(block.address, block.not_checkable)
        if block.requests:
            self._redactions.ask(block.requests)

    def _may_follow(self, strand: StrandState, strand_id: str) -> bool:
        """Say whether nothing waits, and nothing is to be compared with sink, gaps or start."""
        is_free = strand.is_begun and strand.gate.had is None and not self._gaps.get(strand_id)
        return self._order is Order.SORTED and is_free and self._assembler.is_idle

    def finish(self, address: BlockAddress) -> None:
        """Take note that nothing more comes for blocks up to an address."""
        self._assembler.finish(address)
        self._pass_on()

    def close(self) -> None:
        """Take note that nothing more comes; then ask for the last blocks."""
        leftovers = self._assembler.close()
        self._pass_on()
        self._add_problems(map(_problem_of, leftovers))
        holes = self._sequencer.close()
        if self._order is Order.LIVE:
            for hole in holes:
                self._report_hole(hole.strand_id, hole.first, hole.last or hole.first)
        self._is_closed = True

    def next_block(self) -> CheckedBlock | Need:
        """Give the next checked block, or NEED_MORE."""
        if self._had:
            return self._pass_over(self._had.popleft())
        block = self._sequencer.next_block()
        while not isinstance(block, Need):
            first = self._first(block.address.strand_id)
            if first is None or block.address.sequence_no >= first:
                return self._check(block)
            self._leave_out(block)
            block = self._sequencer.next_block()
        if self._is_closed:
            self._report_tails()
        return NEED_MORE

    def report(self) -> VerifyReport:
        """Sum up everything so far."""
        report = self._tally.report(self._verifier.strands())
        digests = self._checks.compare(self._verifier) if self._is_closed else ()
        missed = [p for strand in self._strands.values() for p in strand.gate.missed()]
        return attrs.evolve(
            report,
            problems=(*report.problems, *missed, *unconfirmed(digests)),
            digests=digests,
            not_checkable={**report.not_checkable, **self._redactions.not_checkable()},
            redacted=self._redactions.count,
        )

    def _first(self, strand_id: str) -> int | None:
        return self._start.get(strand_id) if isinstance(self._start, Mapping) else self._start

    def _pass_on(self, *verified: Block) -> None:
        """Hand whole blocks to the sequencer; keep what the assembler has to say."""
        blocks = (*self._whole_blocks(), *verified)
        self._add_problems(map(self.locate, self._assembler.take_problems()))
        self.redacted.update(dict.fromkeys(self._assembler.take_redacted()))
        for block in blocks:
            if not self.knows(block.address.strand_id):
                self.open_strand(block.address.strand_id, None)
            if self._order is Order.LIVE and self._put_aside(block):
                continue
            try:
                self._sequencer.feed(block)
            except ConflictError as exc:
                self._add_problems((_problem_of(exc),))
            else:
                self._keep_copy(block)

    def _keep_copy(self, block: Block) -> None:
        """Keep a live block that came out before, where it is redacted by now."""
        strand = self._strands[block.address.strand_id]
        if self._order is Order.LIVE and strand.is_past(block) and is_redacted(block):
            self._had.append(block)

    def _store_whole(self, block: Block) -> None:
        if self._is_closed:
            raise UsageError("a block was fed after close")
        if len(self._whole) >= self._limit:
            raise BacklogError(self._limit, "blocks", "the end of the input")
        self._whole.append(block)

    def _put_aside(self, block: Block) -> bool:
        """Keep a live block from the sequencer when its turn was before this run; say whether."""
        strand_id, number = block.address.strand_id, block.address.sequence_no
        strand, first = self._strands[strand_id], self._first(strand_id)
        if strand.has(block):
            self._had.append(block)
            return True
        if strand.gate.had is None and first is not None and number < first:
            self._leave_out(block)
            return True
        return False

    def _leave_out(self, block: Block) -> None:
        """Count a block before the start."""
        strand, number = self._strands[block.address.strand_id], block.address.sequence_no
        self.before_start += 1
        strand.newest_left_out = max(number, strand.newest_left_out or 0)

    def _whole_blocks(self) -> Iterable[Block]:
        blocks = []
        block = self._assembler.next_block()
        while not isinstance(block, Need):
            blocks.append(block)
            block = self._assembler.next_block()
        blocks += self._whole
        self._whole.clear()
        return blocks if self._order is Order.LIVE else sorted(blocks, key=attrgetter("address"))

    def _check(self, block: Block) -> CheckedBlock:
        strand_id, number = block.address.strand_id, block.address.sequence_no
        strand = self._strands[strand_id]
        self._begin_chain(strand_id, strand, number)
        if strand.next is not None and (strand.next < number or strand.explained):
            self._report_hole(strand_id, strand.next, number - 1)
        strand.next = number + 1
        sound = self._sound.pop(block.address, None)
        if sound is None:
            verification = self._verifier.feed(block)
            self._add_verification(block, verification)
        else:
            verification = self._verifier.feed(block, sound.verification)
            self._tally.add_verification(verification, sound.revisions)
            self._redactions.ask(sound.requests)
        verdict = self._admit(strand.gate, block, verification)
        position = strand.gate.position if verdict is Verdict.DELIVER else None
        return CheckedBlock(block, verification, verdict, position)

    def _pass_over(self, block: Block) -> CheckedBlock:
        """Verify a live block that the sink has; its place in the chain is behind us."""
        verification = verify_block(block)
        if not self._strands[block.address.strand_id].has(block):
            return self._judge_copy(block, verification)
        self._add_verification(block, verification)
        gate = self._strands[block.address.strand_id].gate
        verdict = self._admit(gate, block, verification)
        return CheckedBlock(block, verification, verdict, None)

    def _judge_copy(self, block: Block, verification: BlockVerification) -> CheckedBlock:
        """Let a redacted copy by; it is no block more, and changes nothing in its strand."""
        for problem in verification.problems:
            self._tally.add_problem(problem)
        self.redacted[block.address] = None
        return CheckedBlock(block, verification, Verdict.COPY, None)

    def _add_verification(self, block: Block, verification: BlockVerification) -> None:
        self._tally.add_verification(verification, _count_revisions(block))
        self._redactions.feed(block, is_verified=verification.ok)

    def _admit(self, gate: StrandGate, block: Block, verification: BlockVerification) -> Verdict:
        """Judge a block; note what is wrong, and what the sink may have that is redacted."""
        verdict, problem = gate.admit(block, is_verified=verification.ok)
        if problem is not None:
            self._tally.add_problem(problem)
        if verdict is Verdict.SKIP and is_redacted(block):
            self.redacted[block.address] = None
        return verdict

    def _begin_chain(self, strand_id: str, strand: StrandState, number: int) -> None:
        """Link the first block to what the sink has, when it comes after that."""
        had = strand.gate.position
        if not strand.is_begun and had is not None and had.sequence_no < number:
            self._verifier.resume(strand_id, had)
        strand.is_begun = True

    def _report_hole(self, strand_id: str, first: int, last: int) -> None:
        """Name what is missing between two numbers, and has no problem of its own."""
        strand = self._strands[strand_id]
        for start, end in strand.iter_missing(first, last, self._gaps.get(strand_id, ())):
            message = str(SequenceGapError(strand_id, start, end))
            self._tally.add_problem(Problem(ProblemCode.GAP, message, strand_id, start))

    def _report_tails(self) -> None:
        """Name the holes before problems that come after a strand's last whole block."""
        for strand_id, strand in self._strands.items():
            self._report_start(strand_id, strand)
            if strand.next is not None and strand.explained:
                self._report_hole(strand_id, strand.next, max(strand.explained))

    def _report_start(self, strand_id: str, strand: StrandState) -> None:
        """Name a start that nothing came at or after, once."""
        first, newest = self._first(strand_id), strand.newest_left_out
        if strand.is_begun or first is None or newest is None:
            return
        strand.newest_left_out = None
        message = (
            f"nothing came at or after block {first}, the start: "
            f"the newest block of strand {strand_id} is {newest}"
        )
        self._tally.add_problem(Problem(ProblemCode.GAP, message, strand_id, first))

    def _add_problems(self, problems: Iterable[Problem]) -> None:
        """List what assembler or sequencer say of a block, and stop its strand if need be."""
        for problem in problems:
            self._tally.add_problem(problem)
            strand_id, number = problem.strand_id, problem.sequence_no
            assert strand_id is not None
            assert number is not None
            if not self.knows(strand_id):
                self.open_strand(strand_id, None)
            strand = self._strands[strand_id]
            heapq.heappush(strand.explained, number)
            if problem.code in _STOPPING:
                strand.gate.stop(number, problem.code)


def is_redacted(block: Block) -> bool:
    """Say whether data of a block are redacted."""
    return any(revision.kind is RevisionKind.REDACTED for revision in block.revisions)


def _count_revisions(block: Block) -> int:
    """Count the revisions that have contents."""
    return sum(revision.metadata is not None for revision in block.revisions)


def _problem_of(error: IntegrityError) -> Problem:
    """Make a problem of what assembler and sequencer find."""
    if isinstance(error, IncompleteBlockError):
        return Problem(ProblemCode.INCOMPLETE, str(error), error.strand_id, error.sequence_no)
    assert isinstance(error, ConflictError)
    return Problem(
        ProblemCode.CONFLICT, str(error), error.strand_id, error.sequence_no, error.document_id
    )

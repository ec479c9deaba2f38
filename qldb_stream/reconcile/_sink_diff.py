"""
A sink's content beside its source, and how it is put right.

The source is read once for a comparison, in order, verified on the way as for a delivery;
each strand is compared by a `StrandWalk`. A repair reads it again, and gives the sink the
blocks that the plan names; what is redacted by now goes as a redacted copy, so that nothing
erased comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, Self

import attrs

from qldb_stream.errors import SinkRefusedError, UsageError
from qldb_stream.events import Block, Revision
from qldb_stream.pipeline import (
    CheckpointedSink,
    Order,
    PipelineCore,
    Tokens,
    iter_checked,
    naming_lack,
)
from qldb_stream.reconcile._content import ContentFindings, ContentReport
from qldb_stream.reconcile._diff_rules import Filter, Rules, Verified
from qldb_stream.reconcile._match import hidden_by
from qldb_stream.reconcile._newest import NewestRevisions
from qldb_stream.reconcile._runs import Runs, is_in
from qldb_stream.reconcile._strand_diff import StrandWalk
from qldb_stream.report import Gap, Position
from qldb_stream.typing import ErasingSink, ReadableSink, RepairableSink, Sink, Source

_FIRST_DIFFERENCES: Final = 1_000
"""How many differences are kept, as for ledgers."""

_RANGE_BLOCKS: Final = 500
"""How many blocks are compared together at most; what they hold is in memory."""

_REPAIRED_BLOCKS: Final = 100
"""How many blocks are given to a repair together at most, as to a delivery."""

NOTHING_VERIFIED: Final[Mapping[str, Verified]] = MappingProxyType({})


@attrs.frozen
class RepairOutcome:
    """
    What a repair came to: blocks that were written anew, and those that the sink refused.

    `refused` has (strand_id, first, last) of runs that were given together.
    """

    blocks: int = 0
    refused: tuple[tuple[str, int, int], ...] = ()


class SinkDiff:
    """
    Compares what a readable sink holds with its source; a context manager.

    Args:
        sink: is asked for its position and its content; stays open.
        source: bounded and sorted; read once for each `compare` and each `repair`.
        filter: what changed the blocks when they were delivered, if anything did.
        verified: what agreed before, by strand; it is passed over.
        progress: is told of a strand whenever something more agrees, and at its end.
        range_blocks: how many blocks are compared together at most.
        limit: how many differences are kept; the rest is counted.

    Raises:
        UsageError: the sink cannot tell what it holds, the source is not bounded, or a
            number is not positive.
    """

    def __init__(
        self,
        sink: Sink,
        source: Source,
        *,
        filter: Filter | None = None,  # noqa: A002 - the word for it, as in `Pipeline`
        verified: Mapping[str, Verified] = NOTHING_VERIFIED,
        progress: Callable[[str, Verified], None] | None = None,
        range_blocks: int = _RANGE_BLOCKS,
        limit: int = _FIRST_DIFFERENCES,
    ) -> None:
        own = sink.sink if isinstance(sink, CheckpointedSink) else sink
        if not isinstance(own, ReadableSink):
            raise UsageError(f"{type(own).__name__} cannot tell what it holds: it is not readable")
        if not source.bounded:
            raise UsageError("a source without an end cannot be compared: give files")
        if range_blocks < 1 or limit < 1:
            raise UsageError("range_blocks and limit are 1 or more")
        self._sink = sink
        self._own: ReadableSink = own
        self._source = source
        self._verified = dict(verified)
        self._progress = progress
        self._rules = Rules(own, sink.position, filter, self._tell, range_blocks)
        self._limit = limit
        self._notes = NewestRevisions()
        self._positions: dict[str, Position | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Throw the notes away; the sink stays open."""
        self._notes.close()

    def compare(self) -> ContentReport:
        """
        Compare the sink with its source, range by range, then its current state.

        Each strand is compared up to the position that the sink has when it is met. Nothing
        is written, but what a sink does to be able to tell what is current. Called again, it
        passes over what agreed, so that after a repair what differed is compared again.

        Raises:
            DeliveryError: the sink cannot be read.
            SourceError: the source failed, or there is no room for what must be remembered.
            UsageError: `verified` is of another journal than the source.
        """
        self._notes.close()
        self._notes = NewestRevisions()
        findings = ContentFindings(self._limit)
        walks: dict[str, StrandWalk] = {}
        core, gaps = self._core()
        for checked in iter_checked(core, self._source, position_of=lambda s: self._open(s, gaps)):
            strand_id = checked.block.address.strand_id
            if strand_id not in walks:
                position, verified = self._positions[strand_id], self._usable(strand_id)
                walks[strand_id] = StrandWalk(
                    strand_id, self._rules, self._notes, findings, position, verified
                )
            walks[strand_id].feed(checked.block, is_verified=checked.verification.ok)
        strands = tuple([walk.finish() for walk in walks.values()])
        return ContentReport(core.report(), strands, tuple(findings.kept), findings.more)

    def repair(self, report: ContentReport, tokens: Tokens) -> RepairOutcome:
        """
        Write the blocks anew that a comparison planned; compare again afterwards.

        A run of blocks that the sink refuses is left as it is and named. Nothing that is masked
        or withheld in the sink is written in clear: each run is looked at again before.

        Args:
            report: of the last `compare`.
            tokens: give the fencing token for each strand.

        Raises:
            UsageError: the sink cannot be repaired, or holds something masked or withheld that
                the filter, or none, would write in clear; runs before that stay repaired.
            StaleTokenError: another worker has the strand.
            DeliveryError: the sink cannot be written now; what was repaired before stays so.
            SourceError: the source failed.
        """
        if not isinstance(self._own, RepairableSink):
            raise UsageError(f"{type(self._own).__name__} cannot be repaired")
        if hidden := sum(strand.hidden for strand in report.strands):
            raise _would_reveal(hidden)
        blocks = 0
        refused: list[tuple[str, int, int]] = []
        for run in self._iter_planned(report):
            self._check_hides(run)
            address = run[0].address
            tokens.open(address.strand_id)
            token = tokens.token(address.strand_id)
            try:
                with naming_lack(tokens):
                    self._own.repair(run, token)
            except SinkRefusedError:
                last = run[-1].address.sequence_no
                refused.append((address.strand_id, address.sequence_no, last))
                continue
            if isinstance(self._own, ErasingSink):
                self._own.erase(run, token)  # and notes what is redacted; others are passed over
            blocks += len(run)
        return RepairOutcome(blocks, tuple(refused))

    def _check_hides(self, run: Sequence[Block]) -> None:
        """Raise UsageError when a run would put into the sink what that has masked."""
        expected = {(one.document_id, one.version): one for one in self._own.expect(run)}
        first, last = run[0].address, run[-1].address
        hidden = 0
        for stored in self._own.history(first.strand_id, first.sequence_no, last.sequence_no):
            ours = expected.get((stored.document_id, stored.version))
            hidden += ours is not None and hidden_by(ours, stored) is not None
        if hidden:
            raise _would_reveal(hidden)

    def _tell(self, strand_id: str, verified: Verified) -> None:
        self._verified[strand_id] = verified
        if self._progress is not None:
            self._progress(strand_id, verified)

    def _core(self) -> tuple[PipelineCore, dict[str, Sequence[Gap]]]:
        gaps: dict[str, Sequence[Gap]] = {}  # filled as strands are met
        return PipelineCore(Order.SORTED, gaps=gaps), gaps

    def _open(self, strand_id: str, gaps: dict[str, Sequence[Gap]]) -> Position | None:
        """Take up what the sink has of a strand; the core goes on from what is verified."""
        position = self._positions[strand_id] = self._sink.position(strand_id)
        gaps[strand_id] = () if position is None else position.gaps
        through = self._usable(strand_id).through
        if through is None:
            return None
        return attrs.evolve(through, parked=frozenset(), gaps=(), start=None)

    def _usable(self, strand_id: str) -> Verified:
        """Give what agreed before; nothing, where the sink has been made anew since."""
        verified, position = self._verified.get(strand_id, Verified()), self._positions[strand_id]
        newest = verified.newest
        is_beyond = newest is not None and (
            position is None or position.sequence_no < newest.sequence_no
        )
        return Verified() if is_beyond else verified

    def _iter_planned(self, report: ContentReport) -> Iterator[list[Block]]:
        """Read the source again, and give runs of the blocks that are planned, of one strand."""
        plans: dict[str, Runs] = {}
        for strand in report.strands:
            plans[strand.strand_id] = runs = Runs()
            for first, last in strand.plan:
                runs.add(first, last)
        run: list[Block] = []
        core, gaps = self._core()
        for checked in iter_checked(core, self._source, position_of=lambda s: self._open(s, gaps)):
            block = checked.block
            strand_id = block.address.strand_id
            if block.address.sequence_no not in plans.get(strand_id, Runs()):
                continue
            if not checked.verification.ok or not self._is_applied(block):
                continue
            if run and (run[0].address.strand_id != strand_id or len(run) >= _REPAIRED_BLOCKS):
                yield run
                run = []
            run.append(self._delivered(block))
        if run:
            yield run

    def _is_applied(self, block: Block) -> bool:
        position, number = self._positions[block.address.strand_id], block.address.sequence_no
        if position is None or number > position.sequence_no or number in position.parked:
            return False
        return not is_in(number, position.gaps)

    def _delivered(self, block: Block) -> Block:
        """Give a block as the sink should have it: filtered, and without what is redacted."""
        delivered = block if self._rules.filter is None else self._rules.filter(block)
        address = block.address
        redacted = self._notes.redacted(address.strand_id, address.sequence_no)
        if not redacted:
            return delivered
        revisions = tuple([_without_data(r, redacted) for r in delivered.revisions])
        return attrs.evolve(delivered, revisions=revisions)


def _would_reveal(count: int) -> UsageError:
    return UsageError(
        f"not repaired: {count:,} revisions are masked or withheld in the sink, and would be "
        "written in clear; give the filter that this sink was filled with"
    )


def _without_data(revision: Revision, redacted: frozenset[tuple[str, int]]) -> Revision:
    """Give the redacted form of a revision, if it is among those."""
    metadata, data = revision.metadata, revision.data_ion
    if metadata is None or data is None or (metadata.id, metadata.version) not in redacted:
        return revision
    data_hash = data.hash() if revision.data_hash is None else revision.data_hash
    return attrs.evolve(revision, data_ion=None, data_hash=data_hash)

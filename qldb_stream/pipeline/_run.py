"""
`run`: one bounded source, from its items to a sink and a report.

This is the thin edge around `PipelineCore`: `iter_checked` reads the source and asks for
the sink's positions, `Pipeline` hands what comes out over. `verify_source` is the same
run without a sink, so what a replay refuses is what verification names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, BlockAddress, BlockSummary, Need, RevisionDetails
from qldb_stream.ordering import check_numbers
from qldb_stream.pipeline._core import NO_GAPS, CheckedBlock, PipelineCore
from qldb_stream.pipeline._delivery import BATCH_BLOCKS, Delivery
from qldb_stream.pipeline._foreign import closing_sink
from qldb_stream.pipeline._inputs import Input, iter_placed, order_of
from qldb_stream.plugins import check_sink_url, open_sink
from qldb_stream.report import Gap, Position, ReplayReport, VerifyReport
from qldb_stream.typing import Item, Sink

__all__ = ["Pipeline", "iter_checked", "verify_source"]


class Pipeline:
    """
    Delivers a journal to a sink: assembled, in order, verified, from where the sink is.

    Args:
        sink: a sink, which stays open; a URL, which is opened for the run; or None to
            verify alone.
        start: the number of the first block, where the sink has nothing; for all
            strands, or by strand. None begins with the first block that the source has.
        accept_gaps: missing blocks that the owner has declared, by strand.
        batch_blocks: how many blocks are applied together at most.
        token: the fencing token of whoever holds the strands; 0 for a run of its own.

    Raises:
        UsageError: the URL names no sink that there is, or has options that it does not
            take; a number is negative, or a gap ends before it begins. Whether the sink can
            be opened, `run` finds out.
    """

    def __init__(
        self,
        sink: Sink | str | None,
        *,
        start: int | Mapping[str, int] | None = None,
        accept_gaps: Mapping[str, Sequence[Gap]] = NO_GAPS,
        batch_blocks: int = BATCH_BLOCKS,
        token: int = 0,
    ) -> None:
        if batch_blocks < 1:
            raise UsageError(f"batch_blocks is {batch_blocks}, at least one must be applied")
        if token < 0:
            raise UsageError(f"token is {token}, fencing tokens are 0 or more")
        check_numbers(start, accept_gaps)
        if isinstance(sink, str):
            check_sink_url(sink)
        self._sink = sink
        self._start = start
        self._gaps = accept_gaps
        self._batch_blocks = batch_blocks
        self._token = token
        self._run: _Run | None = None

    @property
    def report(self) -> ReplayReport:
        """
        Sum up the last run so far; also after it ended in an error.

        Before the first run everything in it is zero.
        """
        return ReplayReport(VerifyReport()) if self._run is None else self._run.report()

    def run(self, source: Input) -> ReplayReport:
        """
        Verify a bounded source and deliver what may be delivered.

        A strand stops at the first block that is missing, incomplete, of two versions or
        fails a check: nothing of it is delivered from there on, and the rest of the
        source is verified all the same. Blocks that the sink has are passed over.

        Args:
            source: a `Source`, or any iterable of events, or of whole blocks such as
                `parse_export` and `Ledger.blocks` give. An iterable waits in memory to
                its end, within a limit; with a start, only until its turn has come. An
                empty one is no error: the report says `nothing_readable`.

        Returns:
            What was verified and what was applied.

        Raises:
            UsageError: the sink that a URL names cannot be opened, the source cannot be read
                or yields something else, or a start
                leaves a hole behind what the sink has.
            SourceError: the source changed or failed while it was read.
            BacklogError: an iterable has more out of order than may wait.
            QldbStreamError: whatever the sink raised. In all cases `report` tells how far
                the run came, and the sink's position is that of the blocks it applied.
        """
        if not isinstance(self._sink, str):
            return self._run_with(self._sink, source)
        with closing_sink(open_sink(self._sink)) as sink:
            return self._run_with(sink, source)

    def _run_with(self, sink: Sink | None, source: Input) -> ReplayReport:
        order = order_of(source, has_start=self._start is not None)
        core = PipelineCore(order, start=self._start, gaps=self._gaps)
        delivery = None
        if sink is not None:
            delivery = Delivery(sink, batch_blocks=self._batch_blocks, token=self._token)
        self._run = _Run(core, delivery, self._gaps)
        self._run.read(source)
        return self._run.report()


def verify_source(source: Input) -> VerifyReport:
    """
    Verify everything that a bounded source holds; never stops at what is wrong.

    Args:
        source: as `Pipeline.run` takes it.

    Returns:
        Every check's outcome, summed up. `nothing_readable` says that there was not one
        record.

    Raises:
        UsageError: the source cannot be read.
        SourceError: the source changed or failed while it was read.
        BacklogError: an iterable has more out of order than may wait.
    """
    return Pipeline(None).run(source).verification


def iter_checked(
    core: PipelineCore,
    source: Input,
    *,
    position_of: Callable[[str], Position | None] = lambda _strand_id: None,
) -> Iterator[CheckedBlock]:
    """
    Feed a source to a core, to its end, and iterate over what comes out.

    Args:
        core: fresh, and made for the order in which the source's items come.
        source: what is fed.
        position_of: is asked for what a sink has of a strand, once for each strand.

    Yields:
        Each whole block with its verdict; `core.report()` sums up what is past.

    Raises:
        QldbStreamError: what `Pipeline.run` raises, the sink's own errors apart.
    """
    place: BlockAddress | None = None
    for address, item in iter_placed(source):
        if address != place:
            if place is not None:
                core.finish(place)
                yield from _ready(core)
            place = address
        strand_id = _strand_of(item)
        if strand_id is not None and not core.knows(strand_id):
            core.open_strand(strand_id, position_of(strand_id))
        core.feed(item)
        yield from _ready(core)
    core.close()
    yield from _ready(core)


def _ready(core: PipelineCore) -> Iterator[CheckedBlock]:
    while not isinstance(checked := core.next_block(), Need):
        yield checked


def _strand_of(item: Item | Block) -> str | None:
    if isinstance(item, BlockSummary | Block):
        return item.address.strand_id
    if isinstance(item, RevisionDetails):
        return item.revision.address.strand_id
    return None


class _Run:
    """One run: the core, the delivery, and what has come of them so far."""

    def __init__(
        self, core: PipelineCore, delivery: Delivery | None, gaps: Mapping[str, Sequence[Gap]]
    ) -> None:
        self._core = core
        self._delivery = delivery
        self._gaps = gaps

    def read(self, source: Input) -> None:
        """Read the source to its end, delivering as blocks come out."""
        delivery = self._delivery
        if delivery is None:
            for _ in iter_checked(self._core, source):
                pass
            return
        for checked in iter_checked(self._core, source, position_of=delivery.position_of):
            delivery.add(checked)
        delivery.flush()

    def report(self) -> ReplayReport:
        """Sum up what has come of it so far."""
        verification, before_start = self._core.report(), self._core.before_start
        if self._delivery is None:
            return ReplayReport(verification, before_start=before_start)
        return attrs.evolve(
            self._delivery.report(verification),
            before_start=before_start,
            redacted_copies=tuple((at.strand_id, at.sequence_no) for at in self._core.redacted),
            strands_unmet=tuple(sorted(name for name in self._gaps if not self._core.knows(name))),
        )

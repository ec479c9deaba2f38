"""
`run`: one bounded source, from its items to a sink and a report.

This is the thin edge around `PipelineCore`: it reads the source, asks the sink for its
positions, and hands the core's blocks over. `verify_source` is the same run without a
sink, so what a replay refuses is what verification names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qldb_stream.errors import UsageError
from qldb_stream.events import BlockAddress, BlockSummary, Need, RevisionDetails
from qldb_stream.pipeline._core import NO_GAPS, PipelineCore
from qldb_stream.pipeline._delivery import BATCH_BLOCKS, Delivery
from qldb_stream.pipeline._inputs import Input, iter_placed, order_of
from qldb_stream.plugins import open_sink
from qldb_stream.report import Gap, ReplayReport, VerifyReport
from qldb_stream.sources import Progress
from qldb_stream.typing import Item, Sink

__all__ = ["Pipeline", "verify_source"]


class Pipeline:
    """
    Delivers a journal to a sink: assembled, in order, verified, from where the sink is.

    Args:
        sink: a sink, which stays open; a URL, which is opened for the run; or None to
            verify alone.
        start: the number of the first block, where the sink has nothing; for all
            strands, or by strand. None begins with the first block that the source has.
        accept_gaps: missing blocks that the owner has declared, by strand.
        progress: is told how a source made by `open_source` is read.
        batch_blocks: how many blocks are applied together at most.
        token: the fencing token of whoever holds the strands; 0 for a run of its own.

    Raises:
        UsageError: the URL names no sink, or a number makes no sense.
    """

    def __init__(
        self,
        sink: Sink | str | None,
        *,
        start: int | Mapping[str, int] | None = None,
        accept_gaps: Mapping[str, Sequence[Gap]] = NO_GAPS,
        progress: Progress | None = None,
        batch_blocks: int = BATCH_BLOCKS,
        token: int = 0,
    ) -> None:
        if batch_blocks < 1:
            raise UsageError(f"batch_blocks is {batch_blocks}, at least one must be applied")
        self._sink = sink
        self._start = start
        self._gaps = accept_gaps
        self._progress = progress
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
            source: a `Source`, or any iterable of events. An iterable that is not sorted
                waits in memory until its strands are in order.

        Returns:
            What was verified and what was applied.

        Raises:
            UsageError: the source cannot be read, or a start leaves a hole behind what
                the sink has.
            SourceError: the source changed or failed while it was read.
            BacklogError: an iterable has more out of order than may wait.
            QldbStreamError: whatever the sink raised. In all cases `report` tells how far
                the run came, and the sink's position is that of the blocks it applied.
        """
        if not isinstance(self._sink, str):
            return self._run_with(self._sink, source)
        sink = open_sink(self._sink)
        try:
            return self._run_with(sink, source)
        finally:
            sink.close()

    def _run_with(self, sink: Sink | None, source: Input) -> ReplayReport:
        order = order_of(source, has_start=self._start is not None)
        core = PipelineCore(order, start=self._start, gaps=self._gaps)
        delivery = None
        if sink is not None:
            delivery = Delivery(sink, batch_blocks=self._batch_blocks, token=self._token)
        self._run = _Run(core, sink, delivery)
        self._run.read(source, self._progress)
        return self._run.report()


def verify_source(source: Input, *, progress: Progress | None = None) -> VerifyReport:
    """
    Verify everything that a bounded source holds; never stops at what is wrong.

    Args:
        source: a `Source`, or any iterable of events.
        progress: is told how a source made by `open_source` is read.

    Returns:
        Every check's outcome, summed up. `nothing_readable` says that there was not one
        record.

    Raises:
        UsageError: the source cannot be read.
        SourceError: the source changed or failed while it was read.
        BacklogError: an iterable has more out of order than may wait.
    """
    return Pipeline(None, progress=progress).run(source).verification


class _Run:
    """One run: the core, the sink, and what has come of them so far."""

    def __init__(self, core: PipelineCore, sink: Sink | None, delivery: Delivery | None) -> None:
        self._core = core
        self._sink = sink
        self._delivery = delivery

    def read(self, source: Input, progress: Progress | None) -> None:
        """Read the source to its end, delivering as blocks come out."""
        place: BlockAddress | None = None
        for address, item in iter_placed(source, progress):
            if address != place:
                if place is not None:
                    self._core.finish(place)
                    self._deliver()
                place = address
            self._open_strand(item)
            self._core.feed(item)
            self._deliver()
        self._core.close()
        self._deliver()
        if self._delivery is not None:
            self._delivery.flush()

    def report(self) -> ReplayReport:
        """Sum up what has come of it so far."""
        verification = self._core.report()
        if self._delivery is None:
            return ReplayReport(verification)
        return self._delivery.report(verification)

    def _open_strand(self, item: Item) -> None:
        """Ask the sink for its position when a strand is met for the first time."""
        if isinstance(item, BlockSummary):
            strand_id = item.address.strand_id
        elif isinstance(item, RevisionDetails):
            strand_id = item.revision.address.strand_id
        else:
            return
        if not self._core.knows(strand_id):
            position = None if self._sink is None else self._sink.position(strand_id)
            self._core.open_strand(strand_id, position)

    def _deliver(self) -> None:
        checked = self._core.next_block()
        while not isinstance(checked, Need):
            if self._delivery is not None:
                self._delivery.add(checked)
            checked = self._core.next_block()

"""
Hand checked blocks to a sink: in runs, each run of one strand, bounded in size.

The core says of each block whether it may be delivered and to which position that
leads; this module gathers the next ones into a run and applies it. Whatever a sink
raises ends the delivery, after its position has been asked once more, so that what it
applied before it failed is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import QldbStreamError
from qldb_stream.events import Block
from qldb_stream.hookspecs import SummarizingSink
from qldb_stream.pipeline._core import CheckedBlock, Verdict
from qldb_stream.pipeline._foreign import check_answer, named, plugin_error
from qldb_stream.report import Position, ReplayReport, SinkSummary, VerifyReport
from qldb_stream.typing import Sink

__all__ = ["BATCH_BLOCKS", "Delivery"]

BATCH_BLOCKS: Final = 100
"""Blocks to a run, unless the caller says otherwise: one fsync is spread over them."""

_BATCH_BYTES: Final = 8 * 2**20  # two of the largest transactions, facts 5.8


class Delivery:
    """
    Gathers blocks into runs and applies them.

    Attributes:
        applied: how many blocks the sink has taken.
        skipped: how many it had before.
    """

    def __init__(self, sink: Sink, *, batch_blocks: int, token: int) -> None:
        self.applied = 0
        self.skipped = 0
        self._sink = sink
        self._batch_blocks = batch_blocks
        self._token = token
        self._run: list[Block] = []
        self._run_bytes = 0
        self._position: Position | None = None
        self._documents = 0
        self._asks_summary = True  # until it fails
        self._redactions: list[tuple[str, int]] = []

    def position_of(self, strand_id: str) -> Position | None:
        """Ask the sink what it has of a strand."""
        with named(self._sink, "position"):
            found = self._sink.position(strand_id)
        return None if found is None else check_answer(self._sink, "position", found, Position)

    def add(self, checked: CheckedBlock) -> None:
        """
        Take the next block; apply the run when it is full or the strand changes.

        Raises:
            QldbStreamError: whatever the sink raised; nothing more is to be added then.
        """
        if checked.verdict is Verdict.SKIP:
            self.skipped += 1
        if checked.verdict is not Verdict.DELIVER:
            return
        before, after = self._position, checked.position
        assert after is not None
        if before is not None and before != after.at(self._run[-1]):
            # Another strand, or a declared gap: a prefix of a run must not name what follows.
            self.flush()
        self._run.append(checked.block)
        self._run_bytes += _size(checked.block)
        self._position = after
        if len(self._run) >= self._batch_blocks or self._run_bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """
        Apply what has been gathered.

        Raises:
            QldbStreamError: whatever the sink raised; `applied` counts what it took.
            PluginError: it took nothing and raised nothing, or what it raised is none of
                ours; it is named.
        """
        run, position = self._run, self._position
        self._run, self._run_bytes, self._position = [], 0, None
        while run and position is not None:
            run = self._apply(run, position)

    def report(self, verification: VerifyReport) -> ReplayReport:
        """
        Sum up what the sink has taken so far.

        Raises:
            PluginError: the sink's own summary failed or is none; asked again, what was
                counted here stands in its place.
        """
        summary = self._summary()
        return ReplayReport(
            verification,
            self.applied,
            self.skipped,
            summary.documents,
            summary.redactions_pending,
            summary.ids_unresolved,
            summary.indexes_kept,
            summary.left_out,
            paths_unmet=summary.paths_unmet,
        )

    def _summary(self) -> SinkSummary:
        sink, is_asked = self._sink, self._asks_summary
        if not (is_asked and isinstance(sink, SummarizingSink)):
            # Who does not say that a redaction was carried out has not done it.
            return SinkSummary(self._documents, tuple(self._redactions))
        self._asks_summary = False
        with named(sink, "summary"):
            answer = sink.summary()
        summary = check_answer(sink, "summary", answer, SinkSummary)
        self._asks_summary = True
        return summary

    def _apply(self, run: list[Block], position: Position) -> list[Block]:
        """Apply a run; answer what of it the sink has left over."""
        try:
            with named(self._sink, "apply"):
                answer = self._sink.apply(run, position, self._token)
            reached = check_answer(self._sink, "apply", answer, Position)
        except (QldbStreamError, KeyboardInterrupt):
            self._count_durable(run, position.strand_id)
            raise
        rest = list(reached.pending(run))
        self._count(run[: len(run) - len(rest)])
        if len(rest) == len(run):
            raise plugin_error(self._sink, "apply", "applied no block and raised nothing")
        return rest

    def _count_durable(self, run: Sequence[Block], strand_id: str) -> None:
        """Count what a failed sink applied all the same, if it can still say so."""
        try:
            reached = self.position_of(strand_id)
        except QldbStreamError:
            return  # the failure that is under way says more than this one
        if reached is not None:
            self._count(run[: len(run) - len(reached.pending(run))])

    def _count(self, applied: Sequence[Block]) -> None:
        self.applied += len(applied)
        for block in applied:
            self._documents += sum(revision.metadata is not None for revision in block.revisions)
            if block.summary.redaction_info is not None:
                address = block.address
                self._redactions.append((address.strand_id, address.sequence_no))


def _size(block: Block) -> int:
    """Estimate what a block holds, in bytes of documents and statements."""
    info = block.summary.transaction_info
    slices = [revision.data_ion for revision in block.revisions]
    slices.append(None if info is None else info.ion)
    return sum(part.end - part.start for part in slices if part is not None)

"""What `compare` takes as a source where it is no ledger: files of records."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from qldb_stream.events import Block
from qldb_stream.pipeline import Order, PipelineCore, Verdict, iter_checked
from qldb_stream.replay import Driver, Transaction, has_own_tables, read_state
from qldb_stream.report import Gap, VerifyReport
from qldb_stream.sources import Progress, open_source

__all__ = ["RecordedJournal"]


class RecordedJournal:
    """
    The blocks of a journal in files, those that a replay would deliver to a destination.

    Gaps that were declared when the destination was filled are crossed here too.
    Iterate once, in constant memory; `report` says afterwards what was wrong with the
    journal, and so why a strand ended where it did.
    """

    def __init__(self, path: str, progress: Progress, destination: Driver) -> None:
        self._source = open_source([path], progress=progress)
        self._destination = destination
        self._gaps: dict[str, tuple[Gap, ...]] = {}  # filled as strands are met
        self._core = PipelineCore(Order.SORTED, gaps=self._gaps)

    def __iter__(self) -> Iterator[Block]:
        for checked in iter_checked(self._core, self._source, position_of=self._begin):
            if checked.verdict is Verdict.DELIVER:
                yield checked.block

    def report(self) -> VerifyReport:
        """Sum up what has been verified so far."""
        return self._core.report()

    def _begin(self, strand_id: str) -> None:
        """Take up a strand's declared gaps; all of its blocks are wanted, so no position."""
        read = partial(_read_gaps, strand_id=strand_id)
        self._gaps[strand_id] = self._destination.execute_lambda(read)


def _read_gaps(txn: Transaction, strand_id: str) -> tuple[Gap, ...]:
    state = read_state(txn, strand_id) if has_own_tables(txn) else None
    return () if state is None else state.position.gaps

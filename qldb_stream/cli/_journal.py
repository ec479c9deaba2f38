"""What `compare` takes as a source where it is no ledger: files of records."""

from __future__ import annotations

from collections.abc import Iterator

from qldb_stream.events import Block
from qldb_stream.pipeline import Order, PipelineCore, Verdict, iter_checked
from qldb_stream.report import VerifyReport
from qldb_stream.sources import Progress, open_source

__all__ = ["RecordedJournal"]


class RecordedJournal:
    """
    The blocks of a journal in files, those that a replay would deliver.

    Iterate once, in constant memory; `report` says afterwards what was wrong with the
    journal, and so why a strand ended where it did.
    """

    def __init__(self, path: str, progress: Progress) -> None:
        self._source = open_source([path])
        self._progress = progress
        self._core = PipelineCore(Order.SORTED)

    def __iter__(self) -> Iterator[Block]:
        for checked in iter_checked(self._core, self._source, progress=self._progress):
            if checked.verdict is Verdict.DELIVER:
                yield checked.block

    def report(self) -> VerifyReport:
        """Sum up what has been verified so far."""
        return self._core.report()

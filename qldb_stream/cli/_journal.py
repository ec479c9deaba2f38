"""What `compare` takes as a source: a ledger file, or files of records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from qldb_stream.events import Block, BlockSummary, Need, RevisionDetails
from qldb_stream.pipeline import Order, PipelineCore, Verdict
from qldb_stream.report import VerifyReport
from qldb_stream.sources import FolderSource, Progress, open_source
from qldb_stream.typing import Item

__all__ = ["RecordedJournal", "is_database"]

# https://www.sqlite.org/fileformat.html, section 1.3: how every database file begins.
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


def is_database(path: str) -> bool:
    """Say whether a path is a database file, as ledgers are."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC


class RecordedJournal:
    """
    The blocks of a journal in files, those that a replay would deliver.

    Iterate once, in constant memory; `report` says afterwards what was wrong with the
    journal, and so why a strand ended where it did.
    """

    def __init__(self, path: str, progress: Progress) -> None:
        self._source: FolderSource = open_source([path], progress=progress)
        self._core = PipelineCore(Order.SORTED)

    def __iter__(self) -> Iterator[Block]:
        for place, placed in groupby(self._source.placed_items(), key=itemgetter(0)):
            for _, item in placed:
                self._open_strand(item)
                self._core.feed(item)
            if place is not None:
                self._core.finish(place)
            yield from self._ready()
        self._core.close()
        yield from self._ready()

    def report(self) -> VerifyReport:
        """Sum up what has been verified so far."""
        return self._core.report()

    def _open_strand(self, item: Item) -> None:
        if isinstance(item, BlockSummary):
            strand_id = item.address.strand_id
        elif isinstance(item, RevisionDetails):
            strand_id = item.revision.address.strand_id
        else:
            return
        if not self._core.knows(strand_id):
            self._core.open_strand(strand_id, None)

    def _ready(self) -> Iterator[Block]:
        while not isinstance(checked := self._core.next_block(), Need):
            if checked.verdict is Verdict.DELIVER:
                yield checked.block

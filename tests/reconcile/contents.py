"""What the tests of contents share: journals in files, filled sinks, and hands in databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from qldb_stream.events import Block
from qldb_stream.pipeline import FixedToken
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import ContentReport, RepairOutcome, SinkDiff
from qldb_stream.report import Position
from qldb_stream.sources import FolderSource, open_source
from qldb_stream.testing import JournalShape, make_journal, records, write_archive
from qldb_stream.typing import Sink

SHAPE = JournalShape(redactions=0.3, deletes=0.2, system=0.1)
JOURNAL = make_journal(5, blocks=60, shape=SHAPE)
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())
STRAND = JOURNAL.strand_id

Work = Callable[[sqlite3.Connection], Any]


def source_of(folder: Path, blocks: Iterable[Block] = BLOCKS) -> FolderSource:
    """Write blocks into a new folder, and open that."""
    write_archive((record for block in blocks for record in records(block)), folder)
    return open_source([folder])


def position_at(block: Block) -> Position:
    """Give the position that a block leads to, from block 0."""
    return Position(block.address.strand_id, -1, b"", start=0).at(block)


def fill(sink: Sink, blocks: Sequence[Block] = BLOCKS) -> None:
    """Apply blocks."""
    for first in range(0, len(blocks), 10):
        part = blocks[first : first + 10]
        sink.apply(part, position_at(part[-1]), 0)


@contextmanager
def filled(url: str, blocks: Sequence[Block] = BLOCKS) -> Iterator[Sink]:
    """Open a sink, and fill it."""
    with closing(open_sink(url)) as sink:
        fill(sink, blocks)
        yield sink


def compare(sink: Sink, source: FolderSource, **options: Any) -> ContentReport:
    """Compare once."""
    with SinkDiff(sink, source, **options) as work:
        return work.compare()


def repair(
    sink: Sink, source: FolderSource, **options: Any
) -> tuple[ContentReport, RepairOutcome, ContentReport]:
    """Compare, repair, and compare again."""
    with SinkDiff(sink, source, **options) as work:
        report = work.compare()
        return report, work.repair(report, FixedToken(0)), work.compare()


def by_hand(path: Path, work: Callable[[sqlite3.Connection], Any]) -> None:
    """Change a database behind the sink's back, its triggers dropped."""
    with closing(sqlite3.connect(path)) as db, db:
        triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            db.execute(f'DROP TRIGGER "{name}"')
        work(db)


def codes(report: ContentReport) -> set[str]:
    """Name what differs."""
    return {found.code.value for found in report.differences}


_FIRST = (
    "(SELECT h.qldb_document_id FROM {0} AS h JOIN {0} AS n ON n.qldb_version = 1 "
    "AND n.qldb_document_id = h.qldb_document_id WHERE h.qldb_kind = 'insert' ORDER BY 1 LIMIT 1)"
)
_LIVING = "(SELECT qldb_document_id FROM {1} WHERE qldb_kind = 'insert' ORDER BY 1 LIMIT 1)"
_REDACTED = "(SELECT qldb_document_id FROM {0} WHERE qldb_kind = 'redacted' ORDER BY 1 LIMIT 1)"


def open_closing(path: Path) -> closing[Sink]:
    """Open a SQLite sink, to be closed at the body's end."""
    return closing(open_sink(f"sqlite:{path}"))


def sql(text: str) -> Work:
    """Run SQL on one table; {0} is its history, {1} its current state, the others documents."""
    names = ("customers_history", "customers")
    first, living, redacted = [
        f"qldb_document_id = {one.format(*names)}" for one in (_FIRST, _LIVING, _REDACTED)
    ]
    statement = text.format(*names, first=first, living=living, redacted=redacted)

    def work(db: sqlite3.Connection) -> None:
        assert db.execute(statement).rowcount == 1

    return work

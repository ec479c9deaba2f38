"""What several tests of the pipeline need: journals as events, and broken ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from qldb_stream.events import BlockSummary, ControlRecord, Event, RevisionDetails
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.sources import FolderSource, open_source
from qldb_stream.testing.deliveries import firehose_object
from qldb_stream.testing.journals import Journal, make_journal

JOURNAL: Journal = make_journal(51, blocks=40)
BLOCKS = list(JOURNAL)
RECORDS = list(JOURNAL.iter_records())
STRAND = JOURNAL.strand_id


def write_source(folder: Path, records: Iterable[bytes]) -> FolderSource:
    """Write records into one file, and open it."""
    path = folder / "records"
    path.write_bytes(firehose_object(records))
    return open_source([path])


def number_of(event: Event) -> int:
    """Give the number of the block that an event belongs to, -1 for CONTROL."""
    if isinstance(event, ControlRecord):
        return -1
    if isinstance(event, BlockSummary):
        return event.address.sequence_no
    return event.revision.address.sequence_no


def records_without(
    *blocks: int, records: Sequence[bytes] = RECORDS, only: type[Event] | None = None
) -> list[bytes]:
    """Leave out the records of some blocks; all, or those of one type."""
    return list(_keep(records, blocks, only))


def _keep(
    records: Sequence[bytes], blocks: tuple[int, ...], only: type[Event] | None
) -> Iterator[bytes]:
    for record in records:
        event = parse_record(record)
        if number_of(event) not in blocks or (only is not None and not isinstance(event, only)):
            yield record


def block_with_revisions(after: int = 10) -> int:
    """Find a block with at least two revisions that have contents."""
    return next(
        block.address.sequence_no
        for block in BLOCKS[after:]
        if sum(revision.metadata is not None for revision in block.revisions) > 1
    )


def flip_data(records: Sequence[bytes], number: int) -> tuple[list[bytes], str]:
    """Flip one bit of a document in a block; answer the records and the document's id."""
    for index, record in enumerate(records):
        event = parse_record(record)
        if number_of(event) != number or not isinstance(event, RevisionDetails):
            continue
        data = event.revision.data_ion
        if data is None or event.revision.document_id is None:
            continue
        at = record.index(data.buf[data.start : data.end]) + (data.end - data.start) - 1
        flipped = record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :]
        return [*records[:index], flipped, *records[index + 1 :]], event.revision.document_id
    raise AssertionError(f"block {number} has no document")


def codes(problems: Iterable[Problem]) -> list[tuple[ProblemCode, int | None]]:
    """Reduce problems to their codes and numbers."""
    return [(problem.code, problem.sequence_no) for problem in problems]

"""Records that are written of events read as these events."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import BlockSummary, Revision, RevisionDetails
from qldb_stream.parsers.record import parse_record
from qldb_stream.records import iter_records, to_record
from qldb_stream.testing import JournalShape, make_journal

JOURNAL = make_journal(9, blocks=30, shape=JournalShape(system=0.3, redactions=0.3, deletes=0.2))


@pytest.mark.parametrize("erased", [False, True])
def test_records_read_as_their_events(*, erased: bool) -> None:
    """Every event of a journal equals what is read from the record that is written of it."""
    events = [parse_record(record) for record in JOURNAL.with_erased(erased=erased).iter_records()]
    parts = [event for event in events if isinstance(event, BlockSummary | RevisionDetails)]

    assert parts == [parse_record(to_record(event).buf) for event in parts]


def test_a_block_is_its_summary_and_its_revisions() -> None:
    """A block's records are those of its parts, bare hashes apart."""
    for block in JOURNAL:
        summary, *details = [parse_record(record.buf) for record in iter_records(block)]
        assert block.summary == summary
        full: list[Revision] = [r for r in block.revisions if r.metadata is not None]
        assert full == [d.revision for d in details if isinstance(d, RevisionDetails)]


def test_what_came_from_an_export_has_no_stream() -> None:
    """Its records name none, and say where a document lost its types."""
    block = next(block for block in JOURNAL if any(one.data_ion for one in block.revisions))
    (revision, *_) = [one for one in block.revisions if one.data_ion is not None]
    for from_json in (False, True):
        event = RevisionDetails(None, attrs.evolve(revision, from_json=from_json))
        for _ in range(2):  # with and without a template
            found = parse_record(to_record(event).buf)
            assert event == found
            assert isinstance(found, RevisionDetails)
            assert from_json == found.revision.from_json
    summary = attrs.evolve(block.summary, stream_arn=None)
    assert summary == parse_record(to_record(summary).buf)

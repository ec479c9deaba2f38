"""A redacted copy of a revision that was delivered in full: no problem, and never silent."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import Event, RevisionDetails, RevisionKind
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Pipeline
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing.journals import JournalShape, make_journal
from tests.pipeline.support import number_of

JOURNAL = make_journal(8, blocks=12, shape=JournalShape(redactions=0.0))
EVENTS: list[Event] = [parse_record(record) for record in JOURNAL.iter_records()]
FULL = next(
    event
    for event in EVENTS
    if isinstance(event, RevisionDetails) and event.revision.kind is RevisionKind.INSERT
)
PLACE = ((FULL.revision.address.strand_id, FULL.revision.address.sequence_no),)


def redacted() -> RevisionDetails:
    """Give the copy of FULL that QLDB streams once it was redacted."""
    data = FULL.revision.data_ion
    assert data is not None
    return attrs.evolve(
        FULL, revision=attrs.evolve(FULL.revision, data_ion=None, data_hash=data.hash())
    )


@pytest.mark.parametrize("start", [None, 0], ids=["bounded", "live"])
@pytest.mark.parametrize("beside", [False, True], ids=["instead", "beside"])
def test_a_second_replay_with_a_redacted_copy(*, beside: bool, start: int | None) -> None:
    """The block is there already: nothing conflicts, nothing is applied, and it is listed."""
    sink = MemorySink()
    assert () == Pipeline(sink, start=start).run(EVENTS).redacted_copies
    full = list(sink.blocks)
    again = [event for event in EVENTS if beside or event is not FULL]
    again.insert(0 if start is None else again.index(EVENTS[-1]), redacted())
    if start is not None:
        again.sort(key=number_of)
    report = Pipeline(sink, start=start).run(again)
    assert (True, (), 0, 12) == (
        report.ok,
        report.verification.problems,
        report.applied,
        report.skipped,
    )
    assert PLACE == report.redacted_copies
    assert [{"strand_id": PLACE[0][0], "sequence_no": PLACE[0][1]}] == (
        report.as_json()["redacted_copies"]
    )
    assert full == sink.blocks


def test_a_redacted_copy_that_comes_after_delivery_in_one_run() -> None:
    """A live run that has handed the block on says so, once, however often the copy comes."""
    sink = MemorySink()
    events = [*EVENTS, redacted(), redacted(), FULL]
    report = Pipeline(sink, start=0).run(events)
    assert (True, 12, PLACE) == (report.ok, report.applied, report.redacted_copies)


def test_a_redacted_copy_that_comes_before_delivery_wins() -> None:
    """Nothing that was redacted is delivered, so there is nothing to be told."""
    sink = MemorySink()
    report = Pipeline(sink).run([*EVENTS, redacted()])
    assert (True, 12, ()) == (report.ok, report.applied, report.redacted_copies)
    kinds = [r.kind for b in sink.blocks for r in b.revisions if r.hash == FULL.revision.hash]
    assert [RevisionKind.REDACTED] == kinds
    again = Pipeline(sink, start=0).run([*[e for e in EVENTS if e is not FULL], redacted()])
    assert again.ok

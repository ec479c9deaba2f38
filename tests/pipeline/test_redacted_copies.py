"""A redacted copy of a revision that was delivered in full: no problem, and never silent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.errors import SinkUnavailableError
from qldb_stream.events import Block, Event, RevisionDetails, RevisionKind
from qldb_stream.inbox import SqliteInbox
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Pipeline, RetryPolicy
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing.journals import JournalShape, make_journal
from qldb_stream.typing import ReadableSink
from tests.pipeline.inboxes import PickySink, Refusing, make_pipeline
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


class ErasingSink(MemorySink):
    """A sink that notes in which order blocks came and were erased."""

    def __init__(self) -> None:
        super().__init__()
        self.story: list[tuple[str, int]] = []
        self.fails = 0

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, and take note."""
        self.story += [("applied", block.address.sequence_no) for block in blocks]
        return super().apply(blocks, position, token)

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """Take note, or be away."""
        assert token >= 0
        if self.fails:
            self.fails -= 1
            raise SinkUnavailableError("erasing", "it is away")
        self.story += [("erased", block.address.sequence_no) for block in blocks]

    @property
    def erased(self) -> list[int]:
        """Give the blocks that were erased."""
        return [number for what, number in self.story if what == "erased"]


def redacted_block() -> Block:
    """Give the copy of FULL's block that shows the redaction."""
    block = list(JOURNAL)[PLACE[0][1]]
    revisions = [
        redacted().revision if each.hash == FULL.revision.hash else each for each in block.revisions
    ]
    return attrs.evolve(block, revisions=tuple(revisions))


@pytest.mark.parametrize("start", [None, 0], ids=["bounded", "live"])
def test_a_replay_has_late_copies_erased_before_anything_is_applied(start: int | None) -> None:
    """The sink has the block: the copy goes to `erase`, ahead of later blocks, through failures."""
    sink = ErasingSink()
    blocks = list(JOURNAL)
    assert Pipeline(sink, start=start).run(blocks[:9]).ok
    sink.fails, sink.story = 2, []
    again = [redacted_block() if b.address.sequence_no == PLACE[0][1] else b for b in blocks]
    retry = RetryPolicy(base_s=0)
    report = Pipeline(sink, start=start, retry=retry).run(again)
    assert [("erased", PLACE[0][1]), ("applied", 9), ("applied", 10), ("applied", 11)] == sink.story
    assert (True, PLACE, 1, 9) == (
        report.ok,
        report.redacted_copies,
        report.copies_erased,
        report.skipped,
    )
    assert 1 == report.as_json()["copies_erased"]


def test_a_late_copy_of_a_block_of_the_same_run_is_erased_after_it_is_applied() -> None:
    """Whole blocks of a live source: what went out in full is erased, once it is there."""
    sink = ErasingSink()
    report = Pipeline(sink, start=0).run([*list(JOURNAL)[:5], redacted_block(), *JOURNAL])
    assert (True, 12, 0) == (report.ok, report.applied, report.skipped)
    assert (PLACE, 1, [PLACE[0][1]]) == (report.redacted_copies, report.copies_erased, sink.erased)
    assert ("applied", 4) == sink.story[sink.story.index(("erased", PLACE[0][1])) - 1]


@pytest.mark.parametrize("start", [None, 0], ids=["bounded", "live"])
@pytest.mark.parametrize("again", [False, True], ids=["same run", "again"])
def test_a_copy_that_does_not_verify_erases_nothing(*, again: bool, start: int | None) -> None:
    """Whoever forges a copy cannot have data erased that nobody redacted; it is a problem."""
    sink = ErasingSink()
    blocks = list(JOURNAL)
    forged = redacted_block()
    revisions = [
        attrs.evolve(r, data_hash=bytes(32)) if r.kind is RevisionKind.REDACTED else r
        for r in forged.revisions
    ]
    forged = attrs.evolve(forged, revisions=tuple(revisions))
    if again:
        Pipeline(sink, start=start).run(blocks)
        blocks[PLACE[0][1]] = forged
    elif start is not None:
        blocks.append(forged)
    report = Pipeline(sink, start=start).run(blocks)
    is_seen = again or start is not None
    assert (not is_seen, [], 0) == (report.ok, sink.erased, report.copies_erased)


def test_many_copies_are_erased_a_run_at_a_time() -> None:
    """What waits to be erased is bounded, in blocks as in bytes."""
    shape = JournalShape(redactions=0.6, erased=False)
    full = list(make_journal(77, blocks=60, shape=shape))
    late = list(make_journal(77, blocks=60, shape=attrs.evolve(shape, erased=True)))
    sizes: list[int] = []

    class Counting(ErasingSink):
        def erase(self, blocks: Sequence[Block], token: int) -> None:
            sizes.append(len(blocks))
            super().erase(blocks, token)

    sink = Counting()
    Pipeline(sink).run(full)
    report = Pipeline(sink, batch_blocks=3).run(late)
    assert (True, len(sink.erased)) == (report.ok, report.copies_erased)
    assert (3, len(report.redacted_copies)) == (max(sizes), sum(sizes))


@pytest.mark.parametrize("batch_blocks", [1, 100])
def test_a_document_that_its_own_run_redacts_does_not_come_back(
    tmp_path: Path, batch_blocks: int
) -> None:
    """Its block is parked after the redaction was carried out: neither park nor requeue has it."""
    journal = make_journal(
        0, blocks=25, shape=JournalShape(redactions=0.4, deletes=0.1, erased=False)
    )
    asked = [r for b in journal if (i := b.summary.redaction_info) for r in i.revisions]
    claims = {(r.block_address.sequence_no, r.document_id, r.version) for r in asked}
    found = {
        (r.address.sequence_no, r.document_id, r.metadata.version): r.data_ion
        for block in journal
        for r in block.revisions
        if r.metadata is not None and r.data_ion is not None
    }
    secrets = [s.buf[s.start : s.end] for claim in claims for s in [found[claim]]]
    inbox = SqliteInbox(tmp_path / "inbox")
    sink = open_sink(f"parquet:{tmp_path / 'tables'}")
    assert isinstance(sink, ReadableSink)
    refusing = Refusing(sink, min(number for number, _, _ in claims))
    settings = {"on_refusal": "park", "batch_blocks": batch_blocks}
    assert make_pipeline({"s": refusing}, inbox, **settings).run(journal).parked
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("inbox*"))
    assert [] == [secret for secret in secrets if secret in stored]

    assert make_pipeline({"s": sink}, inbox).requeue(journal.strand_id).ok
    held = {
        (s.sequence_no, s.document_id, s.version): s.data
        for s in sink.history(journal.strand_id, 0, 99)
    }
    assert {None} == {held[claim] for claim in claims}
    sink.close()
    inbox.close()


def test_a_redacted_copy_of_a_parked_block_takes_its_place(tmp_path: Path) -> None:
    """The sink does not have it, the park does: what is requeued later has no such data."""
    data = FULL.revision.data_ion
    assert data is not None
    inbox, number = SqliteInbox(tmp_path / "inbox"), PLACE[0][1]
    sink = PickySink(number)
    pipeline = make_pipeline(sink, inbox, on_refusal="park")
    pipeline.run(list(JOURNAL))
    pipeline.run([redacted_block() if b.address == FULL.address else b for b in JOURNAL])
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert data.buf[data.start : data.end] not in stored
    sink.refused.clear()
    assert number in pipeline.requeue(PLACE[0][0]).applied
    (kept,) = [b for b in sink.blocks if b.address == FULL.address]
    assert RevisionKind.REDACTED in [r.kind for r in kept.revisions]
    inbox.close()

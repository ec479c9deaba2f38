"""Blocks that a sink refuses: found by halving, put aside with what depends on them, requeued."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from qldb_stream.errors import (
    BacklogError,
    SinkRefusedError,
    SinkUnavailableError,
    UsageError,
)
from qldb_stream.events import Block, TableInfo
from qldb_stream.inbox import MemoryInbox, SqliteInbox
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline, _park
from qldb_stream.pipeline._follow import Followed, touched_by
from qldb_stream.plugins import open_sink
from qldb_stream.report import BlockParked, Gap, ParkedBlock, ParkReason, Position, StrandState
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing.stories import Story
from tests.pipeline.inboxes import PickySink, Refusing, TestClock, Witness, make_pipeline
from tests.pipeline.support import BLOCKS, JOURNAL, STRAND
from tests.replay.blocks import block, revision

OTHER = TableInfo("Others", "9zYxWvUtSrQpOnMlKjIhG8")


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> list[Block]:
    """A journal of two tables, in which each document is changed in blocks of its own."""
    path = tmp_path_factory.mktemp("source") / "source.ledger"
    with Ledger.open(path) as ledger:
        driver = ledger.driver()
        for statement in (
            "CREATE TABLE A",  # 1
            "CREATE TABLE B",  # 2
            "INSERT INTO A {'n': 1}",  # 3
            "INSERT INTO A {'n': 2}",  # 4
            "UPDATE A SET x = 1 WHERE n = 1",  # 5
            "UPDATE A SET x = 1 WHERE n = 2",  # 6
            "INSERT INTO B {'n': 3}",  # 7
            "CREATE INDEX ON A (n)",  # 8
            "UPDATE A SET x = 2 WHERE n = 1",  # 9
            "DELETE FROM A WHERE n = 2",  # 10
        ):
            driver.execute_lambda(partial(_execute, statement=statement))
        return list(ledger.blocks())


def _execute(txn: Any, statement: str) -> list[Any]:
    return list(txn.execute_statement(statement))


def strand_of(blocks: Sequence[Block]) -> str:
    """Give the strand."""
    return blocks[0].address.strand_id


def first_insert(blocks: Sequence[Block]) -> int:
    """Give the number of the first block with a document; the others count from it."""
    return next(
        b.address.sequence_no for b in blocks if any(r.metadata is not None for r in b.revisions)
    )


def test_by_default_a_refusal_halts_at_the_guilty_block(blocks: list[Block]) -> None:
    """What stands before it is applied; the error names it."""
    sink = PickySink(first_insert(blocks) + 2)
    with pytest.raises(SinkRefusedError, match="does not like"):
        Pipeline(sink).run(blocks)
    assert list(range(first_insert(blocks) + 2)) == sink.numbers()


def test_a_refused_block_is_parked_with_what_depends_on_it(blocks: list[Block]) -> None:
    """Later changes of its document and DDL of its table wait; everything else flows."""
    first, inbox, witness = first_insert(blocks), MemoryInbox(), Witness()
    sink = PickySink(first)
    pipeline = make_pipeline(sink, inbox, on_refusal="park", observers=[witness])
    report = pipeline.run(blocks)
    strand, numbers = strand_of(blocks), [first, first + 2, first + 5, first + 6]
    assert [(strand, n) for n in numbers] == list(report.parked)
    assert [n for n in range(len(blocks)) if n not in numbers] == sink.numbers()
    assert frozenset(numbers) == sink.positions[strand].parked
    parked = list(pipeline.parked())
    assert numbers == [each.address.sequence_no for each in parked]
    assert [ParkReason.REFUSED] + [ParkReason.FOLLOWS] * 3 == [each.reason for each in parked]
    assert [None, first, first, first] == [each.because_of for each in parked]
    assert numbers == [event.address.sequence_no for event in witness.of(BlockParked)]
    assert report.ok


def test_parked_blocks_are_requeued_in_order(blocks: list[Block]) -> None:
    """When the sink takes them, they are applied and the position names none of them."""
    first = first_insert(blocks)
    sink = PickySink(first)
    pipeline = make_pipeline(sink, on_refusal="park")
    pipeline.run(blocks)
    strand = strand_of(blocks)
    refused = pipeline.requeue(strand)
    assert ((first,), 3) == (tuple(n for n, _ in refused.refused), len(refused.waiting))
    assert not refused.ok
    sink.refused.clear()
    only = pipeline.requeue(strand, [first + 2])
    assert (((first + 2, first),), ()) == (only.waiting, only.applied)
    assert (first, first + 2, first + 5, first + 6) == pipeline.requeue(strand).applied
    assert frozenset() == sink.positions[strand].parked
    assert sorted(sink.numbers()) == list(range(len(blocks)))
    assert [] == list(pipeline.parked(strand))
    with pytest.raises(UsageError, match="not parked"):
        pipeline.requeue(strand, [first])


def test_a_skipped_block_leaves_its_reason(blocks: list[Block]) -> None:
    """Its number leaves the parked ones and is a gap of one; what followed can be requeued."""
    first = first_insert(blocks)
    sink = PickySink(first)
    pipeline = make_pipeline(sink, on_refusal="park")
    pipeline.run(blocks)
    strand = strand_of(blocks)
    with pytest.raises(UsageError, match="reason"):
        pipeline.skip(strand, first, " ")
    with pytest.raises(UsageError, match="not parked"):
        pipeline.skip(strand, first + 1, "why not")
    pipeline.skip(strand, first, "the owner says so")
    gap = Gap(first, first, "the owner says so", is_skipped=True)
    assert (gap,) == sink.positions[strand].gaps
    assert pipeline.requeue(strand).ok
    assert frozenset() == sink.positions[strand].parked


@pytest.mark.parametrize("url", ["memory:", "ledger:{}/copy.ledger", "sqlite:{}/copy.db"])
def test_a_skipped_block_that_comes_again_is_no_problem(
    blocks: list[Block], tmp_path: Path, url: str
) -> None:
    """Its owner gave it up: a later replay counts it, and is no less ok for it."""
    """Its owner gave it up: a later replay counts it, and is no less ok for it."""
    number, inbox = len(blocks) - 1, MemoryInbox()
    sink = open_sink(url.format(tmp_path))
    make_pipeline(Refusing(sink, number), inbox, on_refusal="park").run(blocks)
    make_pipeline(sink, inbox).skip(strand_of(blocks), number, "the owner says so")
    if url != "memory:":
        sink.close()
        sink = open_sink(url.format(tmp_path))
    report = make_pipeline(sink, inbox).run(blocks)
    assert (True, 1, 0) == (report.ok, report.given_up, report.applied)
    assert () == report.verification.problems
    assert number == report.skipped
    sink.close()


def test_a_second_run_knows_what_is_parked(blocks: list[Block]) -> None:
    """Blocks that come later follow what an earlier run has parked."""
    first, inbox = first_insert(blocks), MemoryInbox()
    sink = PickySink(first)
    make_pipeline(sink, inbox, on_refusal="park").run(blocks[: first + 2])
    report = make_pipeline(sink, inbox, on_refusal="park").run(blocks)
    assert (first + 1, 1) == (report.skipped, report.still_parked)
    assert 1 == report.as_json()["still_parked"]
    numbers = {first, first + 2, first + 5, first + 6}
    assert numbers == sink.positions[strand_of(blocks)].parked


class CountingInbox(MemoryInbox):
    """An inbox that counts how many parked blocks were read, and sees that nobody keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def parked(self, sink: str, strand_id: str) -> Iterator[ParkedBlock]:
        """Count each."""
        given: list[ref[ParkedBlock]] = []
        for each in super().parked(sink, strand_id):
            self.read += 1
            given.append(ref(each))
            yield each
        # The last one may be in hands still, here and at the caller's.
        assert [] == [one for one in given[:-1] if one() is not None]


def test_parked_blocks_are_not_read_at_every_look(blocks: list[Block]) -> None:
    """What is known of them stays in memory, until the position names others."""
    first, inbox = first_insert(blocks), CountingInbox()
    sink, strand = PickySink(first), strand_of(blocks)
    pipeline = make_pipeline(sink, inbox, on_refusal="park")
    for each in blocks:
        pipeline.handle_batch([each])
    numbers = sink.positions[strand].parked
    assert {first, first + 2, first + 5, first + 6} == numbers
    assert 0 == inbox.read
    assert [StrandState.CURRENT] == [s.state for s in pipeline.drain().strands]
    assert 0 == inbox.read

    other = make_pipeline(sink, inbox, on_refusal="park")
    other.skip(strand, first, "the owner says so")
    assert len(numbers) == inbox.read
    pipeline.drain()
    assert (2 * len(numbers) - 1) == inbox.read
    assert len(numbers) - 1 == len(pipeline.requeue(strand).applied)


class LyingSink(MemorySink):
    """A sink that applies a block, and then says that it refuses it."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, then refuse."""
        super().apply(blocks, position, token)
        raise SinkRefusedError("lying", position.strand_id, position.sequence_no, "not now")


@pytest.mark.parametrize("batch_blocks", [1, 100])
def test_a_refusal_of_what_was_applied_blames_no_other(
    blocks: list[Block], batch_blocks: int
) -> None:
    """The error is the sink's, and the block after it is neither parked nor lost."""
    sink, inbox = LyingSink(), MemoryInbox()
    pipeline = make_pipeline(sink, inbox, on_refusal="park", batch_blocks=batch_blocks)
    with pytest.raises(SinkRefusedError, match="not now"):
        pipeline.run(blocks)
    assert [] == list(pipeline.parked())
    assert blocks[:batch_blocks] == sink.blocks


class DyingSink(PickySink):
    """A sink that is gone when a position without blocks comes."""

    is_dead = True

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, or be gone."""
        if not blocks and self.is_dead:
            raise SinkUnavailableError("dying", "it is gone")
        return super().apply(blocks, position, token)


def test_what_a_crash_leaves_in_the_park_is_removed(blocks: list[Block]) -> None:
    """A block that is parked and not in the position comes again, and counts for nothing."""
    first, inbox, sink = first_insert(blocks), MemoryInbox(), DyingSink(first_insert(blocks))
    pipeline = make_pipeline(sink, inbox, on_refusal="park")
    with pytest.raises(SinkUnavailableError):
        pipeline.run(blocks)
    assert [first] == [parked.address.sequence_no for parked in pipeline.parked(strand_of(blocks))]
    sink.refused.clear()
    sink.is_dead = False
    assert () == pipeline.run(blocks).parked
    assert [] == list(pipeline.parked(strand_of(blocks)))
    assert blocks == sink.blocks


@pytest.mark.parametrize("batch_blocks", [1, 5, 100])
def test_halving_finds_every_guilty_block(batch_blocks: int) -> None:
    """However many there are, all and only these and what follows them are parked."""
    guilty = {7, 8, 21, 22, 23, 39}
    sink = PickySink(*guilty)
    pipeline = make_pipeline(sink, on_refusal="park", batch_blocks=batch_blocks)
    assert pipeline.run(list(JOURNAL)).ok
    parked = list(pipeline.parked(STRAND))
    reasons = {p.address.sequence_no: p.reason for p in parked}
    assert guilty <= reasons.keys()
    assert set(range(40)) == set(sink.numbers()) | reasons.keys()
    assert len(sink.numbers()) + len(reasons) == 40
    assert sorted(sink.numbers()) == sink.numbers()


def test_a_sink_without_parking_says_so(tmp_path: Path, blocks: list[Block]) -> None:
    """A mirror builds each block on all before it."""
    pipeline = make_pipeline(f"ledger:{tmp_path / 'm.ledger'}?mode=mirror", on_refusal="park")
    with pytest.raises(UsageError, match="none can be parked"):
        pipeline.run(blocks)
    with pytest.raises(UsageError, match="inbox"):
        Pipeline(MemorySink(), on_refusal="park")
    with pytest.raises(UsageError, match="halt or park"):
        make_pipeline(MemorySink(), on_refusal="forget")
    with pytest.raises(UsageError, match="no sink 'x'"):
        make_pipeline(MemorySink(), on_refusal={"x": "park"})


def test_too_much_is_not_parked(monkeypatch: pytest.MonkeyPatch, blocks: list[Block]) -> None:
    """What follows from parked blocks is held in memory, so their number is bounded."""
    monkeypatch.setattr(_park, "PARKED_LIMIT", 2)
    sink = PickySink(*range(100))
    with pytest.raises(BacklogError, match="requeue or skip"):
        make_pipeline(sink, on_refusal="park").run(blocks)


class RefusingLedger(LedgerSink):
    """A replay into a ledger that refuses some blocks as long as it is told to."""

    refused: frozenset[int] = frozenset()

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Refuse the whole run, or apply it."""
        for each in blocks:
            if each.address.sequence_no in self.refused:
                number = each.address.sequence_no
                raise SinkRefusedError("ledger", position.strand_id, number, "not now")
        return super().apply(blocks, position, token)


def test_a_ledger_is_whole_after_a_requeue(tmp_path: Path, blocks: list[Block]) -> None:
    """Parked and requeued, across a restart, the destination equals the source."""
    first, strand, path = first_insert(blocks), strand_of(blocks), tmp_path / "copy.ledger"
    inbox = SqliteInbox(tmp_path / "inbox")
    sink = RefusingLedger.open(path)
    sink.refused = frozenset({first + 1})
    make_pipeline(sink, inbox, on_refusal="park").run(blocks)
    sink.close()

    sink = RefusingLedger.open(path)
    position = sink.position(strand)
    assert position is not None
    assert frozenset({first + 1, first + 3, first + 5, first + 7}) == position.parked
    pipeline = make_pipeline(sink, inbox, on_refusal="park", clock=TestClock())
    assert pipeline.requeue(strand).ok
    assert pipeline.requeue(strand).ok
    assert pipeline.run(blocks).ok
    sink.close()
    with Ledger.open(path) as ledger:
        assert [{"n": 1, "x": 2}] == rows(ledger, "SELECT VALUE a FROM A AS a")
        assert [{"n": 3}] == rows(ledger, "SELECT VALUE b FROM B AS b")
        history = rows(ledger, "SELECT VALUE h.metadata.version FROM history(A) AS h")
        assert [0, 0, 1, 1, 2, 2] == sorted(history)
    inbox.close()


def test_a_ledger_redacts_when_the_later_revision_is_there(tmp_path: Path) -> None:
    """The newest revision cannot be redacted: the redaction waits for the parked one after it."""
    story = Story(11)
    story.create_table("Patients")
    document = story.insert("Patients", {"name": "to be gone"})
    parked = len(story)
    story.update(document, {"name": "to stay"})
    story.redact(document, 0)
    journal = list(story.blocks())
    inbox, sink = MemoryInbox(), RefusingLedger.open(tmp_path / "copy.ledger")
    sink.refused = frozenset({parked})
    pipeline = make_pipeline(sink, inbox, on_refusal="park")
    report = pipeline.run(journal)
    assert [parked, parked + 1] == [number for _, number in report.parked]

    sink.refused = frozenset()
    assert pipeline.requeue(strand_of(journal)).ok
    assert () == sink.summary().redactions_pending
    sink.close()
    with Ledger.open(tmp_path / "copy.ledger") as ledger:
        history = rows(ledger, "SELECT h.data AS data FROM history(Patients) AS h")
        assert [None, {"name": "to stay"}] == [row.get("data") for row in history]


def rows(ledger: Ledger, statement: str) -> list[Any]:
    """Run a query."""
    return ledger.driver().execute_lambda(lambda txn: list(txn.execute_statement(statement)))


# --- what follows what -----------------------------------------------------------------------


def cause(parked: Sequence[Block], other: Block, *mentioned: str) -> int | None:
    """Name the parked block that the other must come after."""
    followed = Followed()
    for each in parked:
        followed.add(each.address.sequence_no, touched_by(each))
    return followed.cause(touched_by(other), frozenset(mentioned))


CREATED = block(1, statements=["CREATE TABLE Things"])
INSERTED = block(2, revision(2, 7, 0, {"a": 1}))


@pytest.mark.parametrize(
    ("parked", "other", "expected"),
    [
        ([], INSERTED, None),
        ([INSERTED], block(3, revision(3, 7, 1, {"a": 2})), 2),
        ([INSERTED], block(3, revision(3, 8, 0, {"a": 2})), None),
        ([CREATED], INSERTED, 1),
        ([CREATED], block(3, revision(3, 9, 0, {}, table=OTHER)), None),
        ([CREATED, INSERTED], block(3, revision(3, 7, 1, {"a": 2})), 1),
        ([INSERTED], block(3, statements=["DROP TABLE Things"]), 2),
        ([INSERTED], block(3, statements=["CREATE INDEX ON Things (a)"]), 2),
        ([INSERTED], block(3, statements=["CREATE TABLE Others"]), None),
        ([INSERTED], block(3, statements=['UNDROP TABLE "4bCdEfGhIjKlMnOpQrStU2"']), 2),
        ([block(1, statements=["DROP TABLE X"])], block(3, statements=['UNDROP TABLE "y"']), 1),
        ([block(1, statements=['UNDROP TABLE "y"'])], block(3, statements=["DROP TABLE X"]), 1),
        (
            [block(1, statements=['UNDROP TABLE "9zYxWvUtSrQpOnMlKjIhG8"'])],
            block(3, revision(3, 9, 0, {}, table=OTHER)),
            1,
        ),
        ([block(1, statements=["CREATE INDEX ON Things (a)"])], INSERTED, None),
        ([block(1, statements=["CREATE NONSENSE"])], INSERTED, 1),
        ([INSERTED], block(3, statements=["DROP NONSENSE"]), 2),
        (
            [block(1, statements=["x"], documents={7: (OTHER, [0])})],
            INSERTED,
            1,
        ),
    ],
)
def test_what_follows_what(parked: list[Block], other: Block, expected: int | None) -> None:
    """A block follows the first parked one that it has a document or a table in common with."""
    assert expected == cause(parked, other)


def test_a_mentioned_document_is_followed() -> None:
    """What a sink rewrites an id for must be there before."""
    other = block(3, revision(3, 8, 0, {"owner": "x"}))
    document = INSERTED.revisions[0].document_id
    assert document is not None
    assert 2 == cause([INSERTED], other, document)
    assert BLOCKS

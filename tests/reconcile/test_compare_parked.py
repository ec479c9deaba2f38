"""A ledger for which blocks were parked, requeued, given up or applied in parts, and its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import attrs
import pytest

from qldb_stream.errors import SinkUnavailableError
from qldb_stream.events import Block
from qldb_stream.inbox import MemoryInbox
from qldb_stream.ion import to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline, RetryPolicy
from qldb_stream.reconcile import Comparison, _held, compare_ledgers
from qldb_stream.replay import Outcome, Replay, parse_id_rule
from qldb_stream.sinks._session import SessionSink
from qldb_stream.sinks.ledger import LedgerSink
from tests.pipeline.inboxes import Refusing, make_pipeline

FIRST, LATER = 2, 4  # an insert, and a change of its document


def _execute(txn: Any, statement: str, *parameters: Any) -> list[Any]:
    return list(txn.execute_statement(statement, *parameters))


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    """A journal in which one document is changed twice, and others are not."""
    with Ledger.open(":memory:") as ledger:
        for statement in (
            "CREATE TABLE A",  # 0
            "CREATE TABLE B",  # 1
            "INSERT INTO A {'n': 1}",  # 2
            "INSERT INTO A {'n': 2}",  # 3
            "UPDATE A SET x = 1 WHERE n = 1",  # 4
            "INSERT INTO B {'n': 3}",  # 5
        ):
            ledger.driver().execute_lambda(partial(_execute, statement=statement))
        return list(ledger.blocks())


@attrs.frozen
class Parked:
    """A ledger for which blocks FIRST and LATER were parked, and the pipeline to it."""

    ledger: Ledger
    strand_id: str
    pipeline: Pipeline


@pytest.fixture
def parked(blocks: Sequence[Block]) -> Iterator[Parked]:
    """Replay, but for what is refused and what depends on it."""
    with Ledger.open(":memory:") as ledger:
        sink, inbox = LedgerSink(ledger), MemoryInbox()
        make_pipeline(Refusing(sink, FIRST), inbox, on_refusal="park").run(blocks)
        yield Parked(ledger, blocks[0].address.strand_id, make_pipeline(sink, inbox))


def told(comparison: Comparison) -> list[tuple[int | None, str]]:
    """Reduce differences to their numbers and sentences."""
    assert comparison.ok is not bool(comparison.differences)
    return [(difference.sequence_no, difference.what) for difference in comparison.differences]


def test_requeued_blocks_are_no_difference(blocks: list[Block], parked: Parked) -> None:
    """They stand later in the destination, hold the same, and are counted."""
    assert (FIRST, LATER) == parked.pipeline.requeue(parked.strand_id).applied
    expected = Comparison(blocks=6, revisions=4, documents=3, requeued=2)
    assert expected == compare_ledgers(blocks, parked.ledger)
    assert 2 == expected.as_json()["requeued"]


def test_requeued_blocks_are_compared(blocks: list[Block], parked: Parked) -> None:
    """What one of them holds otherwise is named by its own block and document."""
    parked.pipeline.requeue(parked.strand_id)
    (revision,) = (r for r in blocks[LATER].revisions if r.metadata is not None)
    changed = attrs.evolve(revision, data_ion=to_slice({"n": 9}))
    others = [changed if r is revision else r for r in blocks[LATER].revisions]
    source = [*blocks]
    source[LATER] = attrs.evolve(blocks[LATER], revisions=tuple(others))
    comparison = compare_ledgers(source, parked.ledger)
    assert [(LATER, "the data differs")] == told(comparison)
    assert revision.document_id == comparison.differences[0].document_id
    assert len(blocks) < (comparison.differences[0].destination_no or 0)


def test_parked_and_given_up_blocks_are_named(blocks: list[Block], parked: Parked) -> None:
    """That they are not there is a difference, and it says why."""
    still = "the block is parked, and not in the destination"
    assert [(FIRST, still), (LATER, still)] == told(compare_ledgers(blocks, parked.ledger))
    parked.pipeline.skip(parked.strand_id, LATER, "not needed")
    given_up = "the block was given up, and is not in the destination"
    assert [(LATER, given_up), (FIRST, still)] == told(compare_ledgers(blocks, parked.ledger))
    parked.pipeline.requeue(parked.strand_id)
    comparison = compare_ledgers(blocks, parked.ledger)
    assert ([(LATER, given_up)], 1) == (told(comparison), comparison.requeued)


def test_a_requeued_block_that_the_source_has_not_is_named(
    blocks: list[Block], parked: Parked
) -> None:
    """Nothing can be compared with it."""
    parked.pipeline.requeue(parked.strand_id)
    source = [block for block in blocks if block.address.sequence_no != FIRST]
    extra = "the destination has a block that the source has not"
    assert [(FIRST, extra)] == told(compare_ledgers(source, parked.ledger))


@pytest.mark.parametrize("limit", ["_MOST_BLOCKS", "_MOST_BYTES"])
def test_what_is_held_is_bounded(
    blocks: list[Block], parked: Parked, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """A block that finds no room is not called equal, nor is it called something else."""
    parked.pipeline.requeue(parked.strand_id)
    monkeypatch.setattr(_held, limit, 1)
    too_many = "the block was parked, and too many are held to compare it"
    numbers = [LATER] if limit == "_MOST_BLOCKS" else [FIRST, LATER]
    found = compare_ledgers(blocks, parked.ledger)
    assert [(number, too_many) for number in numbers] == told(found)


class DyingReplay(Replay):
    """A replay that dies before the third part of a block."""

    left = 2

    def remember(self, outcome: Outcome) -> None:
        """Count, and die."""
        self.left -= 1
        if self.left <= 0:
            raise SinkUnavailableError("parts", "it is gone")
        super().remember(outcome)


def test_a_block_in_parts_is_one() -> None:
    """It equals its source though it took several transactions; half of one is named as such."""
    with (
        Ledger.open(":memory:") as source,
        Ledger.open(":memory:", limits="qldb") as ledger,
    ):
        driver = source.driver()
        driver.execute_lambda(partial(_execute, statement="CREATE TABLE A"))
        things = [{"n": number} for number in range(90)]
        driver.execute_lambda(lambda txn: _execute(txn, "INSERT INTO A ?", things))
        blocks = list(source.blocks())
        dying = SessionSink("parts", ledger, DyingReplay(parse_id_rule("keep")), splits=True)
        with pytest.raises(SinkUnavailableError):
            Pipeline(dying, retry=RetryPolicy(retries=0)).run(blocks)
        assert [(1, "the block is in the destination in part")] == told(
            compare_ledgers(blocks, ledger)
        )
        extra = "the destination has a block that the source has not"
        assert [(1, extra)] == told(compare_ledgers(blocks[:1], ledger))
        sink = SessionSink("parts", ledger, Replay(parse_id_rule("keep")), splits=True)
        report = Pipeline(sink).run(blocks)
        assert 1 == len(report.not_atomic)
        expected = Comparison(blocks=2, revisions=90, documents=90)
        assert expected == compare_ledgers(blocks, ledger)

"""Blocks replayed into an embedded ledger: transactions, position, order and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.errors import (
    ChainBreakError,
    ConflictError,
    ReplayRefusedError,
    SequenceGapError,
    StaleTokenError,
)
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.report import Gap
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import STRAND, block, digest, revision
from tests.sinks.replayed import CREATED, at, deliver, history, rows, tip

# --- transactions, position and order ---


def test_each_block_is_one_transaction(ledger: Ledger) -> None:
    """A block makes exactly one block in the destination, the first and an empty one too."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    assert 0 == tip(ledger)
    deliver(sink, block(1, revision(1, 1, 0, {"a": 1}), revision(1, 2, 0, {"a": 2})), block(2))
    assert 2 == tip(ledger)


def test_the_position_is_read_first_and_written_last(ledger: Ledger) -> None:
    """Once the tables are made, the first statement reads the position, the last writes it."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"a": 1})), block(2))
    for written in list(ledger.blocks())[-2:]:
        info = written.summary.transaction_info
        assert info is not None
        texts = [statement.statement for statement in info.statements]
        assert texts[0].startswith("SELECT ")
        assert "FROM qldb_stream_position" in texts[0]
        assert "qldb_stream_position" in texts[-1]
        assert not texts[-1].startswith("SELECT")


def test_a_new_destination_has_no_position(ledger: Ledger) -> None:
    """Asked before anything was applied, the sink answers None and makes nothing."""
    assert LedgerSink(ledger).position(STRAND) is None
    assert [] == rows(ledger, "SELECT * FROM information_schema.user_tables")


def test_the_position_is_what_was_applied(ledger: Ledger) -> None:
    """Position, gaps and parked blocks come back as they were given; other strands have none."""
    sink = LedgerSink(ledger)
    gaps = (Gap(7, 9, "lost"),)
    deliver(sink, CREATED, block(1), parked=frozenset({4}), gaps=gaps)
    assert at(1, parked=frozenset({4}), gaps=gaps) == sink.position(STRAND)
    assert sink.position("Bd3B7NABCxT12W36o0d8v3") is None


def test_a_file_is_gone_on_with(tmp_path: Path) -> None:
    """Opened again, a destination goes on after its last block."""
    path = tmp_path / "copy.ledger"
    sink = LedgerSink.open(path)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"a": 1})))
    sink.close()
    sink = LedgerSink.open(path)
    assert at(1) == sink.position(STRAND)
    deliver(sink, block(2, revision(2, 1, 1, {"a": 2})))
    assert [(0, {"a": 1}), (1, {"a": 2})] == history(sink.ledger)
    sink.close()


def test_blocks_that_are_applied_are_passed_over(ledger: Ledger) -> None:
    """A block delivered again changes nothing, alone or in a run."""
    sink = LedgerSink(ledger)
    first = block(1, revision(1, 1, 0, {"a": 1}))
    deliver(sink, CREATED, first)
    deliver(sink, CREATED, first)
    second = block(2, revision(2, 1, 1, {"a": 2}))
    assert at(2) == sink.apply([CREATED, first, second], at(2), 1)
    assert [(0, {"a": 1}), (1, {"a": 2})] == history(ledger)
    assert 2 == sink.summary().documents


def test_another_block_with_the_last_number_is_a_conflict(ledger: Ledger) -> None:
    """A block that claims the last number with another hash is never passed over."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    other = block(0)
    object.__setattr__(other.summary, "block_hash", digest("other"))
    with pytest.raises(ConflictError) as caught:
        sink.apply([other], at(0), 1)
    assert ConflictError(STRAND, 0, "blockHash") == caught.value


def test_a_block_that_does_not_link_is_refused(ledger: Ledger) -> None:
    """The next block must carry the last one's hash."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    stranger = block(1)
    object.__setattr__(stranger.summary, "previous_block_hash", digest("other"))
    with pytest.raises(ChainBreakError):
        sink.apply([stranger], at(1), 1)
    assert at(0) == sink.position(STRAND)


@pytest.mark.parametrize(
    "refused",
    [
        [block(0, statements=["CREATE TABLE A", "DROP TABLE Nothing"])],
        [block(5, revision(5, 1, 3, {"a": 1}))],
        [block(5, revision(5, 1, 3, {"a": 1})), block(6)],
    ],
    ids=["statement", "unknown document", "run"],
)
def test_a_refused_first_block_leaves_the_destination_as_it_was(
    refused: list[Block], ledger: Ledger
) -> None:
    """A replay that applied nothing makes no block, neither for tables of its own."""
    rows(ledger, "CREATE TABLE Mine")
    before = list(ledger.blocks())
    sink = LedgerSink(ledger)
    last = refused[-1].address.sequence_no
    with pytest.raises(ReplayRefusedError):
        sink.apply(refused, at(last), 1)
    assert before == list(ledger.blocks())
    deliver(sink, CREATED)
    assert 1 == tip(ledger)


def test_a_hole_is_refused_unless_it_is_declared(ledger: Ledger) -> None:
    """Blocks may be missing only where gaps or parked numbers say so."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    with pytest.raises(SequenceGapError) as caught:
        sink.apply([block(5)], at(5, parked=frozenset({1}), gaps=(Gap(2, 3, "lost"),)), 1)
    assert SequenceGapError(STRAND, 4, 4) == caught.value
    deliver(sink, block(5), parked=frozenset({1, 4}), gaps=(Gap(2, 3, "lost"),))
    position = sink.position(STRAND)
    assert position is not None
    assert 5 == position.sequence_no


def test_a_stale_token_is_refused(ledger: Ledger) -> None:
    """A worker with a lower token than the stored one writes nothing."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, token=7)
    with pytest.raises(StaleTokenError) as caught:
        sink.apply([block(1)], at(1), 6)
    assert StaleTokenError(STRAND, 7, 6) == caught.value
    assert at(0) == sink.position(STRAND)
    deliver(sink, block(1), token=8)


# --- runs ---


def test_a_run_is_applied_together(ledger: Ledger) -> None:
    """Several blocks are several transactions, and all are applied on return."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    before = tip(ledger)
    run = [block(number, revision(number, number, 0, {"n": number})) for number in range(1, 6)]
    assert at(5) == sink.apply(run, at(5), 1)
    assert before + 5 == tip(ledger)
    assert 5 == sink.summary().documents


def test_a_run_ends_before_a_block_that_is_refused(ledger: Ledger) -> None:
    """What came before is applied and told; the refusal is raised when the block comes first."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    bad = block(2, revision(2, 2, 0, {}), revision(2, 9, 4, {"n": 9}))
    run = [block(1, revision(1, 1, 0, {"n": 1})), bad, block(3)]
    assert at(1) == sink.apply(run, at(3), 1)
    assert at(1) == sink.position(STRAND)
    with pytest.raises(ReplayRefusedError) as caught:
        sink.apply(run[1:], at(3), 1)
    assert (STRAND, 2) == (caught.value.strand_id, caught.value.sequence_no)
    assert [(0, {"n": 1})] == history(ledger)
    assert 1 == sink.summary().documents


def test_a_run_that_breaks_leaves_nothing_behind(ledger: Ledger) -> None:
    """When the first block of a run is refused, nothing of it is counted or applied."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    with pytest.raises(ReplayRefusedError):
        sink.apply([block(1, revision(1, 9, 4, {})), block(2)], at(2), 1)
    assert at(0) == sink.position(STRAND)
    assert 0 == sink.summary().documents
    deliver(sink, block(1, revision(1, 1, 0, {"n": 1})))

"""Parked, skipped and missing blocks in a ledger's position; blocks that come later, alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from qldb_stream.errors import ReplayRefusedError, SequenceGapError, StaleTokenError
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.report import Gap, Position
from qldb_stream.sinks._mirror import MirrorSink
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import STRAND, THINGS, block, digest, revision


def insert(sequence_no: int) -> Block:
    """A block that inserts a document of its own."""
    texts = ["CREATE TABLE Things"] if sequence_no == 0 else []
    made = revision(sequence_no, sequence_no, 0, {"n": sequence_no})
    documents = {sequence_no: (THINGS, [len(texts)])}
    return block(
        sequence_no, made, statements=[*texts, "INSERT INTO Things ?"], documents=documents
    )


BLOCKS = [insert(number) for number in range(6)]


def at(number: int, *parked: int, gaps: tuple[Gap, ...] = ()) -> Position:
    """The position after a block, others being parked."""
    return Position(STRAND, number, digest("block", number), frozenset(parked), gaps, start=0)


def documents(ledger: Ledger) -> list[int]:
    """What is in the table."""
    text = "SELECT VALUE t.n FROM Things AS t"
    found = ledger.driver().execute_lambda(lambda txn: list(txn.execute_statement(text)))
    return sorted(int(number) for number in found)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[LedgerSink]:
    """A sink that has blocks 0 and 1."""
    with closing(LedgerSink.open(tmp_path / "x")) as opened:
        assert at(1) == opened.apply(BLOCKS[:2], at(1), 2)
        yield opened


def test_a_parked_block_comes_later_alone(sink: LedgerSink) -> None:
    """It is applied once, in the transaction that takes it off the list."""
    assert at(3, 2, 3) == sink.apply([], at(3, 2, 3), 2) == sink.position(STRAND)
    assert [0, 1] == documents(sink.ledger)
    assert at(4, 2, 3) == sink.apply([BLOCKS[4]], at(4, 2, 3), 2)
    for _ in range(2):
        assert at(4, 2) == sink.apply([BLOCKS[3]], at(4, 2), 2) == sink.position(STRAND)
        assert [0, 1, 3, 4] == documents(sink.ledger)
    assert at(4) == sink.apply([BLOCKS[2]], at(4), 2) == sink.position(STRAND)
    assert at(5) == sink.apply([BLOCKS[5]], at(5), 2)
    assert [0, 1, 2, 3, 4, 5] == documents(sink.ledger)


def test_a_skipped_block_never_comes(sink: LedgerSink) -> None:
    """A position that names it no more leaves it out, when it is offered again too."""
    sink.apply([], at(2, 2), 2)
    assert at(2) == sink.apply([], at(2), 2)
    sink.apply([BLOCKS[2]], at(2), 2)
    assert at(3) == sink.apply(BLOCKS[2:4], at(3), 2)
    assert [0, 1, 3] == documents(sink.ledger)


def test_a_declared_gap_is_kept(sink: LedgerSink) -> None:
    """Blocks behind it follow on what was declared, and on nothing else."""
    with pytest.raises(SequenceGapError):
        sink.apply([BLOCKS[4]], at(4), 2)
    gap = Gap(2, 3, "lost")
    assert at(3, gaps=(gap,)) == sink.apply([], at(3, gaps=(gap,)), 2) == sink.position(STRAND)
    assert at(4, gaps=(gap,)) == sink.apply([BLOCKS[4]], at(4, gaps=(gap,)), 2)
    assert [0, 1, 4] == documents(sink.ledger)


def test_a_position_that_is_covered_is_answered_by_the_stored_one(sink: LedgerSink) -> None:
    """A repeat of an older run changes nothing, and says how far the ledger is."""
    found = sink.apply([], at(0), 2)
    assert (at(1), 0) == (found, found.start)


def test_repeated_blocks_are_answered_by_the_stored_position(sink: LedgerSink) -> None:
    """A late repeat of one block, or of some, learns how far the sink really is."""
    stored = sink.apply(BLOCKS, at(5), 2)
    for repeated in (BLOCKS[1:2], BLOCKS[:3]):
        last = repeated[-1].address.sequence_no
        assert stored == sink.apply(repeated, at(last), 2)
    assert 0 == sink.apply(BLOCKS[1:2], at(1), 2).start


def test_lower_tokens_are_refused(sink: LedgerSink) -> None:
    """In empty runs and for blocks that were parked, and nothing changes."""
    sink.apply([], at(2, 2), 4)
    for blocks, position in (([], at(3, 2, 3)), ([BLOCKS[2]], at(2))):
        with pytest.raises(StaleTokenError):
            sink.apply(blocks, position, 3)
    assert at(2, 2) == sink.position(STRAND)
    assert [0, 1] == documents(sink.ledger)


def test_a_mirror_has_nothing_to_do_without_blocks(tmp_path: Path) -> None:
    """It parks nothing, because its digest is over all blocks."""
    with closing(MirrorSink.open(tmp_path / "m")) as mirror:
        none = attrs.evolve(at(0), sequence_no=-1)
        assert none == mirror.apply([], none, 1)
        assert mirror.position(STRAND) is None
        for position in (at(0, 0), at(1, gaps=(Gap(0, 1, "lost"),))):
            with pytest.raises(ReplayRefusedError):
                mirror.apply([], position, 1)

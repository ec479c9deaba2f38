"""`memory:` keeps every block once, in order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.events import Block, BlockAddress, BlockSummary
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.typing import Sink

STRAND = "AAAAAAAAAAAAAAAAAAAAAA"


def make_block(sequence_no: int, strand_id: str = STRAND) -> Block:
    """Make a block with an address and a hash; the rest is of no matter here."""
    digest = bytes([sequence_no]) * 32
    moment = datetime(2024, 5, 6, tzinfo=UTC)
    address = BlockAddress(strand_id, sequence_no)
    return Block(BlockSummary(None, address, "tx", moment, digest, digest, b"", (digest,)))


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash)


BLOCKS = [make_block(n) for n in range(5)]


def test_it_is_a_sink() -> None:
    """It has what the protocol asks for, also when a URL opened it."""
    assert isinstance(open_sink("memory:"), Sink)


def test_a_path_makes_no_sense() -> None:
    """Memory has no path, and saying so is better than ignoring one."""
    with pytest.raises(UsageError, match="takes no path, but 'x'"):
        open_sink("memory:x")


def test_repeated_blocks_are_kept_once() -> None:
    """The same run twice, and a prefix before the whole, end in the state of one run."""
    sink = MemorySink()
    assert None is sink.position(STRAND)
    for count in (2, 2, 5, 1):
        reached = sink.apply(BLOCKS[:count], position_at(BLOCKS[count - 1]), 1)
    assert position_at(BLOCKS[4]) == reached == sink.position(STRAND)
    assert BLOCKS == sink.blocks


def test_strands_have_positions_of_their_own() -> None:
    """What one strand has says nothing of another."""
    sink = MemorySink()
    other = make_block(0, "BBBBBBBBBBBBBBBBBBBBBB")
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 1)
    sink.apply([other], position_at(other), 1)
    assert [*BLOCKS[:2], other] == sink.blocks


def test_a_lower_token_is_refused_and_changes_nothing() -> None:
    """Whoever lost the strand to another worker can no longer write to it."""
    sink = MemorySink()
    sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 5)
    with pytest.raises(StaleTokenError) as caught:
        sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 4)
    assert StaleTokenError(STRAND, 5, 4) == caught.value
    assert (BLOCKS[:1], position_at(BLOCKS[0])) == (sink.blocks, sink.position(STRAND))


def test_blocks_stay_readable_after_close() -> None:
    """Closing takes nothing away."""
    sink = MemorySink()
    sink.apply(BLOCKS, position_at(BLOCKS[4]), 0)
    sink.close()
    assert BLOCKS == sink.blocks

"""A filter between verdict and sink, whatever it is."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.events import Block, Filtered
from qldb_stream.pipeline import Pipeline
from tests.pipeline.inboxes import PickySink, make_pipeline
from tests.pipeline.support import BLOCKS, STRAND


def empty(block: Block) -> Block:
    """Leave every revision out."""
    return attrs.evolve(block, revisions=(), filtered=Filtered({}))


class BrokenFilter:
    """A filter that cannot read a block."""

    def __init__(self, number: int) -> None:
        self.number = number

    def apply(self, block: Block) -> Block:
        """Fail at the block."""
        if block.address.sequence_no == self.number:
            raise UsageError("it cannot be filtered")
        return empty(block)


def test_what_a_filter_leaves_is_delivered_and_parked() -> None:
    """The sink, and the park, never see what the filter took out."""
    sink = PickySink(7)
    pipeline = make_pipeline(sink, filter=empty, on_refusal="park")
    assert pipeline.run(BLOCKS).ok
    assert all(not block.revisions for block in sink.blocks)
    parked = list(pipeline.parked())
    assert all(not each.block.revisions for each in parked)
    assert BLOCKS[-1].block_hash == sink.positions[STRAND].block_hash


def test_a_block_that_cannot_be_filtered_goes_nowhere() -> None:
    """What stands before it is applied; it is not parked either, unfiltered as it is."""
    sink = PickySink()
    pipeline = make_pipeline(sink, filter=BrokenFilter(9), on_refusal="park")
    with pytest.raises(QldbStreamError, match="cannot be filtered"):
        pipeline.run(BLOCKS)
    assert list(range(9)) == sink.numbers()
    assert [] == list(pipeline.parked())


def test_a_sink_that_takes_only_genuine_blocks_says_so(tmp_path: Path) -> None:
    """A mirror holds the very blocks of its source."""
    with pytest.raises(UsageError, match="without a filter"):
        Pipeline(f"ledger:{tmp_path / 'm.ledger'}?mode=mirror", filter=empty).run(BLOCKS)

"""What the tests of relational sinks share: blocks of any documents, and ways to apply them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from qldb_stream.events import Block
from qldb_stream.ion import IonSlice, iter_text, to_slice
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks._relational import RelationalSink
from qldb_stream.testing import JournalShape, make_journal

EVERYTHING = JournalShape(redactions=0.3, system=0.1, deletes=0.2)


@contextmanager
def opened(url: str) -> Iterator[RelationalSink]:
    """A sink that is closed afterwards."""
    sink = open_sink(url)
    assert isinstance(sink, RelationalSink)
    try:
        yield sink
    finally:
        sink.close()


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, -1, b"", start=0).at(block)


def apply_all(sink: RelationalSink, blocks: Sequence[Block], run: int = 10, token: int = 1) -> None:
    """Apply blocks, so many to a run."""
    for first in range(0, len(blocks), run):
        part = blocks[first : first + run]
        assert position_at(part[-1]) == sink.apply(part, position_at(part[-1]), token)


def journal_of(documents: Sequence[Any]) -> list[Block]:
    """
    Give blocks that insert documents into one table, one a block, in order.

    A document is a value or a slice of Ion. The hashes are those of other documents: sinks
    get verified blocks, and look at nothing twice.
    """
    shape = JournalShape(
        tables=1,
        most_revisions=1,
        updates=0.0,
        deletes=0.0,
        redactions=0.0,
        system=0.0,
        empty=0.0,
    )
    blocks = list(make_journal(1, blocks=len(documents) + 2, shape=shape))[2:]
    return [
        attrs.evolve(block, revisions=(attrs.evolve(block.revisions[0], data_ion=to_slice(data)),))
        for block, data in zip(blocks, documents, strict=True)
    ]


def ion(*texts: str) -> list[IonSlice]:
    """Read values from Ion text, each alone."""
    return [value for text in texts for value in iter_text(text)]

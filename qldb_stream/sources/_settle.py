"""
What is said of a block when it is found, so that it need not be read again.

Most blocks of most archives are sound. Whoever only wants to know that says so while a whole block
of an export is at hand, and the second pass goes over what was said; of blocks in parts, and of
copies, it is said when they stand together. What is said of consecutive blocks is written down
together: one by one, that costs as much as saying it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, BlockAddress, Event
from qldb_stream.parsers.export_places import OWN_TABLES, FoundBlock, Sight, Sighted, read_block
from qldb_stream.typing import Readable

__all__ = [
    "RUN_BLOCKS",
    "Judge",
    "Look",
    "Run",
    "RunMaker",
    "RunRow",
    "Said",
    "SumUp",
    "maybe_said",
    "read_said",
    "read_summed",
    "run_of",
    "said_of",
]

RUN_BLOCKS: Final = 1000
"""How many blocks a run has at most: what is said of them is held in memory."""

Judge: TypeAlias = Callable[[BlockAddress, Block | Sequence[Event]], Any]
"""Says what becomes of a block, read whole or as its events; None leaves it to the caller."""


SumUp: TypeAlias = Callable[[Sequence["Said"]], Any]
"""Sums up what was said of consecutive blocks; None where that cannot be."""


class Look(NamedTuple):
    """
    Says what becomes of a block, in whatever process it is read.

    Functions of modules, whose answers can be pickled; None leaves the block to the caller.

    Attributes:
        judge: says it of a block.
        sight: says the same at the sight of a block's bytes where it can.
        sum_up: says in one value what was said of consecutive blocks; None: it cannot.
    """

    judge: Judge
    sight: Sight | None = None
    sum_up: SumUp | None = None


RunRow: TypeAlias = tuple[str, int, int, int, bytes, bytes]
"""
A run of blocks of one file: strand, first and last number, file, what was said of each.

The last is what sums that up, with how long they are.
"""


class Said(NamedTuple):
    """
    What was said of a block, None for nothing; in how many events and bytes it came, with copies.

    It is a plain tuple because each block of an archive has one, which is pickled and read again.
    """

    answer: Any
    events: int
    length: int


@attrs.frozen(eq=False)
class Run:
    """
    What was said of consecutive blocks of which nothing else is here.

    `blocks` counts them, `length` is that of all; `summed` is what sums up what was said, None
    where that was not asked for or could not be done. Only then it is worth having `settled`.
    """

    blocks: int
    length: int
    summed: Any
    read: Callable[[], Sequence[Said]] = attrs.field(repr=False)

    @property
    def settled(self) -> Sequence[Said]:
        """Give what was said of each, as long as the reading lasts."""
        return self.read()


def run_of(said: Sequence[Said]) -> Run:
    """Join what was said of blocks."""
    return Run(len(said), sum([one.length for one in said]), None, lambda: said)


def maybe_said(look: Look, found: FoundBlock, carrier: Readable) -> Said | None:
    """
    Ask what becomes of a block that was found.

    Returns:
        None where the block could not be asked about, and is to be read again in its place: what
        is damaged in a text that was not read yet is told there.
    """
    block = found.seen
    if isinstance(block, Sighted):
        return Said(block.answer, 1 + block.revisions, found.length)
    if block is None:
        if found.tables != OWN_TABLES:
            return None
        try:
            block = read_block(carrier.read_at(found.offset, found.length))
        except DecodeError:
            return None
    return said_of(look, found.address, block, found.length)


def said_of(look: Look, address: BlockAddress, block: Block, length: int) -> Said:
    """Ask what becomes of a whole block."""
    events = 1 + sum(revision.metadata is not None for revision in block.revisions)
    return Said(look.judge(address, block), events, length)


def read_said(said: bytes) -> list[Said]:
    """Read what a run's row has; it comes from this program's own temporary files."""
    found: list[Said] = pickle.loads(said)  # noqa: S301 - as the docstring says
    return found


def read_summed(summed: bytes) -> tuple[int, Any]:
    """Read what sums up a run: how long its blocks are, and what was said of all."""
    found: tuple[int, Any] = pickle.loads(summed)  # noqa: S301 - as in `read_said`
    return found


class RunMaker:
    """Joins what is said of blocks to runs, for an index to keep."""

    def __init__(self, sum_up: SumUp | None = None) -> None:
        self._sum_up = sum_up
        self._file = self._first = 0
        self._strand_id = ""
        self._said: list[Said] = []

    def add(self, address: BlockAddress, file: int, said: Said) -> list[RunRow]:
        """Take what was said of the next block; give the run before it, where that has ended."""
        expected = (self._strand_id, self._first + len(self._said), self._file)
        follows = expected == (address.strand_id, address.sequence_no, file)
        ended = [] if follows and len(self._said) < RUN_BLOCKS else self.end()
        if not self._said:
            self._strand_id, self._first = address.strand_id, address.sequence_no
            self._file = file
        self._said.append(said)
        return ended

    def end(self) -> list[RunRow]:
        """Give the run that is under way."""
        if not self._said:
            return []
        said, self._said = self._said, []
        last = self._first + len(said) - 1
        summed = None if self._sum_up is None else self._sum_up(said)
        length = sum([one.length for one in said])
        data = [pickle.dumps(one, pickle.HIGHEST_PROTOCOL) for one in (said, (length, summed))]
        return [(self._strand_id, self._first, last, self._file, data[0], data[1])]

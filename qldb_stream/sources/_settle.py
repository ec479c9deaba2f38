"""
What is said of a block when it is found, so that it need not be read again.

Most blocks of most archives are sound. Whoever only wants to know that says so while a whole block
of an export is at hand, and the second pass goes over what was said; of blocks in parts, and of
copies, it is said when they stand together.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, BlockAddress, Event
from qldb_stream.parsers.export_places import OWN_TABLES, FoundBlock, read_block
from qldb_stream.typing import Readable

__all__ = ["Look", "Settled", "settle", "settled"]

Look: TypeAlias = Callable[[BlockAddress, Block | Sequence[Event]], Any]
"""
Says what becomes of a block, read whole or as its events, in whatever process it is read.

A function of a module, whose answer can be pickled; None leaves the block to the caller.
"""


@attrs.frozen
class Settled:
    """What was said of a block, and how many events it came in, copies included."""

    address: BlockAddress
    answer: Any
    events: int


def settle(look: Look, found: FoundBlock, carrier: Readable) -> bytes | None:
    """
    Ask what becomes of a block that was found.

    Returns:
        The answer for `settled`; None where the block is to be read again, in its place: what is
        damaged in a text that was not read yet is told there.
    """
    block = found.block
    if block is None:
        if found.tables != OWN_TABLES:
            return None
        try:
            block = read_block(carrier.read_at(found.offset, found.length))
        except DecodeError:
            return None
    answer = look(found.address, block)
    if answer is None:
        return None
    events = 1 + sum([revision.metadata is not None for revision in block.revisions])
    return pickle.dumps((answer, events), pickle.HIGHEST_PROTOCOL)


def settled(address: BlockAddress, answer: bytes) -> Settled:
    """Give what `settle` has said; it comes from this program's own temporary files."""
    return Settled(address, *pickle.loads(answer))  # noqa: S301 - as the docstring says

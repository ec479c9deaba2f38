"""
`memory:`: applied blocks in a list, for tests and for a look at what a pipeline does.

Exactly once by construction: a block at or below the position is passed over, and
position, token and blocks change together. Nothing outlives the process. What it holds can be
compared and repaired (`qldb_stream.typing.RepairableSink`); it does not erase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.events import Block, RevisionKind
from qldb_stream.hookspecs import SinkType, hookimpl
from qldb_stream.report import Position, StoredRevision

__all__ = ["MemorySink", "qldb_stream_register_sinks"]

_LAST: Final = 2**63 - 1
_GONE: Final = frozenset({RevisionKind.DELETE, RevisionKind.WITHHELD})


class MemorySink:
    """
    Keep every applied block, in order of arrival.

    Attributes:
        blocks: what was applied, each block once.
        positions: by strand, what `position` answers.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.positions: dict[str, Position] = {}
        self._tokens: dict[str, int] = {}

    def position(self, strand_id: str) -> Position | None:
        """Give what has been applied of a strand."""
        return self.positions.get(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Append the blocks that are not there yet.

        Raises:
            StaleTokenError: a higher token has been used on the strand; nothing changes.
        """
        strand_id = position.strand_id
        stored_token = self._tokens.get(strand_id, token)
        if token < stored_token:
            raise StaleTokenError(strand_id, stored_token, token)
        stored = self.positions.get(strand_id)
        self._tokens[strand_id] = token
        if stored is not None and stored.covers(position):
            return stored
        self.blocks += blocks if stored is None else stored.pending(blocks)
        self.positions[strand_id] = position
        return position

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Iterate over what it holds of these blocks when they are applied."""
        from qldb_stream.sinks._relational import expect_revisions  # sinks are listed without it

        for block in blocks:
            yield from expect_revisions(block, ())

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Iterate over what it holds of a range, by block number."""
        mine = [
            block
            for block in self.blocks
            if block.address.strand_id == strand_id and first <= block.address.sequence_no <= last
        ]
        return self.expect(sorted(mine, key=lambda block: block.address))

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Iterate over the newest revision of each document that is there now."""
        newest = {one.document_id: one for one in self.history(strand_id, 0, _LAST)}
        return (one for one in newest.values() if one.kind not in _GONE)

    def repair(self, blocks: Sequence[Block], token: int) -> None:  # noqa: ARG002 - of one process
        """Put these copies in the place of applied blocks."""
        anew = {block.address: block for block in blocks}
        there = [block for block in self.blocks if block.address not in anew]
        self.blocks = sorted([*there, *anew.values()], key=lambda block: block.address)

    def close(self) -> None:
        """Do nothing: the blocks stay readable."""


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `memory:`."""
    return [SinkType("memory", _open, "a list in memory, for tests and trials")]


def _open(path: str, _options: Mapping[str, str]) -> MemorySink:
    if path:
        raise UsageError(f"memory: takes no path, but {path!r} was given")
    return MemorySink()

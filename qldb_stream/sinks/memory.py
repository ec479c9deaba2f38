"""
`memory:`: applied blocks in a list, for tests and for a look at what a pipeline does.

Exactly once by construction: a block at or below the position is passed over, and
position, token and blocks change together. Nothing outlives the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.events import Block
from qldb_stream.hookspecs import SinkType, hookimpl
from qldb_stream.report import Position

__all__ = ["MemorySink", "qldb_stream_register_sinks"]


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

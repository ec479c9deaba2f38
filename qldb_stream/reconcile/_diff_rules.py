"""What the parts of a comparison of contents share."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from qldb_stream.events import Block
from qldb_stream.report import Position
from qldb_stream.typing import ReadableSink

PositionOf = Callable[[str], Position | None]
Filter = Callable[[Block], Block]


@attrs.frozen
class Verified:
    """
    What earlier runs found to agree.

    `through`: history, order and current state, up to it. `history`: the history alone, where
    a run did not come to its end.
    """

    through: Position | None = None
    history: Position | None = None

    @property
    def newest(self) -> Position | None:
        """Give the further of the two."""
        one, other = self.through, self.history
        if one is None or other is None:
            return one or other
        return max(one, other, key=lambda position: position.sequence_no)


@attrs.frozen
class Rules:
    """How a comparison is done; shared by its strands."""

    sink: ReadableSink
    position_of: PositionOf
    filter: Filter | None
    progress: Callable[[str, Verified], None]
    range_blocks: int

"""
The blocks of one strand that one sink was not given.

A block is durable in the inbox before the sink's position names it as parked. What the inbox
holds and the position does not name is what a crash left between the two, or between a requeue
and its tidying up: the block comes again, or was applied; it is removed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from qldb_stream.errors import BacklogError
from qldb_stream.events import Block
from qldb_stream.pipeline._follow import Followed, Touched, touched_by
from qldb_stream.report import ParkedBlock, ParkReason, Position
from qldb_stream.typing import Inbox

__all__ = ["PARKED_LIMIT", "ParkedBooks", "ParkedStrand"]

PARKED_LIMIT: Final = 10_000
"""How many blocks of a strand may be parked for a sink: what follows from them is in memory."""


class ParkedStrand:
    """
    Knows what is parked, and parks more.

    Attributes:
        numbers: the blocks that the position has to name as parked.
    """

    def __init__(self, inbox: Inbox, sink: str, strand_id: str, position: Position | None) -> None:
        self.numbers: frozenset[int] = frozenset() if position is None else position.parked
        self._inbox = inbox
        self._sink = sink
        self._strand_id = strand_id
        self._followed = Followed()
        left_over: list[int] = []
        for parked in inbox.parked(sink, strand_id):  # one held at a time
            number = parked.address.sequence_no
            if number in self.numbers:
                self._followed.add(number, touched_by(parked.block))
            else:
                left_over.append(number)
        for number in left_over:
            inbox.unpark(sink, strand_id, number)

    def cause(self, block: Block, mentioned: frozenset[str]) -> int | None:
        """Name the parked block that a block has to come after; None when it may go ahead."""
        return self._followed.cause(touched_by(block), mentioned) if self.numbers else None

    def park(
        self, block: Block, reason: ParkReason, detail: str, because_of: int | None, now_s: float
    ) -> ParkedBlock:
        """
        Put a block aside, durably; the position is the caller's business, and comes after.

        Raises:
            BacklogError: too many are parked.
            DeliveryError: the inbox cannot be reached.
        """
        if len(self.numbers) >= PARKED_LIMIT:
            waits_for = f"somebody to requeue or skip what sink {self._sink} refused"
            raise BacklogError(PARKED_LIMIT, "parked blocks", waits_for)
        touched = touched_by(block)
        parked = ParkedBlock(
            self._sink,
            block,
            reason,
            detail,
            datetime.fromtimestamp(now_s, UTC),
            touched.documents,
            _tables(touched),
            because_of,
        )
        self._inbox.park(parked)
        self._followed.add(block.address.sequence_no, touched)
        self.numbers |= {block.address.sequence_no}
        return parked


class ParkedBooks:
    """
    Keeps what is parked in memory for as long as a pipeline lives, by sink and strand.

    The parked blocks are read once, and again when the sink's position names others than are
    known here: somebody else has parked, requeued or skipped.
    """

    def __init__(self) -> None:
        self._strands: dict[tuple[str, str], ParkedStrand] = {}

    def open(
        self, inbox: Inbox, sink: str, strand_id: str, position: Position | None
    ) -> ParkedStrand:
        """
        Give what is parked of a strand.

        Raises:
            DeliveryError: the inbox cannot be reached.
        """
        named = frozenset() if position is None else position.parked
        known = self._strands.get((sink, strand_id))
        # Where nothing is named there is nothing to read but what a crash left, to remove it.
        if known is None or not named or known.numbers != named:
            known = ParkedStrand(inbox, sink, strand_id, position)
            self._strands[sink, strand_id] = known
        return known


def _tables(touched: Touched) -> frozenset[str]:
    return touched.tables | touched.altered

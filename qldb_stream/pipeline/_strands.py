"""What is known of one strand while its blocks pass: its gate, its next number, its problems."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import attrs

from qldb_stream.events import Block
from qldb_stream.pipeline._gate import StrandGate
from qldb_stream.report import Gap, iter_outside

__all__ = ["StrandState"]


@attrs.define
class StrandState:
    """
    What is known of a strand.

    `next` is the number that must come next, None while any may. `explained` is a heap of
    numbers that have problems of their own. `newest_left_out` is the highest number before
    the start that came.
    """

    gate: StrandGate
    next: int | None
    explained: list[int] = attrs.field(factory=list)
    is_begun: bool = False
    newest_left_out: int | None = None

    def is_past(self, block: Block) -> bool:
        """Say whether a block's turn was in this run, and is over."""
        return self.next is not None and block.address.sequence_no < self.next

    def has(self, block: Block) -> bool:
        """Say whether the sink had a block before this run."""
        had = self.gate.had
        return had is not None and block.address.sequence_no <= had.sequence_no

    def _pop_explained(self, until: int) -> set[int]:
        """Take the explained numbers up to one."""
        found = set()
        while self.explained and self.explained[0] <= until:
            found.add(heapq.heappop(self.explained))
        return found

    def iter_missing(
        self, first: int, last: int, declared: Sequence[Gap]
    ) -> Iterator[tuple[int, int]]:
        """Iterate over the runs of numbers that nothing explains; take what explained them."""
        had = self.gate.had
        gaps = (*declared, *(() if had is None else had.gaps))
        known = [(n, n) for n in self._pop_explained(last)]
        return iter_outside(first, last, [*known, *((gap.first, gap.last) for gap in gaps)])

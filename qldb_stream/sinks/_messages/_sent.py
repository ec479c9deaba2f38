"""What became of what was sent, and what cannot be called back."""

from __future__ import annotations

from collections.abc import Sequence

from qldb_stream.events import Block
from qldb_stream.report import SinkSummary

__all__ = ["Sent"]


class Sent:
    """
    Counts what a sink has sent since it was opened.

    What was sent cannot be taken back, so every redaction is pending: whoever received the
    document is told, and has to act.
    """

    def __init__(self) -> None:
        self._documents = 0
        self._pending: dict[tuple[str, int], None] = {}

    def count(self, blocks: Sequence[Block]) -> None:
        """Count blocks that were sent."""
        for block in blocks:
            self._documents += sum(r.metadata is not None for r in block.revisions)
            if block.summary.redaction_info is not None:
                self._pending[block.address.strand_id, block.address.sequence_no] = None

    def summary(self) -> SinkSummary:
        """Sum up."""
        return SinkSummary(self._documents, tuple(self._pending))

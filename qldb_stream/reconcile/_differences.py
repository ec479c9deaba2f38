"""What a comparison found."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Difference:
    """
    One place where a destination is not what its source says.

    `strand_id`, `sequence_no` and `document_id` are the source's; `destination_no` and
    `destination_id` are the block and the document of the destination (the table, where the
    difference is about a whole one). None where unknown or where the difference is about a
    whole block.
    """

    what: str
    strand_id: str | None = None
    sequence_no: int | None = None
    document_id: str | None = None
    table: str | None = None
    destination_no: int | None = None
    destination_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class Comparison:
    """
    What comparing a destination with its source came to.

    `blocks` and `revisions` count what was compared of the source, `documents` the
    current documents that were compared. `differences` are the first ones found, in the
    source's order; `more` counts those beyond. `requeued` counts blocks that were parked once and
    stand later in the destination; what they hold was compared like the rest.
    """

    blocks: int = 0
    revisions: int = 0
    documents: int = 0
    differences: tuple[Difference, ...] = ()
    more: int = 0
    requeued: int = 0

    @property
    def ok(self) -> bool:
        """Say whether the destination equals its source."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """Give the object that `compare --json` prints."""
        return {
            "ok": self.ok,
            "blocks": self.blocks,
            "revisions": self.revisions,
            "documents": self.documents,
            "differences": [difference.as_json() for difference in self.differences],
            "more": self.more,
            "requeued": self.requeued,
        }


class Findings:
    """Counts, and the first differences; what a comparison is made of."""

    def __init__(self, limit: int) -> None:
        self.blocks = 0
        self.revisions = 0
        self.documents = 0
        self.requeued = 0
        self._limit = limit
        self._kept: list[Difference] = []
        self._more = 0

    def add(self, difference: Difference) -> None:
        """Keep a difference, or count it when there are many."""
        if len(self._kept) < self._limit:
            self._kept.append(difference)
        else:
            self._more += 1

    def comparison(self) -> Comparison:
        """Sum up."""
        return Comparison(
            self.blocks,
            self.revisions,
            self.documents,
            tuple(self._kept),
            self._more,
            self.requeued,
        )

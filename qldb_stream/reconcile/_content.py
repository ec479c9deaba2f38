"""What comparing a sink's content with its source finds, and how it is summed up."""

from __future__ import annotations

import enum
from typing import Any, Final

import attrs

from qldb_stream.report import Position, StoredRevision, VerifyReport


class DiffCode(enum.Enum):
    """
    What kind of thing differs.

    The CURRENT_ ones are about the current state, OTHER_BLOCK and BEHIND about the sink's
    position, all others about the history. Of the MASKED and WITHHELD ones the sink holds what
    a filter left, where the source, or the filter of the comparison, has it in clear.
    """

    MISSING = "missing"
    EXTRA = "extra"
    TWICE = "twice"
    ALTERED = "altered"
    WRONG_VERSION = "wrong_version"
    WRONG_BLOCK = "wrong_block"
    WRONG_ORDER = "wrong_order"
    NOT_ERASED = "not_erased"
    ERASED = "erased"
    MASKED = "masked"
    WITHHELD = "withheld"
    CURRENT_MISSING = "current_missing"
    CURRENT_EXTRA = "current_extra"
    CURRENT_ALTERED = "current_altered"
    CURRENT_NOT_ERASED = "current_not_erased"
    CURRENT_MASKED = "current_masked"
    OTHER_BLOCK = "other_block"
    BEHIND = "behind"


HIDDEN: Final = frozenset({DiffCode.MASKED, DiffCode.WITHHELD, DiffCode.CURRENT_MASKED})
"""What a repair would put into the sink in clear."""


@attrs.frozen
class ContentDifference:
    """
    One place where a sink does not hold what its source says; without contents.

    `sequence_no` is the block in the source (of what only the sink has: in the sink),
    `found_no` and `found_version` are where the sink has it instead. `fields` names what is
    altered: `table`, `kind`, `hash` or `dataHash`, and paths in the document behind `data`.
    """

    code: DiffCode
    strand_id: str
    sequence_no: int
    document_id: str | None = None
    table: str | None = None
    version: int | None = None
    fields: tuple[str, ...] = ()
    found_no: int | None = None
    found_version: int | None = None

    @classmethod
    def of(cls, code: DiffCode, stored: StoredRevision, **more: Any) -> ContentDifference:
        """Make one about a revision."""
        return cls(
            code,
            stored.strand_id,
            stored.sequence_no,
            stored.document_id,
            stored.table,
            stored.version,
            **more,
        )

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self) | {"code": self.code.value, "fields": list(self.fields)}


@attrs.frozen
class NotCompared:
    """A range of blocks, both ends included, that was not compared, and why."""

    first: int
    last: int
    why: str


@attrs.frozen
class StrandDiff:
    """
    What comparing one strand came to.

    `position` is the sink's. `verified_through` is the last block up to which all agrees,
    from its `start` on; None when not even the first range does. `blocks` and
    `revisions` count what was compared of the history, `documents` of the current state, and
    `passed_over` blocks that had agreed before; `behind` those that the sink has still to get.
    `parked` and `gaps` are the numbers of the position that the source has and the sink
    has not, known and no difference. `current_compared` is False where the sink went on
    meanwhile, or has nothing. `plan` are the runs of blocks, both ends included, that a repair
    writes anew; `not_repairable` counts differences that no block of the source mends. `hidden`
    counts what is masked or withheld in the sink and would come out in clear; there is no plan
    then.
    """

    strand_id: str
    position: Position | None
    verified_through: Position | None
    blocks: int = 0
    revisions: int = 0
    documents: int = 0
    passed_over: int = 0
    behind: int = 0
    parked: tuple[int, ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()
    current_compared: bool = False
    not_compared: tuple[NotCompared, ...] = ()
    plan: tuple[tuple[int, int], ...] = ()
    not_repairable: int = 0
    hidden: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        through, position = self.verified_through, self.position
        return attrs.asdict(self, recurse=False) | {
            "position": None if position is None else position.as_json(),
            "verified_through": None if through is None else through.as_json(),
            "parked": list(self.parked),
            "gaps": [list(ends) for ends in self.gaps],
            "not_compared": [attrs.asdict(found) for found in self.not_compared],
            "plan": [list(ends) for ends in self.plan],
        }


@attrs.frozen
class ContentReport:
    """
    What comparing a sink with its source came to.

    `differences` are the first ones; `more` counts those beyond. `source` is what verifying
    the source came to.
    """

    source: VerifyReport
    strands: tuple[StrandDiff, ...] = ()
    differences: tuple[ContentDifference, ...] = ()
    more: int = 0

    @property
    def count(self) -> int:
        """Count the differences."""
        return len(self.differences) + self.more

    @property
    def ok(self) -> bool:
        """Say whether the source verifies, something was compared, and nothing differs."""
        seen = any(strand.blocks or strand.passed_over for strand in self.strands)
        return self.source.ok and seen and not self.count

    def as_json(self) -> dict[str, Any]:
        """Give the object that `diff --json` prints, `repair` apart."""
        return {
            "ok": self.ok,
            "strands": [strand.as_json() for strand in self.strands],
            "differences": [found.as_json() for found in self.differences],
            "more": self.more,
            "source": self.source.as_json(),
        }


class ContentFindings:
    """The first differences, and how many there are beyond them."""

    def __init__(self, limit: int) -> None:
        self.kept: list[ContentDifference] = []
        self.more = 0
        self.limit = limit

    @property
    def count(self) -> int:
        """Count all of them."""
        return len(self.kept) + self.more

    def add(self, difference: ContentDifference) -> None:
        """Keep a difference, or count it when there are many."""
        if len(self.kept) < self.limit:
            self.kept.append(difference)
        else:
            self.more += 1

    def take(self, others: ContentFindings) -> None:
        """Add what was found apart."""
        for difference in others.kept:
            self.add(difference)
        self.more += others.more

"""What a ledger found out about its own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class LedgerProblem:
    """
    One thing in a ledger's file that is not what its journal says; None where that is unknown.

    Attributes:
        place: the table of the file: block, revision, document, entry, catalog_table,
            catalog_index or setting; "file" for damage beneath the tables.
        message: what is wrong, one fixed sentence for each reason.
        field: the column, or the field of the block or revision.
        sequence_no: the block.
        document_id: the document.
        table: the table's name.
        index: the indexed field.
    """

    place: str
    message: str
    field: str | None = None
    sequence_no: int | None = None
    document_id: str | None = None
    table: str | None = None
    index: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class LedgerReport:
    """
    What the check of a ledger's file came to.

    `blocks`, `revisions`, `documents` (deleted ones included) and `entries` (of indexes)
    count what was checked. `problems` are the first ones; `more_problems` counts those beyond
    them. `not_checkable` counts by reason what could be neither verified nor refuted.
    """

    blocks: int = 0
    revisions: int = 0
    documents: int = 0
    entries: int = 0
    problems: tuple[LedgerProblem, ...] = ()
    more_problems: int = 0
    not_checkable: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def ok(self) -> bool:
        """Say whether no problem was found."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Give the object that `ledger check --json` prints."""
        return {
            "ok": self.ok,
            "blocks": self.blocks,
            "revisions": self.revisions,
            "documents": self.documents,
            "entries": self.entries,
            "not_checkable": dict(self.not_checkable),
            "problems": [problem.as_json() for problem in self.problems],
            "more_problems": self.more_problems,
        }

"""Count what verification finds, in memory that is bounded whatever a source holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Final

from qldb_stream.errors import ExportIncompleteError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.report import (
    BlockVerification,
    Check,
    Outcome,
    Problem,
    ProblemCode,
    StrandReport,
    UncheckedDocument,
    VerifyReport,
)

__all__ = ["LISTED_PER_CODE", "Tally"]

LISTED_PER_CODE: Final = 10_000
"""How many problems of one code are listed, about 5 MB; the rest is counted."""

_DOCUMENTS_PER_REASON: Final = 100


class Tally:
    """Sums up records, blocks and problems; `report` may be asked for at any time."""

    def __init__(self) -> None:
        self.records = 0
        self._blocks = 0
        self._revisions = 0
        self._rebuilt = 0
        self._not_checkable: Counter[str] = Counter()
        self._unchecked: dict[str, list[UncheckedDocument]] = {}
        self._problems: list[Problem] = []
        self._by_code: Counter[ProblemCode] = Counter()

    def add_problem(self, problem: Problem) -> None:
        """List a problem, or count it when enough of its code are listed."""
        self._by_code[problem.code] += 1
        if self._by_code[problem.code] <= LISTED_PER_CODE:
            self._problems.append(problem)

    def add_undecodable(self, item: Undecodable) -> None:
        """List what cannot be read, with file and place; or what an export lacks, by its file."""
        if isinstance(item.error, ExportIncompleteError):
            code, where = ProblemCode.EXPORT_INCOMPLETE, item.source
        else:
            code = ProblemCode.UNDECODABLE
            where = f"{item.source} at byte {item.offset}, {item.length} bytes"
        self.add_problem(Problem(code, f"{where}: {item.error}"))

    def add_verification(self, verification: BlockVerification, revisions: int) -> None:
        """Count a verified block, and its revisions that have contents."""
        self.add_sound(1, revisions)
        for check in verification.checks:
            if check.outcome is Outcome.NOT_CHECKABLE:
                self._not_checkable[check.detail] += 1
                self._note_document(verification.address, check)
            elif check.diagnosis is not None and check.outcome is Outcome.VERIFIED:
                self._rebuilt += check.name is ProblemCode.REVISION_HASH
        for problem in verification.problems:
            self.add_problem(problem)

    def add_sound(self, blocks: int, revisions: int) -> None:
        """Count blocks, and their revisions that have contents."""
        self._blocks += blocks
        self._revisions += revisions

    def note_not_checkable(self, address: BlockAddress, checks: Iterable[Check]) -> None:
        """Count what could not be checked in a block in which nothing failed."""
        for check in checks:
            self._not_checkable[check.detail] += 1
            self._note_document(address, check)

    def _note_document(self, address: BlockAddress, check: Check) -> None:
        """Remember of which document something is not checkable, the first ones by reason."""
        if check.document_id is None:
            return
        found = self._unchecked.setdefault(check.detail, [])
        if len(found) < _DOCUMENTS_PER_REASON:
            place = (address.strand_id, address.sequence_no)
            found.append(UncheckedDocument(check.detail, *place, check.document_id))

    def report(self, strands: tuple[StrandReport, ...]) -> VerifyReport:
        """Sum up what has been added so far."""
        return VerifyReport(
            self._blocks,
            self._revisions,
            dict(self._not_checkable),
            strands,
            (*self._problems, *self._unlisted()),
            self.records,
            rebuilt=self._rebuilt,
            unchecked=tuple(chain.from_iterable(self._unchecked.values())),
        )

    def _unlisted(self) -> list[Problem]:
        return [
            Problem(code, f"{count - LISTED_PER_CODE} more problems of this kind are not listed")
            for code, count in self._by_code.items()
            if count > LISTED_PER_CODE
        ]

"""
From which block of each strand on an archive is its owner's.

A stream that was made late, or an export from a date, never had the blocks before: its owner
says so, and what is missing is judged from there. Without a word that is block 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from qldb_stream.errors import ExportIncompleteError
from qldb_stream.report import Problem, ProblemCode

__all__ = ["Begin"]


@attrs.frozen
class Begin:
    """
    Where strands begin, as far as their owner is concerned.

    Attributes:
        everywhere: the first block of each strand that is not named.
        strands: the first block of those that are.
    """

    everywhere: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    strands: Mapping[str, int] = attrs.field(factory=dict)

    def of(self, strand_id: str | None) -> int:
        """Give the first block of a strand that its owner ever had."""
        if strand_id is None:
            return 0
        return self.strands.get(strand_id, self.everywhere)

    def excuses(self, strand_id: str | None, last: int | None) -> bool:
        """Say whether all blocks up to a number were never the owner's."""
        return last is not None and last < self.of(strand_id)

    def excuses_problem(self, problem: Problem) -> bool:
        """Say whether it is nothing but a lack in a block before."""
        lacks = problem.code is ProblemCode.INCOMPLETE
        return lacks and self.excuses(problem.strand_id, problem.sequence_no)

    def excuses_promise(self, error: object) -> bool:
        """Say whether an export's promise was about blocks before."""
        if not isinstance(error, ExportIncompleteError):
            return False
        return self.excuses(error.strand_id, error.last)

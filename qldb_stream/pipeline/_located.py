"""
Where the copies of a block or a revision stand that a problem is about.

Assembly takes the genuine copy and reports the other; it knows neither files nor bytes. A source
that tells where it has just read something is asked for the few problems that are about copies.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Final, Protocol, runtime_checkable

import attrs

from qldb_stream.events import BlockAddress, BlockSummary, RevisionDetails
from qldb_stream.formulas import revision_recomputes, summary_recomputes
from qldb_stream.report import Copy, Problem, ProblemCode
from qldb_stream.typing import Item

__all__ = ["RecallingSource", "with_copies"]

_ABOUT_COPIES: Final = frozenset(
    (
        ProblemCode.CONFLICT,
        ProblemCode.REVISION_HASH,
        ProblemCode.BLOCK_HASH,
        ProblemCode.MISMATCH,
    )
)
_NAMED: Final = 20  # copies; who has more has the same file in many places


@runtime_checkable
class RecallingSource(Protocol):
    """A source that tells, while it is read, where the block stands that came last."""

    def recall(self, address: BlockAddress) -> Iterable[tuple[str, int, Item]]:
        """Give what was read of a block a moment ago, each with its file and its first byte."""


def with_copies(problem: Problem, source: RecallingSource) -> Problem:
    """
    Give a problem that assembly has with a copy, with where all copies stand.

    Args:
        problem: of the block that was finished last.
        source: what it was read from.
    """
    strand_id, number = problem.strand_id, problem.sequence_no
    if problem.code not in _ABOUT_COPIES or strand_id is None or number is None:
        return problem
    found = [
        Copy(name, offset, fits)
        for name, offset, item in source.recall(BlockAddress(strand_id, number))
        if (fits := _maybe_fits(item, problem.document_id)) is not None
    ]
    if len(found) <= 1:
        return problem
    found.sort(key=attrgetter("fits"), reverse=True)
    return attrs.evolve(problem, copies=tuple(found[:_NAMED]))


def _maybe_fits(item: Item, document_id: str | None) -> bool | None:
    """Say whether an item fits its own hashes; None where it is no copy of what is looked for."""
    if isinstance(item, BlockSummary):
        return summary_recomputes(item) if document_id is None else None
    if isinstance(item, RevisionDetails) and document_id is not None:
        revision = item.revision
        return revision_recomputes(revision) if revision.document_id == document_id else None
    return None

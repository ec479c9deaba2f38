"""Which files hold the blocks that have problems: where an owner has to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import attrs

from qldb_stream.report import Problem, ProblemCode

__all__ = ["located"]

_OF_NO_FILE: Final = frozenset({ProblemCode.GAP, ProblemCode.DIGEST, ProblemCode.UNDECODABLE})
"""What is missing is in no file, a digest is of all blocks, and the last names its file itself."""


def located(
    problems: Iterable[Problem], holders: Callable[[str, int], tuple[str, ...]]
) -> tuple[Problem, ...]:
    """
    Say of each problem of a block which files hold something of it.

    Args:
        problems: what was found.
        holders: names the files that hold anything of a block, by strand and number.
    """
    return tuple([_located(problem, holders) for problem in problems])


def _located(problem: Problem, holders: Callable[[str, int], tuple[str, ...]]) -> Problem:
    strand_id, number = problem.strand_id, problem.sequence_no
    if strand_id is None or number is None or problem.code in _OF_NO_FILE:
        return problem
    return attrs.evolve(problem, held_by=holders(strand_id, number))

"""Counting: nothing is lost, and nothing grows without end."""

from __future__ import annotations

from qldb_stream.events import BlockAddress
from qldb_stream.pipeline._tally import LISTED_PER_CODE, Tally
from qldb_stream.report import BlockVerification, Check, Outcome, Problem, ProblemCode, VerifyReport

UNDECODABLE = Problem(ProblemCode.UNDECODABLE, "x at byte 0")
GAP = Problem(ProblemCode.GAP, "missing", "AAAAAAAAAAAAAAAAAAAAAA", 3)


def test_reasons_are_counted_and_failures_listed() -> None:
    """A check that could not be made counts by its reason, one that failed is a problem."""
    tally = Tally()
    unknown = Check(ProblemCode.CHAIN, Outcome.NOT_CHECKABLE, "the block before is not at hand")
    failed = Check(ProblemCode.BLOCK_HASH, Outcome.FAILED, "differs")
    verification = BlockVerification(BlockAddress("S", 1), (unknown, unknown, failed))
    tally.records = 4
    tally.add_verification(verification, 3)
    expected = VerifyReport(
        1, 3, {"the block before is not at hand": 2}, (), verification.problems, 4
    )
    assert expected == tally.report(())


def test_problems_beyond_the_bound_are_counted_by_code() -> None:
    """A source with millions of problems is told in a few thousand lines, all counted."""
    tally = Tally()
    for _ in range(LISTED_PER_CODE + 7):
        tally.add_problem(UNDECODABLE)
    tally.add_problem(GAP)
    problems = tally.report(()).problems
    rest = Problem(ProblemCode.UNDECODABLE, "7 more problems of this kind are not listed")
    assert LISTED_PER_CODE + 2 == len(problems)
    assert (GAP, rest) == problems[-2:]

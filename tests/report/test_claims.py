"""What reports claim: never more than was checked."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from qldb_stream.report import (
    Diagnosis,
    DigestCheck,
    DigestState,
    Evidence,
    FieldChange,
    Problem,
    ProblemCode,
    StrandReport,
    VerifyReport,
)
from qldb_stream.report.html import verify_page

STRAND = "AAAAAAAAAAAAAAAAAAAAAA"
WHOLE = StrandReport(STRAND, 0, 9, (), bytes(32))
REPORT = VerifyReport(blocks=10, strands=(WHOLE,), records=20)


def proves(report: VerifyReport) -> list[str]:
    """List the codes of what a report proves."""
    return [claim.code for claim in report.proves]


def limits(report: VerifyReport) -> list[str]:
    """List the codes of what a report leaves open."""
    return [claim.code for claim in report.limits]


def with_strand(strand: StrandReport) -> VerifyReport:
    """Give the report of another strand."""
    return attrs.evolve(REPORT, strands=(strand,))


def with_digest(state: DigestState, number: int = 9) -> VerifyReport:
    """Give the report after a digest was compared."""
    return attrs.evolve(REPORT, digests=(DigestCheck(state, bytes(32), STRAND, number),))


def test_a_whole_strand() -> None:
    """The chain is proven from its start, and that nobody rewrote it all is not."""
    assert (["CHAIN_FROM_START"], ["NO_DIGEST", "END_OPEN", "NOT_HASHED"]) == (
        proves(REPORT),
        limits(REPORT),
    )


def test_a_strand_that_starts_later() -> None:
    """Nothing is proven of what was before, and no digest stands for it."""
    report = with_strand(StrandReport(STRAND, 4, 9))
    assert ["CHAIN_FROM_FIRST"] == proves(report)
    assert ["STARTS_LATER", "NO_DIGEST", "END_OPEN", "NOT_HASHED"] == limits(report)


def test_a_block_alone_is_linked_to_nothing() -> None:
    """Of one block nothing is said of several, nor of links; one thing is one thing."""
    (proof,) = with_strand(StrandReport(STRAND, 4, 4)).proves
    assert proof.sentence.startswith("block 4 is here and fits its hashes: nothing can have been")
    report = attrs.evolve(REPORT, not_checkable={"why": 1}, redacted=1)
    sentences = [claim.sentence for claim in report.limits]
    assert any(text.startswith("1 thing could be neither verified") for text in sentences)
    assert any(text.startswith("what 1 redacted revision said") for text in sentences)


def test_a_strand_with_holes() -> None:
    """Declared or not, the pieces are proven each for itself."""
    report = with_strand(StrandReport(STRAND, 0, 9, ((3, 4),)))
    assert ["CHAIN_IN_PIECES"] == proves(report)
    assert "HOLES" in limits(report)


@pytest.mark.parametrize("strand_id", [STRAND, None])
def test_a_problem_leaves_nothing_proven(strand_id: str | None) -> None:
    """Neither of the strand that it is in, nor of any where nobody knows which it is in."""
    problem = Problem(ProblemCode.REVISION_HASH, "wrong", strand_id, 3)
    report = attrs.evolve(REPORT, problems=(problem,))
    assert ([], True) == (proves(report), "PROBLEMS" in limits(report))


def test_what_is_missing_and_what_is_no_journal_say_nothing_against_the_rest() -> None:
    """A hole leaves the pieces proven, and a foreign file all of them; it is a problem besides."""
    hole = Problem(ProblemCode.GAP, "missing", STRAND, 3)
    holed = attrs.evolve(with_strand(StrandReport(STRAND, 0, 9, ((3, 4),))), problems=(hole,))
    assert (["CHAIN_IN_PIECES"], True) == (proves(holed), "PROBLEMS" in limits(holed))
    foreign = attrs.evolve(REPORT, problems=(Problem(ProblemCode.UNDECODABLE, "a page"),))
    assert (["CHAIN_FROM_START"], True) == (proves(foreign), "PROBLEMS" in limits(foreign))


def test_a_problem_of_another_strand() -> None:
    """Says nothing against this one."""
    report = attrs.evolve(REPORT, problems=(Problem(ProblemCode.CHAIN, "wrong", "B", 3),))
    assert ["CHAIN_FROM_START"] == proves(report)


def test_a_digest_that_was_confirmed() -> None:
    """It says what hashes alone cannot, up to its tip."""
    assert ["CHAIN_FROM_START", "DIGEST_CONFIRMED"] == proves(with_digest(DigestState.CONFIRMED))
    assert ["END_OPEN", "NOT_HASHED"] == limits(with_digest(DigestState.CONFIRMED))
    assert ["AFTER_DIGEST", "NOT_HASHED"] == limits(with_digest(DigestState.CONFIRMED, 7))


def test_a_digest_that_differs() -> None:
    """The chain is not claimed to be what it was; one that could not be compared says nothing."""
    assert [] == proves(with_digest(DigestState.DIFFERS))
    could_not = with_digest(DigestState.BEYOND_LAST_BLOCK, 12)
    problem = Problem(ProblemCode.DIGEST, "beyond", STRAND, 12)
    assert ["CHAIN_FROM_START"] == proves(attrs.evolve(could_not, problems=(problem,)))


def test_what_is_not_checkable_is_said() -> None:
    """In the limits, and in the sentence that would else say too much."""
    report = attrs.evolve(REPORT, not_checkable={"a reason": 3}, rebuilt=2)
    assert "NOT_CHECKABLE" in limits(report)
    assert ["CHAIN_FROM_START", "REBUILT"] == proves(report)
    assert "nothing but what is not checkable" in report.proves[0].sentence


def test_an_empty_report_claims_nothing() -> None:
    """Neither for nor against."""
    assert ((), ()) == (VerifyReport().proves, VerifyReport().limits)


def test_values_are_shown_only_where_that_is_asked_for() -> None:
    """Message, sentence and repr have the path and the type, and never the value."""
    change = FieldChange(
        "data.amount", "FLOAT_FOR_DECIMAL", "a decimal, not a float", "decimal", "12.50"
    )
    diagnosis = Diagnosis(Evidence.REVISION_HASH, (change,))
    problem = Problem(
        ProblemCode.REVISION_HASH,
        f"wrong; {diagnosis.sentence}",
        STRAND,
        3,
        "D",
        "data.amount",
        diagnosis,
    )
    assert "wrong; it verifies if `data.amount` is a decimal, not a float" == problem.message
    assert "wrong; it verifies if `data.amount` is decimal 12.50" == problem.shown
    assert "12.50" not in repr(problem)
    assert "12.50" == problem.as_json()["diagnosis"]["changes"][0]["value"]


def test_many_changes_are_counted() -> None:
    """Three are named, the others counted, and the field is the part that they are in."""
    changes = tuple(FieldChange(f"data.lines[{n}].x", "X", "a decimal") for n in range(5))
    diagnosis = Diagnosis(Evidence.REVISION_HASH, changes)
    assert diagnosis.sentence.endswith("`data.lines[2].x` is a decimal, and 2 more")
    assert "data" == diagnosis.field


def test_the_page_has_digests_and_no_values() -> None:
    """What was compared is there with why; values of a diagnosis are nowhere."""
    change = FieldChange("data.amount", "X", "a decimal, not a float", "decimal", "987.65")
    diagnosis = Diagnosis(Evidence.REVISION_HASH, (change,))
    message = f"wrong; {diagnosis.sentence}"
    problem = Problem(ProblemCode.REVISION_HASH, message, STRAND, 3, "D", "data.amount", diagnosis)
    report = attrs.evolve(with_digest(DigestState.DIFFERS), problems=(problem,))
    page = verify_page(report, ["archive"], made_at=datetime(2026, 11, 28, tzinfo=UTC), maker="m")
    assert "DIFFERS" in page
    assert "data.amount" in page
    assert "987.65" not in page

"""The kit catches what is wrong with a sink, says where, and passes one that is sound."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.report import Guarantee
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing.kit import (
    SCENARIOS,
    Bench,
    ScenarioOutcome,
    ScenarioResult,
    SinkCheckError,
    check_sink,
    run_scenario,
    subject_of,
)
from tests.testing.kit import flawed, untrue

KILLS = "killed at random moments"

# What is wrong, and a scenario that must notice it, by which it is looked for.
FLAWS = {
    flawed.LosesBlocks: "every block leaves a trace",
    flawed.AppliesTwice: "a prefix, then the whole",
    flawed.ForgetsPosition: "opened again",
    flawed.ForgetsParked: "every seventh block parked",
    flawed.IgnoresToken: "an old worker comes back",
    flawed.WritesBackwards: "runs of any length",
    flawed.DoesNotErase: "a redaction",
    flawed.NeedsWhatItRedacts: "every seventh block parked",
    flawed.ErasesTooMuch: "a redaction",
    flawed.LeavesTraces: "a redaction",
    flawed.IsNotAtomic: "a crash within each apply",
    flawed.PositionFirst: "a crash within each apply",
    flawed.KeepsDeleted: "every block leaves a trace",
    flawed.DropsLargeDocuments: "a document: 128 KB",
    flawed.TrustsStatements: "renamed tables",
    flawed.AnswersNothing: "an empty run",
    flawed.LosesRequeued: "every seventh block parked",
    flawed.HasClock: "one clean run",
}


# What is untrue of what a readable sink tells, and what is said of it.
UNTRUE = {
    untrue.ExpectsNothing: "expect() does not say",
    untrue.ExpectsWhatIsThere: "expect() of a sink that has nothing yet",
    untrue.ExpectsEverything: "expect() of 0 of the blocks",
    untrue.ExpectsNoProof: "expect() does not say",
    untrue.ExpectsOtherData: "expect() does not say",
    untrue.ExpectsTwice: "expect() tells of one revision more than once",
    untrue.TellsBackwards: "history() is not in the order of blocks",
    untrue.TellsTooMuch: "history() of blocks",
    untrue.TellsOfOthers: "a strand that was not delivered has content",
    untrue.HasOldDocuments: "current() tells another revision",
    untrue.LacksADocument: "current() does not tell of the documents",
}


@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.__name__)
def test_a_flaw_is_caught(flaw: type[flawed.SoundSink]) -> None:
    """The scenario that is meant for it fails, and says what to look at."""
    (scenario,) = (s for s in SCENARIOS if s.name == FLAWS[flaw])
    bench = Bench(subject_of(flaw, flawed.read_back))
    try:
        result = run_scenario(scenario, bench)
    finally:
        bench.close()
    assert ScenarioOutcome.FAILED is result.outcome
    assert result.finding is not None
    assert "" not in {result.finding.expected, result.finding.found, result.finding.look_at}


def _outcome(sink: type[MemorySink], scenario: str, **declared: Any) -> ScenarioResult:
    """Put a sink in memory through one scenario."""
    (found,) = (s for s in SCENARIOS if s.name == scenario)
    bench = Bench(subject_of(sink, None, durable=False, **declared))
    try:
        return run_scenario(found, bench)
    finally:
        bench.close()


@pytest.mark.parametrize("sink", UNTRUE, ids=lambda sink: sink.__name__)
def test_what_is_untrue_is_caught(sink: type[untrue.TruthfulSink]) -> None:
    """A sink that tells something else of itself than what it holds, or should, is found out."""
    result = _outcome(sink, "one clean run")
    assert result.finding is not None
    assert result.finding.problem.startswith(UNTRUE[sink]), result.finding
    assert ScenarioOutcome.FAILED is result.outcome


def test_what_is_true_passes() -> None:
    """The sink of which these are made has no finding."""
    assert ScenarioOutcome.PASSED is _outcome(untrue.TruthfulSink, "one clean run").outcome


class _CannotPark(MemorySink):
    """A sink that says by itself what it cannot."""

    can_park = False
    takes_filtered = False


@pytest.mark.parametrize(
    ("scenario", "given"),
    [
        ("every seventh block parked", {"can_park": True}),
        ("renamed tables", {"takes_filtered": True}),
    ],
)
def test_what_the_open_sink_declares_counts(scenario: str, given: dict[str, bool]) -> None:
    """The caller's word comes first, then an attribute of the sink, then its type."""
    assert ScenarioOutcome.LEFT_OUT is _outcome(_CannotPark, scenario).outcome
    assert ScenarioOutcome.PASSED is _outcome(MemorySink, scenario).outcome
    assert ScenarioOutcome.PASSED is _outcome(_CannotPark, scenario, **given).outcome


def test_a_sound_sink_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is found, and the badge is printed."""
    report = check_sink(flawed.SoundSink, flawed.read_back, kills=3)
    assert report.ok
    assert ("exactly once", "in order", "erases") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )
    assert str(report.badge) in capsys.readouterr().out
    assert set() == {r.name for r in report.scenarios if r.outcome is ScenarioOutcome.LEFT_OUT}
    assert report.badge.blocks_per_s


def test_repeats_with_a_key_are_harmless() -> None:
    """A sink without a position passes as at least once; its badge says so."""
    report = check_sink(
        flawed.SometimesBare, flawed.read_pairs, guarantee=Guarantee.AT_LEAST_ONCE, kills=1
    )
    assert "at least once, harmless" == report.badge.guarantee


def test_repeats_without_a_key_are_not() -> None:
    """All failures are collected, and the error names each."""
    with pytest.raises(SinkCheckError) as caught:
        check_sink(
            flawed.SometimesBare, flawed.read_counted, guarantee=Guarantee.AT_LEAST_ONCE, kills=1
        )
    failed = [result.name for result in caught.value.report.failed]
    assert {"a crash after each apply", "the same run twice"} <= set(failed)
    assert all(name in str(caught.value) for name in failed)
    assert not caught.value.report.ok
    assert "not shown" == caught.value.report.badge.guarantee

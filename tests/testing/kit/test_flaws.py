"""The kit catches what is wrong with a sink, says where, and passes one that is sound."""

from __future__ import annotations

import pytest

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import (
    SCENARIOS,
    Bench,
    ScenarioOutcome,
    SinkCheckError,
    check_sink,
    run_scenario,
    subject_of,
)
from tests.testing.kit import flawed

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

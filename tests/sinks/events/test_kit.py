"""The kit, on a FIFO queue of moto's server, which takes a queue's messages ever more slowly."""

from __future__ import annotations

import pytest

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import (
    SCENARIOS,
    Bench,
    check_sink,
    make_report,
    run_scenario,
    subject_of,
)
from tests.sinks.events.channels import kit_queue, read_back

QUICK = {
    "the same run twice",
    "masked and withheld",
    "a document: every Ion type",
    "a document: 128 KB",
    "a redaction",
    "redacted copies",
    "an old worker comes back",
    "unavailable every seventh time",
    "every seventh block parked",
}


def test_it_passes_the_kit() -> None:
    """Repeats carry the same id and the same body; nothing is lost, and documents are in order."""
    bench = Bench(subject_of(kit_queue, read_back, guarantee=Guarantee.AT_LEAST_ONCE))
    chosen = [scenario for scenario in SCENARIOS if scenario.name in QUICK]
    report = make_report(bench, [run_scenario(scenario, bench) for scenario in chosen])
    bench.close()
    assert len(QUICK) == len(chosen)
    assert report.ok, str(report)
    assert ("at least once, harmless", "does not erase, and claims nothing") == (
        report.badge.guarantee,
        report.badge.erase,
    )


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_passes_all_of_the_kit() -> None:
    """Processes that are killed, and two at once, too."""
    assert check_sink(kit_queue, read_back, guarantee=Guarantee.AT_LEAST_ONCE, kills=2).ok

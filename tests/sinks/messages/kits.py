"""
The part of the kit that a build has time for; `make soak` has the whole.

The sinks that send make the same messages and are opened slowly (a producer and its transactional
id, a TLS connection, a boto3 client), and the kit opens each hundreds of times.
"""

from __future__ import annotations

from contextlib import closing

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import (
    SCENARIOS,
    Bench,
    MakeSink,
    ReadBack,
    SinkReport,
    make_report,
    run_scenario,
    subject_of,
)

_QUICK = {
    "the same run twice",
    "deletes and late updates",
    "masked and withheld",
    "a document: every Ion type",
    "a document: 128 KB",
    "a redaction",
    "redacted copies",
    "an old worker comes back",
    "unavailable every seventh time",
    "every seventh block parked",
}


def check_quickly(
    make_sink: MakeSink, read_back: ReadBack | None, guarantee: Guarantee, *more: str
) -> SinkReport:
    """Run some scenarios, and those that are named; they must pass."""
    names = _QUICK | set(more)
    chosen = [scenario for scenario in SCENARIOS if scenario.name in names]
    assert len(names) == len(chosen)
    with closing(Bench(subject_of(make_sink, read_back, guarantee=guarantee), 2)) as bench:
        report = make_report(bench, [run_scenario(scenario, bench) for scenario in chosen])
    assert report.ok, str(report)
    return report

"""Put a sink through everything."""

from __future__ import annotations

import sys
from typing import Final

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import (
    _basics,
    _crashes,
    _documents,
    _erasure,
    _parking,
    _workers,
)
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._erasure import NOT_ASKED
from qldb_stream.testing.kit._report import (
    Badge,
    ScenarioOutcome,
    ScenarioResult,
    SinkCheckError,
    SinkReport,
)
from qldb_stream.testing.kit._scenario import Scenario, run_scenario
from qldb_stream.testing.kit._subject import MakeSink, ReadBack, subject_of

__all__ = ["KILLS", "SCENARIOS", "check_sink", "make_report"]

KILLS: Final = 5
"""How many processes are killed, unless the caller says otherwise; each takes its start-up."""

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *_basics.SCENARIOS,
    *_documents.SCENARIOS,
    *_crashes.SCENARIOS,
    *_erasure.SCENARIOS,
    *_workers.SCENARIOS,
    *_parking.SCENARIOS,
)
"""Everything that a sink is put through, in the order in which it is best read."""

_ORDER: Final = frozenset({"one clean run", "runs of any length", "a prefix, then the whole"})


def check_sink(
    make_sink: MakeSink,
    read_back: ReadBack | None = None,
    *,
    guarantee: Guarantee | None = None,
    can_park: bool | None = None,
    takes_filtered: bool | None = None,
    durable: bool = True,
    kills: int = KILLS,
) -> SinkReport:
    """
    Put a sink through everything that may happen to it, and print what came of it.

    Whatever happens, its content must be that of one clean run.

    Args:
        make_sink: a sink's URL, with ``{tmp}`` for a fresh folder or ``{n}`` for a fresh
            name of 12 hex digits; or an importable callable without arguments, or its
            MODULE:NAME, which asks `kit_place` for its place. Called again for the same
            place, it opens the sink that was closed, or whose process was killed.
        read_back: is given an open sink and gives all that it holds, as values that compare
            equal, without what follows from clock or chance. Without it the sink must be a
            `qldb_stream.typing.ReadableSink`. Of a sink that delivers at least once it gives
            pairs of delivery key and delivery, in order.
        guarantee: what the sink declares; None for what its `SinkType` says.
        can_park: whether blocks may be parked; None for what an attribute of this name of the
            open sink says, or else its `SinkType`.
        takes_filtered: whether it takes blocks that a filter changed; the same of None.
        durable: False for a sink that nothing outlives, such as one in memory.
        kills: how many processes are killed while they deliver.

    Returns:
        The report, which is printed too.

    Raises:
        SinkCheckError: scenarios failed; each is named, with what was expected and found.
        UsageError: the sink cannot be made, or not be read back.
    """
    subject = subject_of(
        make_sink,
        read_back,
        guarantee=guarantee,
        can_park=can_park,
        takes_filtered=takes_filtered,
        durable=durable,
    )
    bench = Bench(subject, kills)
    try:
        results = [run_scenario(scenario, bench) for scenario in SCENARIOS]
    finally:
        bench.close()
    report = make_report(bench, results)
    sys.stdout.write(f"{report}\n")
    if not report.ok:
        raise SinkCheckError(report)
    return report


def make_report(bench: Bench, results: list[ScenarioResult]) -> SinkReport:
    """Sum up what scenarios came to."""
    failed = {r.name for r in results if r.outcome is ScenarioOutcome.FAILED}
    exactly = bench.subject.guarantee is Guarantee.EXACTLY_ONCE
    badge = Badge(
        "not shown" if failed else "exactly once" if exactly else "at least once, harmless",
        "order not shown" if failed & _ORDER else "in order",
        bench.erase or NOT_ASKED,
        bench.blocks_per_s,
    )
    return SinkReport(bench.subject.name, badge, tuple(results))

"""
The pytest plug-in: ``pytest --qldb-sink=URL`` runs each scenario of the kit as a test.

It is found by its entry point wherever this package is installed, and loads nothing else
before a sink is named. Options, all of them those of `qldb_stream.testing.kit.check_sink`:

- ``--qldb-sink=URL`` or ``MODULE:NAME``: the sink, with ``{tmp}`` or ``{n}`` in the URL;
- ``--qldb-read-back=MODULE:NAME``: what reads it back, unless it is a ReadableSink;
- ``--qldb-without=parking|filtered|durable|exactly-once``: what it does not declare; may be
  given several times, or with commas.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from qldb_stream.testing.kit import Bench, Scenario, ScenarioResult

__all__: list[str] = []

_WITHOUT: Final = ("parking", "filtered", "durable", "exactly-once")
_BENCH: Final = pytest.StashKey["Bench"]()
_RESULTS: Final = pytest.StashKey[list["ScenarioResult"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("qldb-stream", "conformance of a qldb-stream sink")
    group.addoption("--qldb-sink", metavar="URL", help="run the kit's scenarios on this sink")
    group.addoption("--qldb-read-back", metavar="MODULE:NAME", help="what reads the sink back")
    group.addoption(
        "--qldb-without",
        metavar="WHAT",
        action="append",
        default=[],
        help=f"what the sink does not declare: {', '.join(_WITHOUT)}",
    )


@pytest.hookimpl(tryfirst=True)  # before -k chooses
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add an item for each scenario."""
    if config.getoption("qldb_sink") is None:
        return
    from qldb_stream.testing.kit import SCENARIOS

    config.stash[_BENCH] = _make_bench(config)
    config.stash[_RESULTS] = []
    parent = SinkCollector.from_parent(session, name="qldb-sink", nodeid="qldb-sink")
    items += [
        ScenarioItem.from_parent(parent, name=scenario.name, scenario=scenario)
        for scenario in SCENARIOS
    ]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the badge."""
    bench = config.stash.get(_BENCH, None)
    if bench is None or not config.stash[_RESULTS]:
        return
    from qldb_stream.testing.kit import make_report

    report = make_report(bench, config.stash[_RESULTS])
    terminalreporter.section("qldb-stream sink")
    terminalreporter.write_line(f"{report.sink}  {report.badge}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the scenarios left."""
    bench = config.stash.get(_BENCH, None)
    if bench is not None:
        bench.close()


class SinkCollector(pytest.Collector):
    """What the scenarios hang on; they are in no file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Collect nothing: the items are made by the hook."""
        return iter(())


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, scenario: Scenario, **more: Any) -> None:
        super().__init__(**more)
        self._scenario = scenario

    def runtest(self) -> None:
        """Run it; a finding is a failure, what the sink does not declare is skipped."""
        from qldb_stream.testing.kit import ScenarioOutcome, run_scenario

        result = run_scenario(self._scenario, self.config.stash[_BENCH])
        self.config.stash[_RESULTS].append(result)
        if result.outcome is ScenarioOutcome.LEFT_OUT:
            pytest.skip(result.detail)
        if result.finding is not None:
            pytest.fail(f"{self.name}: {result.finding}", pytrace=False)
        if result.detail:
            self.add_report_section("call", "kit", result.detail)

    def reportinfo(self) -> tuple[str, None, str]:
        """Name the sink and the scenario."""
        return "qldb-sink", None, self.name


def _make_bench(config: pytest.Config) -> Bench:
    from qldb_stream.errors import UsageError
    from qldb_stream.report import Guarantee
    from qldb_stream.testing.kit import Bench, import_named, subject_of

    without = {what for given in config.getoption("qldb_without") for what in given.split(",")}
    if unknown := without.difference(_WITHOUT):
        raise pytest.UsageError(
            f"--qldb-without: {', '.join(sorted(unknown))}; there is only {', '.join(_WITHOUT)}"
        )
    read_back = config.getoption("qldb_read_back")
    try:
        return Bench(
            subject_of(
                config.getoption("qldb_sink"),
                None if read_back is None else import_named(read_back),
                guarantee=Guarantee.AT_LEAST_ONCE if "exactly-once" in without else None,
                can_park=False if "parking" in without else None,
                takes_filtered=False if "filtered" in without else None,
                durable="durable" not in without,
            )
        )
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from exc

"""
Prove a sink: `check_sink` puts any sink through everything that may happen to it.

Needs neither pytest nor Hypothesis. Each scenario is a function of a bench; the pytest plug-in
(`qldb_stream.testing.pytest_plugin`) runs the same ones as tests.
"""

from __future__ import annotations

from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._check import KILLS, SCENARIOS, check_sink, make_report
from qldb_stream.testing.kit._place import kit_place
from qldb_stream.testing.kit._report import (
    Badge,
    Finding,
    ScenarioOutcome,
    ScenarioResult,
    SinkCheckError,
    SinkReport,
)
from qldb_stream.testing.kit._scenario import Scenario, run_scenario
from qldb_stream.testing.kit._subject import MakeSink, ReadBack, import_named, subject_of

__all__ = [
    "KILLS",
    "SCENARIOS",
    "Badge",
    "Bench",
    "Finding",
    "MakeSink",
    "ReadBack",
    "Scenario",
    "ScenarioOutcome",
    "ScenarioResult",
    "SinkCheckError",
    "SinkReport",
    "check_sink",
    "import_named",
    "kit_place",
    "make_report",
    "run_scenario",
    "subject_of",
]

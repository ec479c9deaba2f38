"""What a scenario is, and how one is run."""

from __future__ import annotations

import enum
import time
import traceback
from collections.abc import Callable
from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import shown
from qldb_stream.testing.kit._report import (
    Finding,
    FindingError,
    ScenarioOutcome,
    ScenarioResult,
)

__all__ = ["Needs", "Scenario", "run_scenario"]

_FRAMES: Final = 3


class Needs(enum.Enum):
    """What a sink must declare for a scenario to mean anything; the value says so."""

    PARKING = "the sink declares that its blocks cannot be parked"
    FILTERED = "the sink declares that it takes no filtered blocks"
    DURABLE = "nothing outlives this sink"


@attrs.frozen
class Scenario:
    """
    One thing that a sink is put through.

    `run` raises what is wrong, and may answer what is worth knowing. `about` is one sentence.
    """

    name: str
    about: str
    run: Callable[[Bench], str | None]
    needs: Needs | None = None

    def why_not(self, bench: Bench) -> str | None:
        """Say why it is left out for a sink; None when it is not."""
        met = {
            Needs.PARKING: lambda: bench.declares("can_park"),
            Needs.FILTERED: lambda: bench.declares("takes_filtered"),
            Needs.DURABLE: lambda: bench.subject.durable,
        }
        return None if self.needs is None or met[self.needs]() else self.needs.value


def run_scenario(scenario: Scenario, bench: Bench) -> ScenarioResult:
    """
    Run a scenario, and say what became of it.

    Raises:
        UsageError: the kit was asked for something that makes no sense.
    """
    began = time.perf_counter()
    outcome, detail, finding = _run(scenario, bench)
    seconds = time.perf_counter() - began
    return ScenarioResult(scenario.name, outcome, detail, finding, seconds)


def _run(scenario: Scenario, bench: Bench) -> tuple[ScenarioOutcome, str, Finding | None]:
    try:
        reason = scenario.why_not(bench)
        if reason is not None:
            return ScenarioOutcome.LEFT_OUT, reason, None
        return ScenarioOutcome.PASSED, scenario.run(bench) or "", None
    except FindingError as error:
        return ScenarioOutcome.FAILED, "", error.finding
    except UsageError:
        raise
    except Exception as exc:  # noqa: BLE001 - somebody else's sink may raise anything
        finding = Finding(
            f"{type(exc).__name__} was raised",
            scenario.about,
            shown(str(exc)),
            _where(exc),
        )
        return ScenarioOutcome.FAILED, "", finding


def _where(exc: Exception) -> str:
    """Name the last lines that were at work, innermost last."""
    frames = traceback.extract_tb(exc.__traceback__)[-_FRAMES:]
    return ", ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)

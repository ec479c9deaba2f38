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
from qldb_stream.testing.kit._subject import Subject

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

    def why_not(self, subject: Subject) -> str | None:
        """Say why it is left out for a sink; None when it is not."""
        met = {
            None: True,
            Needs.PARKING: subject.can_park,
            Needs.FILTERED: subject.takes_filtered,
            Needs.DURABLE: subject.durable,
        }
        return None if met[self.needs] or self.needs is None else self.needs.value


def run_scenario(scenario: Scenario, bench: Bench) -> ScenarioResult:
    """
    Run a scenario, and say what became of it.

    Raises:
        UsageError: the kit was asked for something that makes no sense.
    """
    reason = scenario.why_not(bench.subject)
    if reason is not None:
        return ScenarioResult(scenario.name, ScenarioOutcome.LEFT_OUT, reason)
    began = time.perf_counter()
    detail, finding = _run(scenario, bench)
    outcome = ScenarioOutcome.PASSED if finding is None else ScenarioOutcome.FAILED
    seconds = time.perf_counter() - began
    return ScenarioResult(scenario.name, outcome, detail, finding, seconds)


def _run(scenario: Scenario, bench: Bench) -> tuple[str, Finding | None]:
    try:
        return scenario.run(bench) or "", None
    except FindingError as error:
        return "", error.finding
    except UsageError:
        raise
    except Exception as exc:  # noqa: BLE001 - somebody else's sink may raise anything
        return "", Finding(
            f"{type(exc).__name__} was raised",
            scenario.about,
            shown(str(exc)),
            _where(exc),
        )


def _where(exc: Exception) -> str:
    """Name the last lines that were at work, innermost last."""
    frames = traceback.extract_tb(exc.__traceback__)[-_FRAMES:]
    return ", ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)

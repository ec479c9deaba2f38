"""What the kit found: frozen values, and the error that carries them."""

from __future__ import annotations

import enum
from typing import Any, Final

import attrs

__all__ = [
    "Badge",
    "Finding",
    "FindingError",
    "ScenarioOutcome",
    "ScenarioResult",
    "SinkCheckError",
    "SinkReport",
]


class ScenarioOutcome(enum.Enum):
    """What became of a scenario."""

    PASSED = "passed"
    FAILED = "failed"
    LEFT_OUT = "left out"


@attrs.frozen
class Finding:
    """
    What a sink did wrong.

    `expected` and `found` are texts, cut where they are long: all documents are the kit's
    own. `look_at` is what the sink's author should look at.
    """

    problem: str
    expected: str
    found: str
    look_at: str

    def __str__(self) -> str:
        return (
            f"{self.problem}\n    expected: {self.expected}\n    found:    {self.found}\n"
            f"    look at:  {self.look_at}"
        )


class FindingError(AssertionError):
    """A scenario's end at the first thing that is wrong; `finding` says what."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding


@attrs.frozen
class ScenarioResult:
    """
    One scenario: what became of it, and why.

    `detail` says why it was left out, or what is worth knowing though nothing is wrong;
    `finding` is there when it failed. `seconds` decide nothing.
    """

    name: str
    outcome: ScenarioOutcome
    detail: str = ""
    finding: Finding | None = None
    seconds: float = attrs.field(default=0.0, eq=False)


_MARKS: Final = {
    ScenarioOutcome.PASSED: "ok  ",
    ScenarioOutcome.FAILED: "FAIL",
    ScenarioOutcome.LEFT_OUT: "-   ",
}


@attrs.frozen
class Badge:
    """
    What a sink has shown, in few words.

    `guarantee` is "exactly once", "at least once, harmless" or "not shown"; `order` "in
    order" or "not shown"; `erase` says whether redacted content is gone. `blocks_per_s` is
    one measurement, None where none was made; it decides nothing.
    """

    guarantee: str
    order: str
    erase: str
    blocks_per_s: float | None = attrs.field(default=None, eq=False)

    def __str__(self) -> str:
        speed = "" if self.blocks_per_s is None else f" · {self.blocks_per_s:,.0f} blocks/s"
        return f"[ {self.guarantee} · {self.order} · {self.erase}{speed} ]"


@attrs.frozen
class SinkReport:
    """What became of all scenarios; `sink` names it without passwords."""

    sink: str
    badge: Badge
    scenarios: tuple[ScenarioResult, ...]

    @property
    def ok(self) -> bool:
        """Say whether no scenario failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[ScenarioResult, ...]:
        """Give the scenarios that failed."""
        return tuple(r for r in self.scenarios if r.outcome is ScenarioOutcome.FAILED)

    def as_json(self) -> dict[str, Any]:
        """Give values that JSON can write."""
        return {
            "ok": self.ok,
            "sink": self.sink,
            "badge": attrs.asdict(self.badge),
            "scenarios": [
                attrs.asdict(result) | {"outcome": result.outcome.value}
                for result in self.scenarios
            ],
        }

    def __str__(self) -> str:
        lines = [f"{self.sink}  {self.badge}"]
        for result in self.scenarios:
            detail = f": {result.detail}" if result.detail else ""
            lines.append(f"  {_MARKS[result.outcome]} {result.name}{detail}")
            if result.finding is not None:
                lines.append(f"    {result.finding}")
        return "\n".join(lines)


class SinkCheckError(AssertionError):
    """A sink that failed scenarios; `report` has all of them, failed or not."""

    def __init__(self, report: SinkReport) -> None:
        failed = "\n".join(f"{result.name}: {result.finding}" for result in report.failed)
        super().__init__(f"{report.sink} fails {len(report.failed)} scenarios\n{failed}")
        self.report = report

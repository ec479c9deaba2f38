"""
A state machine carried out: as much of Amazon States Language as the deployment has.

https://states-language.net/spec.html; anything else that a definition says is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.system.functions import FunctionError


class MachineFailedError(Exception):
    """The machine came to a Fail state; what it had then comes with it."""


def run_machine(
    definition: Mapping[str, Any], task: Callable[[Any], Any], given: Any
) -> tuple[Any, list[str]]:
    """
    Run a machine to its end; what waits before it tries again does not wait here.

    Args:
        definition: in Amazon States Language.
        task: what every Task state calls.
        given: the machine's input.

    Returns:
        The output, and the names of the states that it went through.

    Raises:
        MachineFailedError: it ended in a Fail state.
        FunctionError: the task failed more often than it is tried again.
    """
    name, path = definition["StartAt"], []
    while True:
        path.append(name)
        state = definition["States"][name]
        if state["Type"] == "Succeed":
            return given, path
        if state["Type"] == "Fail":
            raise MachineFailedError(state["Error"], given)
        if state["Type"] == "Choice":
            name = _choose(state, given)
        else:
            assert "Task" == state["Type"], state
            given, name = _try(state["Retry"], task, given), state["Next"]


def _try(retries: Sequence[Mapping[str, Any]], task: Callable[[Any], Any], given: Any) -> Any:
    tried = [0] * len(retries)
    while True:
        try:
            return task(given)
        except FunctionError as exc:
            rule = _rule_for(retries, str(exc).partition(":")[0])
            if tried[rule] == retries[rule]["MaxAttempts"]:
                raise
            tried[rule] += 1


def _rule_for(retries: Sequence[Mapping[str, Any]], error: str) -> int:
    """Find the first rule that names an error; the last one is for all that are named nowhere."""
    assert ["States.ALL"] == retries[-1]["ErrorEquals"]
    named = (at for at, rule in enumerate(retries) if error in rule["ErrorEquals"])
    return next(named, len(retries) - 1)


def _choose(state: Mapping[str, Any], given: Any) -> str:
    for choice in state["Choices"]:
        assert {"Variable", "BooleanEquals", "Next"} == choice.keys()
        if given[choice["Variable"].removeprefix("$.")] is choice["BooleanEquals"]:
            return str(choice["Next"])
    return str(state["Default"])

"""
The open sinks of a pipeline: opened when they are needed, in the thread that needs them.

A sink that was opened for a URL and failed is closed and opened anew the next time, so that
a lost connection is not the end. A sink that the caller opened stays open.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress

from qldb_stream.errors import QldbStreamError
from qldb_stream.pipeline._foreign import closing_sink
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._target import SinkPlan, Target

__all__ = ["OpenSinks"]


class OpenSinks:
    """Opens sinks by their plans and keeps them; a context manager that closes them."""

    def __init__(self, rules: DeliveryRules) -> None:
        self._rules = rules
        self._open: dict[str, tuple[Target, ExitStack]] = {}

    def get(self, plan: SinkPlan) -> Target:
        """
        Give an open sink.

        Raises:
            QldbStreamError: what opening it raised, after retries.
        """
        found = self._open.get(plan.name)
        if found is None:
            inbox = self._rules.inbox
            target = self._rules.retrying(plan.name).call(lambda: plan.open(inbox))
            closing = ExitStack()
            if plan.is_ours:
                closing.enter_context(closing_sink(target.own))
            found = self._open[plan.name] = (target, closing)
        return found[0]

    def drop(self, plan: SinkPlan) -> None:
        """Close a sink that failed, if it is ours; the failure is the one to tell."""
        if plan.is_ours and plan.name in self._open:
            _, closing = self._open.pop(plan.name)
            with suppress(QldbStreamError):
                closing.close()

    def close(self) -> None:
        """
        Close what is open and ours.

        Raises:
            QldbStreamError: what the first sink that failed in it raised; the others are closed.
        """
        with ExitStack() as closing:
            for _, of_sink in self._open.values():
                closing.push(of_sink)
            self._open.clear()

"""
The open sinks of a pipeline: opened when they are needed, in the thread that needs them.

A sink that was opened for a URL and failed is closed and opened anew the next time, so that
a lost connection is not the end. A sink that the caller opened stays open.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress

from qldb_stream.errors import PluginError, QldbStreamError, SinkUnavailableError, UsageError
from qldb_stream.pipeline._foreign import closing_sink
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._target import SinkPlan, Target

__all__ = ["OpenSinks"]


class OpenSinks:
    """Opens sinks by their plans and keeps them; a context manager that closes them."""

    def __init__(self, rules: DeliveryRules) -> None:
        self._rules = rules
        self._open: dict[str, tuple[Target, ExitStack]] = {}
        self._were_open: set[str] = set()

    def get(self, plan: SinkPlan) -> Target:
        """
        Give an open sink.

        Raises:
            QldbStreamError: what opening it raised, after retries; a sink that was open before
                and cannot be opened any more, a folder that is gone, say, is unavailable: that
                is no mistake of the caller's, and none of the other sinks' business.
        """
        found = self._open.get(plan.name)
        if found is None:
            target = self._open_again(plan)
            closing = ExitStack()
            if plan.is_ours:
                closing.enter_context(closing_sink(target.own))
            found = self._open[plan.name] = (target, closing)
        return found[0]

    def _open_again(self, plan: SinkPlan) -> Target:
        inbox = self._rules.inbox
        try:
            target = self._rules.retrying(plan.name).call(lambda: plan.open(inbox))
        except (UsageError, PluginError) as exc:
            if plan.name not in self._were_open:
                raise
            raise SinkUnavailableError(plan.name, f"it cannot be opened again: {exc}") from exc
        self._were_open.add(plan.name)
        return target

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

"""
For whom an inbox keeps everything: registered before anything comes, taken back if nothing can.

A sink is registered first, because others may trim what comes until then. One that cannot even
begin (it is not what the caller thought, or nobody said with which block) would hold back all
that it lacks for good, by a name that nobody meant: it is forgotten again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from qldb_stream.errors import PluginError, QldbStreamError, UsageError
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.typing import Inbox

__all__ = ["registered"]


@contextmanager
def registered(inbox: Inbox, sinks: Sequence[str], rules: DeliveryRules) -> Iterator[None]:
    """
    Let an inbox keep everything for sinks, by name, from now on.

    When the body raises that what was asked for cannot be done (UsageError, PluginError), those
    that are new and were given nothing are forgotten.

    Raises:
        DeliveryError: the inbox cannot be reached, after retries.
    """
    new = [
        name for name in sinks if rules.retrying(name).call(partial(inbox.register, name)) is True
    ]
    try:
        yield
    except (UsageError, PluginError):
        with suppress(QldbStreamError):  # what keeps them from beginning is the thing to tell
            _forget(inbox, new)
        raise


def _forget(inbox: Inbox, sinks: Sequence[str]) -> None:
    if not sinks:
        return
    status = inbox.status()
    begun = {name for name, _ in status.positions} | {name for name, _, _ in status.parked}
    for name in sinks:
        if name not in begun:
            inbox.forget(name)

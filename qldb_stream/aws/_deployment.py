"""
What a container keeps from one invocation to the next: settings, inbox, pipeline, clients.

All is made at the first event, not at import: a package can then be imported anywhere, and a wrong
environment is an error of the invocation that names what is wrong. It is made anew when the
environment is another one, which in Lambda never happens, and after a sink failed whose
credentials came from a secret, because they may have been replaced.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

import attrs

from qldb_stream.aws._meter import Meter
from qldb_stream.aws._secrets import export_ledger_keys, sink_url_of
from qldb_stream.aws._settings import PREFIX, Settings, parse_settings, with_mode
from qldb_stream.errors import QldbStreamError
from qldb_stream.inbox import open_inbox
from qldb_stream.observe import log_observer
from qldb_stream.pipeline import Clock, Pipeline, SystemClock
from qldb_stream.report import DeliveryReport, StrandState
from qldb_stream.typing import Inbox

__all__ = ["Deployment", "deployment", "forget_deployment"]


@attrs.frozen
class Deployment:
    """A function's own: made once for a container."""

    settings: Settings
    inbox: Inbox
    pipeline: Pipeline
    meter: Meter
    clock: Clock

    def settle(self, report: DeliveryReport) -> None:
        """Let go of credentials with which a sink failed: the next event reads them anew."""
        has_secret = self.settings.sink_secret or self.settings.ledger_secret
        is_failed = report.sinks_failed or any(
            strand.state is StrandState.FAILED for strand in report.strands
        )
        if has_secret and is_failed:
            forget_deployment()

    def close(self) -> None:
        """Close sinks and inbox; what fails in it has lost nothing that was acknowledged."""
        for part in (self.pipeline, self.inbox):
            with suppress(QldbStreamError):
                part.close()


_kept: dict[tuple[tuple[str, str], ...], Deployment] = {}


def deployment() -> Deployment:
    """
    Give what this container keeps; make it if this is its first event.

    Raises:
        UsageError: the environment is not fit to work in; everything that is wrong is named.
        QldbStreamError: the inbox or a secret cannot be reached now.
    """
    key = tuple(sorted(item for item in os.environ.items() if item[0].startswith(PREFIX)))
    found = _kept.get(key)
    if found is None:
        forget_deployment()
        made = _make(parse_settings(os.environ))
        # Keys from a secret have changed the environment.
        key = tuple(sorted(item for item in os.environ.items() if item[0].startswith(PREFIX)))
        found = _kept[key] = made
    return found


def forget_deployment() -> None:
    """Close what the container keeps; the next event makes it anew."""
    while _kept:
        _, made = _kept.popitem()
        made.close()


def _make(settings: Settings) -> Deployment:
    sinks = _sinks_of(settings)
    clock = SystemClock()
    meter = Meter(clock)
    level = settings.log_level
    observers = [meter] if level == "off" else [meter, log_observer("json", level)]
    inbox = open_inbox(settings.inbox)
    try:
        pipeline = Pipeline(
            sinks,
            start=settings.start,
            accept_gaps=settings.accept_gaps,
            inbox=inbox,
            on_refusal=settings.on_refusal,
            retry=settings.retry,
            filter=settings.filter,
            batch_blocks=settings.batch_blocks,
            lease_s=settings.lease_s,
            observers=observers,
            clock=clock,
        )
    except BaseException:
        inbox.close()
        raise
    return Deployment(settings, inbox, pipeline, meter, clock)


def _sinks_of(settings: Settings) -> Mapping[str, str]:
    """Give the sinks' URLs by name, with what secrets hold."""
    if settings.ledger_secret is not None:
        export_ledger_keys(settings.ledger_secret)
    if settings.sink_secret is None:
        return settings.sinks
    for name, url in settings.sinks.items():
        return {name: sink_url_of(url, settings.sink_secret)}
    url = with_mode(sink_url_of(None, settings.sink_secret), settings.mode)
    # By the secret's own name: what is in it is nobody's business, and may be another URL tomorrow.
    return {f"secret:{settings.sink_secret}": url}

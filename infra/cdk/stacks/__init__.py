"""The stacks of a deployment. Their names begin with the setting `name`."""

from __future__ import annotations

from aws_cdk import App

from settings import Settings
from stacks.ledger import LedgerStack
from stacks.ledger_server import LedgerServerStack
from stacks.restore import RestoreStack
from stacks.stream import StreamStack

__all__ = ["LedgerServerStack", "LedgerStack", "RestoreStack", "StreamStack", "make_stacks"]


def make_stacks(app: App, settings: Settings) -> None:
    """Make the stacks that the settings ask for; what none of them needs is not made."""
    ledgers = LedgerStack(app, f"{settings.name}-ledger", settings) if settings.qldb else None
    server = (
        LedgerServerStack(app, f"{settings.name}-server", settings)
        if settings.with_server
        else None
    )
    if settings.stream:
        stream = StreamStack(app, f"{settings.name}-stream", settings, server)
        if ledgers:
            stream.add_stack_dependency(ledgers)
    if settings.restore:
        RestoreStack(app, f"{settings.name}-restore", settings, server)

"""`qldb-stream ledger`: work with an embedded ledger; each command is a module of its own."""

from __future__ import annotations

import click

__all__ = ["ledger"]


@click.group()
def ledger() -> None:
    """Work with a ledger file of this package."""

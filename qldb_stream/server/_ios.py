"""The IOs that a command is said to have cost (facts 5.7 and 6.2)."""

from __future__ import annotations

from qldb_stream.ledger import Transaction

__all__ = ["commit_ios", "page_ios"]


def page_ios(rows: int) -> dict[str, int]:
    """Count what a page cost: a read for each of its rows."""
    return {"ReadIOs": rows, "WriteIOs": 0}


def commit_ios(transaction: Transaction) -> dict[str, int]:
    """Count what a commit cost: a write for each document."""
    return {"ReadIOs": 0, "WriteIOs": len(transaction.view.writes)}

"""The IOs that a command is said to have cost (facts 5.7 and 6.2)."""

from __future__ import annotations

from qldb_stream.ledger import IOUsage

__all__ = ["ios_json"]


def ios_json(now: IOUsage, told: IOUsage | None = None) -> dict[str, int]:
    """
    Write what was consumed.

    Args:
        now: all that was.
        told: what earlier answers have told of it: clients add them up.
    """
    told = told or IOUsage()
    return {"ReadIOs": now.read_ios - told.read_ios, "WriteIOs": now.write_ios - told.write_ios}

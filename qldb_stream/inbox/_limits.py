"""How much an inbox may hold; what a stranger sends is never kept without bound."""

from __future__ import annotations

import math

import attrs

from qldb_stream.errors import BacklogError, UsageError

__all__ = ["IN_MEMORY", "InboxLimits", "check_release", "check_times", "check_totals"]


@attrs.frozen
class InboxLimits:
    """
    How much an inbox may hold; what does not fit is refused with a `BacklogError`.

    `records` and `record_bytes` bound what waits of all strands, `parked_blocks` what is
    parked for all sinks. Of unreadable records `quarantined` are kept, with their bytes as
    long as these are not more than `quarantined_bytes` together, then without.
    """

    records: int = 100_000_000
    record_bytes: int = 100 << 30
    parked_blocks: int = 100_000
    quarantined: int = 100_000
    quarantined_bytes: int = 1 << 30


IN_MEMORY = InboxLimits(1_000_000, 512 << 20, 10_000, 10_000, 64 << 20)
"""The same for an inbox in memory, unless the caller says otherwise."""


def check_totals(limits: InboxLimits, records: int, record_bytes: int, name: str) -> None:
    """
    Refuse more records than an inbox may hold.

    Raises:
        BacklogError: the limit that is reached.
    """
    if records > limits.records:
        raise BacklogError(limits.records, "records", f"the sinks of inbox {name}")
    if record_bytes > limits.record_bytes:
        raise BacklogError(limits.record_bytes, "bytes of records", f"the sinks of inbox {name}")


def check_release(strand_id: str | None, arrivals: int | None) -> None:
    """
    Check what a lease is released with.

    Raises:
        UsageError: only one of strand and arrivals is given.
    """
    if (strand_id is None) is not (arrivals is None):
        raise UsageError("a lease is released with a strand and its arrivals, or neither")


def check_times(ttl_s: float, now_s: float) -> None:
    """
    Check what a lease is taken for.

    Raises:
        UsageError: it would expire at once, or never.
    """
    if not (ttl_s > 0 and math.isfinite(ttl_s) and 0 <= now_s < 1e12):  # noqa: PLR2004 - see below
        # Milliseconds since 1970 must fit a token: the year 33,658 is late enough.
        raise UsageError(f"a lease of {ttl_s} seconds at {now_s}: both must be sound times")

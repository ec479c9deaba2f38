"""How much an inbox may hold; what a stranger sends is never kept without bound."""

from __future__ import annotations

import attrs

__all__ = ["IN_MEMORY", "InboxLimits"]


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

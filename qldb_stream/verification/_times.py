"""
Compare blockTimestamp, which no hash covers, with the times that hashes do.

txTime and startTime are the same transaction's and hashed; a block is closed after both,
by some milliseconds in every genuine sample (facts 0.2). How well the service's clocks
agreed is not known, so a small step back proves nothing, and a large step ahead is unheard
of but not impossible: neither can be checked. A block that is older than what it holds by
more than any clocks differ is altered.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError
from qldb_stream.report import Check, Outcome, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qldb_stream.events import Block

__all__ = ["FALLING", "LATE", "check_times"]

_CLOCKS: Final = timedelta(minutes=1)  # more than any two clocks that keep time differ
LATE: Final = timedelta(hours=1)
"""So long after txTime a blockTimestamp is odd; a transaction may last a hundredth, facts 6.5."""


def _time(outcome: Outcome, detail: str) -> Check:
    return Check(ProblemCode.MISMATCH, outcome, detail, field="blockTimestamp")


_BEFORE: Final = _time(
    Outcome.FAILED, "blockTimestamp is before the times of the block's own transaction"
)
_JUST_BEFORE: Final = _time(
    Outcome.NOT_CHECKABLE,
    "a blockTimestamp less than a minute before the times of its transaction",
)
_LONG_AFTER: Final = _time(
    Outcome.NOT_CHECKABLE, "a blockTimestamp hours after the txTime of its revisions"
)
FALLING: Final = _time(Outcome.NOT_CHECKABLE, "a blockTimestamp before that of the block before")
"""Of a block in its chain: nothing says that the times of blocks must rise."""


def check_times(block: Block) -> Iterator[Check]:
    """
    Check a block's time against its transaction's.

    Yields:
        A MISMATCH when it is before one of them, or more than an hour after txTime; nothing
        for a block that is as it should be, or has no times to compare with.
    """
    timestamp = block.summary.block_timestamp
    commits = [found.metadata.tx_time for found in block.revisions if found.metadata is not None]
    latest = max(commits or _starts(block), default=timestamp)  # a start is before its commit
    if timestamp < latest:
        yield _BEFORE if latest - timestamp > _CLOCKS else _JUST_BEFORE
    elif commits and timestamp - max(commits) > LATE:
        yield _LONG_AFTER


def _starts(block: Block) -> list[datetime]:
    """Give the times at which the block's statements started, as far as they can be read."""
    info = block.summary.transaction_info
    if info is not None:
        with contextlib.suppress(DecodeError):  # then TRANSACTION_INFO fails
            return [statement.start_time for statement in info.statements]
    return []

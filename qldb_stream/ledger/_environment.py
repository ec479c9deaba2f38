"""What a ledger takes from outside: time, ids, and how it waits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import attrs

from qldb_stream.ledger._ids import new_id

__all__ = ["Environment"]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@attrs.frozen
class Environment:
    """
    Time, ids and waiting; a test gives its own.

    Attributes:
        now_ms: the time, in milliseconds since 1970 UTC. It may stand still or go back:
            the ledger never writes a time before one that it wrote.
        new_id: a new id of 22 base62 characters, never one given before.
        sleep: waits for that many seconds, before a driver retries.
        jitter: a number from 0 to 1 that the time of such a wait is multiplied by.
    """

    now_ms: Callable[[], int] = _now_ms
    new_id: Callable[[], str] = new_id
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

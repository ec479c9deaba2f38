"""
What to do with an error that may pass: wait, longer each time, and not for ever.

The wait before try n is drawn evenly from 0 to `base_s * 2 ** n`, or `most_s` if that is less
(exponential back-off with full jitter), so that workers that failed together do not come back
together. Tries are bounded in number and in time.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

import attrs

from qldb_stream.errors import Disposition, QldbStreamError, UsageError
from qldb_stream.pipeline._clock import Clock

__all__ = ["Backoff", "RetryPolicy", "Retrying"]

T = TypeVar("T")

_DOUBLINGS: Final = 64  # beyond them every wait is the longest there is


@attrs.frozen
class RetryPolicy:
    """
    How often and how long what failed is tried again.

    Args:
        retries: how often after the first try; 0 for never.
        base_s: the longest wait before the first of them; it doubles from one to the next.
        most_s: no wait is longer.
        within_s: nothing is tried again when so much time has passed since the first failure.

    Raises:
        UsageError: a number is negative.
    """

    retries: int = 5
    base_s: float = 0.5
    most_s: float = 30.0
    within_s: float = 300.0

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense."""
        for field in attrs.fields(RetryPolicy):
            value = getattr(self, field.name)
            if not value >= 0:
                raise UsageError(f"RetryPolicy: {field.name} is {value}, it must be 0 or more")

    def wait_s(self, tried: int, chance: Random) -> float:
        """Draw the wait before the next try, after `tried` tries that were tries again."""
        longest = min(self.most_s, self.base_s * 2.0 ** min(tried, _DOUBLINGS))
        return chance.uniform(0, longest)


class Backoff:
    """The waits for one thing that fails."""

    def __init__(self, policy: RetryPolicy, clock: Clock, chance: Random) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._tried = 0
        self._since_s: float | None = None

    def reset(self) -> None:
        """Take note that something succeeded: what fails next fails for the first time."""
        self._tried, self._since_s = 0, None

    def wait(self) -> bool:
        """Wait before another try; False at once, when enough were made."""
        now_s = self._clock.now_s()
        if self._since_s is None:
            self._since_s = now_s
        wait_s = self._policy.wait_s(self._tried, self._chance)
        is_late = now_s + wait_s - self._since_s > self._policy.within_s
        if self._tried >= self._policy.retries or is_late:
            return False
        self._tried += 1
        self._clock.sleep(wait_s)
        return True


@attrs.frozen
class Retrying:
    """A policy with the clock and the source of chance that it needs."""

    policy: RetryPolicy
    clock: Clock
    chance: Random

    def backoff(self) -> Backoff:
        """Start to count waits for one thing."""
        return Backoff(self.policy, self.clock, self.chance)

    def call(self, work: Callable[[], T]) -> T:
        """
        Do something that may be repeated, until it succeeds.

        Raises:
            QldbStreamError: it failed in a way that will not pass, or did not in time.
        """
        backoff = self.backoff()
        while True:
            try:
                return work()
            except QldbStreamError as exc:
                if exc.disposition is not Disposition.RETRY or not backoff.wait():
                    raise

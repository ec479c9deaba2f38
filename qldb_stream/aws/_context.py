"""The time that Lambda leaves a function."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from qldb_stream.pipeline import Clock

__all__ = ["LambdaContext", "deadline_of"]

_RESERVE_S: Final = 10.0
_RESERVE_PART: Final = 0.2


@runtime_checkable
class LambdaContext(Protocol):
    """What Lambda's runtime hands over beside the event, as far as it is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Give the milliseconds until the function is ended."""


def deadline_of(context: object, clock: Clock) -> float | None:
    """
    Say when to stop in good order.

    A fifth of the time that is left is kept for what is under way, ten seconds at most: a run
    of blocks is applied whole, and the answer has to be given.

    Returns:
        Seconds since 1970; None where nobody sets a limit.
    """
    if not isinstance(context, LambdaContext):
        return None
    left_s = context.get_remaining_time_in_millis() / 1000
    return clock.now_s() + left_s - min(_RESERVE_S, left_s * _RESERVE_PART)

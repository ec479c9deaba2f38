"""
How many processes read a stream together, told by leases alone.

Each worker holds one of the numbered places 0, 1, 2, ..., the lowest that was free. So the places
that are held from 0 on are as many as there are workers; who died leaves a place that the next one
moves down to.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import StaleTokenError
from qldb_stream.report import Lease
from qldb_stream.typing import Inbox

__all__ = ["MOST_WORKERS", "WorkerPlace"]

MOST_WORKERS: Final = 1_000


class WorkerPlace:
    """
    The place of one worker.

    Args:
        inbox: where leases are.
        key: what all places' keys begin with.
        lease_s: how long a place is held without being renewed.
    """

    def __init__(self, inbox: Inbox, key: str, lease_s: float) -> None:
        self._inbox: Final = inbox
        self._key: Final = key
        self._lease_s: Final = lease_s
        self._number: int | None = None
        self._lease: Lease | None = None

    def count(self, now_s: float) -> int:
        """
        Take or keep a place, the lowest that there is, and count the workers.

        Raises:
            DeliveryError: the inbox cannot be reached.
        """
        self._renew(now_s)
        for number in range(MOST_WORKERS):
            if number == self._number:
                continue
            lease = self._inbox.lease(f"{self._key}/worker-{number}", self._lease_s, now_s)
            if lease is None:
                continue
            if self._number is not None and number > self._number:
                self._inbox.release(lease)
                return number
            self.release()
            self._number, self._lease = number, lease
        return MOST_WORKERS

    def release(self) -> None:
        """Give the place back."""
        lease, self._number, self._lease = self._lease, None, None
        if lease is not None:
            self._inbox.release(lease)

    def _renew(self, now_s: float) -> None:
        if self._lease is None:
            return
        try:
            self._lease = self._inbox.renew(self._lease, self._lease_s, now_s)
        except StaleTokenError:
            self._number = self._lease = None

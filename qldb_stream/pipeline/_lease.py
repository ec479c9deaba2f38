"""
The right to deliver a strand to a sink: a lease of the inbox, renewed while work goes on.

Its token goes with every `apply`. A lease that ran out while its holder was slow may belong to
somebody else: whoever finds that (`StaleTokenError`) stops, and has lost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from qldb_stream.errors import LeaseHeldError, StaleTokenError
from qldb_stream.pipeline._clock import Clock
from qldb_stream.report import Lease
from qldb_stream.typing import Inbox

__all__ = ["FixedToken", "Leases", "Tokens", "naming_lack"]


class Tokens(Protocol):
    """Gives the fencing token for a strand."""

    def open(self, strand_id: str) -> None:
        """Take the right to deliver a strand."""

    def token(self, strand_id: str) -> int:
        """Give the token to apply with, of a right that still stands."""


class FixedToken:
    """One token for all strands, of a caller who sees to it that there is one writer."""

    def __init__(self, token: int) -> None:
        self._token = token

    def open(self, strand_id: str) -> None:
        """Do nothing."""

    def token(self, strand_id: str) -> int:  # noqa: ARG002 - one for all
        """Give the token."""
        return self._token


@contextmanager
def naming_lack(tokens: Tokens) -> Iterator[None]:
    """
    Run the body, and say of the lowest token that it is stale for want of an inbox.

    Nobody has taken the strand from whoever never had a lease.

    Raises:
        StaleTokenError: the body's own.
    """
    try:
        yield
    except StaleTokenError as exc:
        if exc.given or not isinstance(tokens, FixedToken):
            raise
        raise StaleTokenError(exc.strand_id, exc.stored, exc.given, lacks_inbox=True) from exc


class Leases:
    """The leases of one worker for one sink."""

    def __init__(self, inbox: Inbox, sink: str, ttl_s: float, clock: Clock) -> None:
        self._inbox = inbox
        self._sink = sink
        self._ttl_s = ttl_s
        self._clock = clock
        self._held: dict[str, Lease] = {}

    def take(self, strand_id: str) -> bool:
        """Take a strand's lease; say whether it is held now."""
        key = f"{self._sink}/{strand_id}"
        lease = self._inbox.lease(key, self._ttl_s, self._clock.now_s())
        if lease is not None:
            self._held[strand_id] = lease
        return lease is not None

    def open(self, strand_id: str) -> None:
        """
        Take a strand's lease; when another has it, wait as long as one lasts: he may be dead.

        Raises:
            LeaseHeldError: he is not.
        """
        if strand_id in self._held or self.take(strand_id):
            return
        self._clock.sleep(self._ttl_s)
        if not self.take(strand_id):
            raise LeaseHeldError(self._sink, strand_id)

    def token(self, strand_id: str) -> int:
        """
        Give the token of a strand's lease, renewed when half of its time is over.

        Raises:
            StaleTokenError: somebody else has had the lease since.
        """
        lease, now_s = self._held[strand_id], self._clock.now_s()
        if lease.expires_s - now_s < self._ttl_s / 2:
            lease = self._held[strand_id] = self._inbox.renew(lease, self._ttl_s, now_s)
        return lease.token

    def release(self, strand_id: str, *, arrivals: int | None = None) -> bool:
        """
        Give a strand's lease back.

        Args:
            strand_id: the strand.
            arrivals: what the counter was before its holder last looked; None whatever came.

        Returns:
            False when more came since: the lease is still held.
        """
        lease = self._held[strand_id]
        named = None if arrivals is None else strand_id
        if not self._inbox.release(lease, strand_id=named, arrivals=arrivals):
            return False
        del self._held[strand_id]
        return True

    def release_all(self) -> None:
        """Give every lease back."""
        for strand_id in list(self._held):
            self.release(strand_id)

"""
Whom connections and bytes are counted for, so that no one address takes what is for all.

Strategy: counts by address, gone when they are zero, so that they are never more than there are
connections. A refusal is logged once until its address has less again: a flood makes one line.
"""

from __future__ import annotations

import ipaddress
import logging
from functools import lru_cache
from typing import Final

__all__ = ["Shares", "name_owner"]

# What one owner of IPv6 addresses has at least (RFC 6177): a count for each would be no bound.
_IPV6_PREFIX: Final = 64
_REMEMBERED: Final = 1024  # names of owners; as many as there are connections by default

_log: Final = logging.getLogger("qldb_stream.server")


@lru_cache(maxsize=_REMEMBERED)
def name_owner(host: str) -> str:
    """
    Name whom an address is counted for.

    Args:
        host: what the socket says: an IPv4 address, or one of IPv6, perhaps with a zone.

    Returns:
        The IPv4 address, also one that is mapped into IPv6, or the /64 of the IPv6 one.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


class Shares:
    """How much each owner of addresses has of one thing; used by the event loop's thread alone."""

    def __init__(self, most: int, what: str) -> None:
        """
        Begin with nothing.

        Args:
            most: how much one owner may have.
            what: the thing's name, for the log.
        """
        self._most: Final = most
        self._what: Final = what
        self._had: Final[dict[str, int]] = {}
        self._told: Final[set[str]] = set()

    def take(self, owner: str, more: int) -> bool:
        """Count more of an owner's, unless that is too much; then the log names the owner."""
        had = self._had.get(owner, 0)
        if had + more > self._most:
            if owner not in self._told:
                self._told.add(owner)
                _log.warning(
                    "%s has %d %s, and may have %d: more is refused",
                    *(owner, had, self._what, self._most),
                )
            return False
        self._had[owner] = had + more
        return True

    def give_back(self, owner: str, less: int) -> None:
        """Count less of an owner's, who took at least that."""
        self._told.discard(owner)
        left = self._had.get(owner, 0) - less
        assert left >= 0, "nobody gives back what was not taken"
        if left:
            self._had[owner] = left
        else:
            self._had.pop(owner, None)

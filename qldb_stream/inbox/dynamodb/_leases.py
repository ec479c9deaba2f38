"""Leases: who works on what, and fencing tokens that only rise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import StaleTokenError
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, TTL_ATTRIBUTE, Key, part
from qldb_stream.inbox.dynamodb._records import head_key
from qldb_stream.inbox.dynamodb._table import Table
from qldb_stream.inbox.dynamodb._values import Value, maybe_number, need
from qldb_stream.report import Lease

__all__ = ["Leases"]

_PK: Final = "lease"
# Tokens are at least the milliseconds since 1970, so they rise although the item of a lease that
# nobody has had for so long is removed.
_KEPT_S: Final = 30 * 86_400

_MINE: Final = "#token = :token"
_FREE: Final = "(attribute_not_exists(#expires_s) OR #expires_s <= :now_s)"
_TAKE: Final = (
    "SET #key = :key, #token = :token, #nonce = :nonce, #expires_s = :expires_s, "
    f"#{TTL_ATTRIBUTE} = :ttl"
)
_RENEW: Final = f"SET #expires_s = :expires_s, #{TTL_ATTRIBUTE} = :ttl"
_RELEASE: Final = "REMOVE #expires_s"
_NOTHING_CAME: Final = "attribute_not_exists(#arrivals) OR #arrivals <= :arrivals"


class Leases:
    """The leases of one inbox."""

    def __init__(self, table: Table) -> None:
        self._table: Final = table

    def take(self, key: str, ttl_s: float, now_s: float) -> Lease | None:
        """Take a free or expired lease; None while another holds it."""
        where = _key(key)
        found = self._table.get(where)
        if found is not None and _is_held(found, now_s):
            return None
        stored = maybe_number(found, "token")
        lease = Lease(key, max(stored + 1, int(now_s * 1000)), now_s + ttl_s)
        nonce = self._table.calls.new_id()
        values: dict[str, Value] = {"key": key, "token": lease.token, "nonce": nonce}
        values |= _times(lease)
        if found is None:
            condition = f"attribute_not_exists(#{HASH_KEY})"
        else:
            condition = f"#token = :stored AND {_FREE}"
            values |= {"stored": stored, "now_s": now_s}
        if self._table.update(where, _TAKE, values, condition):
            return lease
        # Another was first; or an attempt of ours whose answer was lost.
        found = self._table.get(where)
        return lease if found is not None and found.get("nonce") == nonce else None

    def renew(self, lease: Lease, ttl_s: float, now_s: float) -> Lease:
        """
        Prolong a lease.

        Raises:
            StaleTokenError: somebody else has had it since.
        """
        renewed = Lease(lease.key, lease.token, now_s + ttl_s)
        values: dict[str, Value] = {"token": lease.token, **_times(renewed)}
        if self._table.update(_key(lease.key), _RENEW, values, _MINE):
            return renewed
        stored = maybe_number(self._table.get(_key(lease.key)), "token")
        raise StaleTokenError(lease.key, stored, lease.token)

    def release(self, lease: Lease) -> None:
        """Give a lease back, if it was not lost before."""
        self._table.update(_key(lease.key), _RELEASE, {"token": lease.token}, _MINE)

    def release_if(self, lease: Lease, strand_id: str, arrivals: int) -> bool:
        """Give a lease back, unless more came for the strand than its holder has seen."""
        table = self._table
        release = table.update_action(_key(lease.key), _RELEASE, {"token": lease.token}, _MINE)
        check = table.check_action(head_key(strand_id), _NOTHING_CAME, {"arrivals": arrivals})
        failed = table.transact([release, check])
        return not failed or 0 in failed

    def held(self) -> tuple[Lease, ...]:
        """Give all leases that were not given back, expired ones too, by key."""
        found = [item for item in self._table.query(_PK) if "expires_s" in item]
        return tuple(sorted(map(self._lease, found), key=lambda lease: lease.key))

    def _lease(self, item: Mapping[str, Any]) -> Lease:
        name = self._table.name
        key, token = need(item, "key", str, name), need(item, "token", int, name)
        return Lease(key, token, need(item, "expires_s", float, name))


def _key(key: str) -> Key:
    return Key(_PK, part(key))


def _is_held(item: Mapping[str, Any], now_s: float) -> bool:
    expires_s = item.get("expires_s")
    return isinstance(expires_s, int | float) and expires_s > now_s


def _times(lease: Lease) -> dict[str, Value]:
    return {"expires_s": lease.expires_s, "ttl": math.ceil(lease.expires_s) + _KEPT_S}

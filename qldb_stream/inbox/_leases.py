"""
Leases: who works on what, and fencing tokens that only rise.

A token is at least the milliseconds since 1970 at which its lease was taken. So a sink that has
stored a token of an inbox that was lost takes those of the new one, which would otherwise
begin with 1 again; within one inbox the stored token alone decides.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from qldb_stream.errors import StaleTokenError
from qldb_stream.inbox._store import arrivals_of, rows
from qldb_stream.report import Lease

__all__ = ["held_leases", "release_lease", "renew_lease", "take_lease"]

_SET: Final = """
INSERT INTO lease VALUES (?1, ?2, ?3)
ON CONFLICT (key) DO UPDATE SET token = ?2, expires_s = ?3
"""


def take_lease(
    connection: sqlite3.Connection, key: str, ttl_s: float, now_s: float
) -> Lease | None:
    """Take a free or expired lease; None while another holds it."""
    found = rows(connection, "SELECT token, expires_s FROM lease WHERE key = ?", key)
    token, expires_s = found[0] if found else (0, None)
    if expires_s is not None and expires_s > now_s:
        return None
    lease = Lease(key, max(token + 1, int(now_s * 1000)), now_s + ttl_s)
    connection.execute(_SET, (key, lease.token, lease.expires_s))
    return lease


def renew_lease(connection: sqlite3.Connection, lease: Lease, ttl_s: float, now_s: float) -> Lease:
    """
    Prolong a lease.

    Raises:
        StaleTokenError: somebody else has had it since.
    """
    token = _token(connection, lease.key)
    if token != lease.token:
        raise StaleTokenError(lease.key, token, lease.token)
    renewed = Lease(lease.key, token, now_s + ttl_s)
    connection.execute(_SET, (lease.key, token, renewed.expires_s))
    return renewed


def release_lease(
    connection: sqlite3.Connection, lease: Lease, strand_id: str | None, arrivals: int
) -> bool:
    """Give a lease back, unless more came for the strand than its holder has seen."""
    if _token(connection, lease.key) != lease.token:
        return True
    if strand_id is not None and arrivals_of(connection, strand_id) > arrivals:
        return False
    connection.execute(_SET, (lease.key, lease.token, None))
    return True


def held_leases(connection: sqlite3.Connection) -> tuple[Lease, ...]:
    """Give all leases that were not given back, expired ones too, by key."""
    sql = "SELECT key, token, expires_s FROM lease WHERE expires_s IS NOT NULL ORDER BY key"
    return tuple([Lease(*row) for row in rows(connection, sql)])


def _token(connection: sqlite3.Connection, key: str) -> int:
    found = rows(connection, "SELECT token FROM lease WHERE key = ?", key)
    return int(found[0][0]) if found else 0

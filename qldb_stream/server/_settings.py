"""What a server is told when it is made."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ledger import Environment
from qldb_stream.server._app import RequestLimits
from qldb_stream.server._front import ConnectionLimits
from qldb_stream.server._sessions import SESSIONS_PER_LEDGER
from qldb_stream.server._targets import Targets

__all__ = ["Settings", "check_settings"]


@attrs.frozen
class Settings:
    """
    A server's settings.

    Attributes:
        folder: each `NAME.ledger` in it is a ledger.
        host: the address to listen at.
        port: 0 for one that is free.
        keys: the file of access keys; None asks for no signatures.
        tls_cert: the file of the certificate chain, PEM.
        tls_key: the file of its private key, PEM.
        limits: "qldb" or "off", as `Ledger.open` takes it.
        extensions: as `Ledger.open` takes it.
        journal_reads: as `Ledger.open` takes it.
        threads: how many commands are carried out at once.
        sessions: how many a ledger may have.
        grace_s: how long a stop waits for open transactions, exports and streams, seconds.
        connections: bounds of a connection.
        requests: bounds of a request.
        targets: where exports and streams may go; nowhere unless it says so.
        environment: time, ids and chance.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    keys: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    limits: str = "qldb"
    extensions: str = "off"
    journal_reads: str = "off"
    threads: int = 16
    sessions: int = SESSIONS_PER_LEDGER
    grace_s: float = 10.0
    connections: ConnectionLimits = attrs.field(factory=ConnectionLimits)
    requests: RequestLimits = attrs.field(factory=RequestLimits)
    targets: Targets = attrs.field(factory=Targets)
    environment: Environment = attrs.field(factory=Environment)


def check_settings(settings: Settings, address: str) -> None:
    """
    Refuse settings that would let strangers in.

    Args:
        settings: the server's.
        address: the one that it is bound to.

    Raises:
        UsageError: it is not loopback, and there are no keys; or one of certificate and
            key is missing.
    """
    if not ipaddress.ip_address(address.partition("%")[0]).is_loopback and settings.keys is None:
        raise UsageError(
            f"{settings.host} can be reached from other machines: give --keys, so that only "
            "those who sign their requests are answered"
        )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise UsageError("TLS needs both --tls-cert and --tls-key")

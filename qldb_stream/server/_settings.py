"""What a server is told when it is made."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ledger import Environment
from qldb_stream.loopback import is_loopback
from qldb_stream.server._app import RequestLimits
from qldb_stream.server._front import ConnectionLimits
from qldb_stream.server._sessions import SESSIONS_PER_LEDGER
from qldb_stream.server._targets import Targets

__all__ = ["Settings", "check_settings", "fit_to_machine", "is_local", "load_tls"]

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


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


def is_local(address: str) -> bool:
    """Tell whether an address that a socket is bound to is reached from this machine only."""
    return is_loopback(address.partition("%")[0])


def fit_to_machine(settings: Settings, address: str) -> Settings:
    """
    Bound connections by the file descriptors there are, half of which are the ledgers'.

    Args:
        settings: the server's.
        address: the one that it is bound to. Where only this machine reaches it, one
            address may have all; elsewhere one never has more than half the connections.
    """
    limits, requests = settings.connections, settings.requests
    connections = min(limits.connections, max(1, _descriptors(limits.connections * 2) // 2))
    per_address = min(limits.per_address, max(1, connections // 2))
    if is_local(address):
        per_address = connections
        requests = attrs.evolve(requests, per_address_bytes=requests.waiting_bytes)
    limits = attrs.evolve(limits, connections=connections, per_address=per_address)
    return attrs.evolve(settings, connections=limits, requests=requests)


def _descriptors(enough: int) -> int:
    """Tell how many file descriptors this process may have; `enough` where that is no bound."""
    try:
        import resource
    except ModuleNotFoundError:  # pragma: no cover - Windows has no such limit
        return enough
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return enough if descriptors == resource.RLIM_INFINITY else descriptors


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
    if not is_local(address) and settings.keys is None:
        raise UsageError(
            f"{settings.host} can be reached from other machines: give --keys, so that only "
            "those who sign their requests are answered"
        )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise UsageError("TLS needs both --tls-cert and --tls-key")


def load_tls(settings: Settings) -> ssl.SSLContext | None:
    """
    Make what TLS is spoken with; None where it is not.

    Raises:
        UsageError: the certificate or its key cannot be read, or they make no pair.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    for file in (settings.tls_cert, settings.tls_key):
        _check_readable(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(_CIPHERS)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"certificate and key cannot be used: {exc}") from exc
    return context


def _check_readable(file: str) -> None:
    """Name a file that cannot be read; the error of OpenSSL does not."""
    try:
        Path(file).open("rb").close()
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc

"""
Connections, before and between requests: how many, how long, how many bytes.

uvicorn's protocol reads HTTP but waits for ever for a request's head, keeps a connection that
nobody reads from, and (with httptools) takes heads of any size. This protocol stands between it and
the transport and has a clock: a connection must begin a request in time, and then again after each
answer; the application tells when a request begins and when it was answered. A client that closed
its writing side still gets its answer, once its request is here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import attrs
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from qldb_stream.server._addresses import Shares, name_owner
from qldb_stream.server._tls import Door, Guest

__all__ = ["ConnectionLimits", "Connections"]

Client = tuple[str, int]

_log: Final = logging.getLogger("qldb_stream.server")

_BUSY_BODY: Final = (
    b'{"__type":"CapacityExceededException","Message":"there are too many connections"}'
)
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"x-amzn-errortype: CapacityExceededException\r\n"
    b"content-type: application/x-amz-json-1.0\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n\r\n%b" % (len(_BUSY_BODY), _BUSY_BODY)
)


@attrs.frozen
class ConnectionLimits:
    """
    What a connection may take.

    Attributes:
        connections: how many there may be at once.
        per_address: how many of them one client address may have, or one /64 of IPv6, where
            the server can be reached from other machines. On loopback all clients are of
            this machine and have one address, so there is no such bound.
        head_s: seconds until the head of a begun request is there; and, before the first, until
            TLS is agreed upon.
        idle_s: seconds until the next request begins.
        head_bytes: how many bytes a request's head may have, roughly.
    """

    connections: int = 1024
    per_address: int = 128
    head_s: float = 10.0
    idle_s: float = 75.0
    head_bytes: int = 64 * 1024


class Connections:
    """All connections of a server; used by its event loop's thread alone."""

    def __init__(self, limits: ConnectionLimits, tls: ssl.SSLContext | None = None) -> None:
        self.limits: Final = limits
        self._tls: Final = tls
        self._open: Final[dict[Client, _Connection]] = {}
        self._shares: Final = Shares(limits.per_address, "connections")
        self._is_full = False

    def make_protocol(self, **arguments: Any) -> asyncio.Protocol:
        """Make the protocol of a new connection, around uvicorn's."""
        make: Callable[..., asyncio.Protocol] = AutoHTTPProtocol
        connection = _Connection(self, make(**arguments))
        if self._tls is None:
            return connection
        return Door(connection, self._tls, self.limits.head_s)

    def begin_request(self, client: Client | None) -> None:
        """Note that a connection's request has its head, and is at work."""
        if client is not None and (connection := self._open.get(client)):
            connection.begin_request()

    def finish_reading(self, client: Client | None) -> None:
        """Note that a connection's request is here to its last byte."""
        if client is not None and (connection := self._open.get(client)):
            connection.finish_reading()

    def end_request(self, client: Client | None) -> None:
        """Note that a connection's request was answered."""
        if client is not None and (connection := self._open.get(client)):
            connection.end_request()

    def abort(self, client: Client | None) -> None:
        """Give a connection up whose client does not take its answer."""
        if client is not None and (connection := self._open.get(client)):
            connection.abort()

    def add(self, client: Client, connection: _Connection) -> bool:
        """Note a connection, unless there are too many; the log says so then."""
        if len(self._open) >= self.limits.connections:
            if not self._is_full:
                self._is_full = True
                _log.warning("there are %d connections: more are refused", len(self._open))
            return False
        if not self._shares.take(name_owner(client[0]), 1):
            return False
        self._open[client] = connection
        return True

    def remove(self, client: Client, connection: _Connection) -> None:
        """Forget a connection."""
        if self._open.get(client) is connection:
            del self._open[client]
            self._shares.give_back(name_owner(client[0]), 1)
            self._is_full = False


class _Connection(Guest):
    """One connection: passes everything on to uvicorn's protocol, and keeps the time."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections: Final = connections
        self._limits: Final = connections.limits
        self._inner: Final = inner
        self._transport: asyncio.Transport | None = None
        self._client: Client | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._at_work = False
        self._is_whole = False  # the request at work is here to its last byte
        self._is_refused = False
        self._has_ended = False  # the client will send no more
        self._head_bytes = 0

    def enter(self, transport: asyncio.Transport) -> bool:
        self._client = transport.get_extra_info("peername")[:2]
        return self._connections.add(self._client, self)

    def leave(self) -> None:
        if self._client is not None:
            self._connections.remove(self._client, self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._client is None and not self.enter(transport):
            self._is_refused = True
            transport.write(_BUSY)
            transport.close()
            return
        # asyncio forgets it for sockets that a listener of ours accepted, and Nagle costs 40 ms.
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait(self._limits.head_s)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if not self._at_work:
            if self._head_bytes > self._limits.head_bytes:
                self.abort()
                return
            if self._head_bytes == 0:
                self._wait(self._limits.head_s)
            self._head_bytes += len(data)
        self._inner.data_received(data)

    def eof_received(self) -> bool:
        """Keep a connection whose client waits for its answer; TLS cannot be half-closed."""
        self._has_ended = True
        if self._is_refused or self._transport is None:
            return False
        return self._is_whole and self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.leave()
        if not self._is_refused:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if not self._is_refused:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if not self._is_refused:
            self._inner.resume_writing()

    def begin_request(self) -> None:
        self._at_work = True
        self._stop_timer()

    def finish_reading(self) -> None:
        self._is_whole = True

    def end_request(self) -> None:
        self._at_work = self._is_whole = False
        self._head_bytes = 0
        if self._has_ended and self._transport is not None:
            self._transport.close()
        self._wait(self._limits.idle_s)

    def _wait(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Close for good, without waiting for a client that does not read."""
        if self._transport is not None:
            self._transport.abort()

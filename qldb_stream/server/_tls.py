"""
TLS, begun by whoever may have a connection, and in the time of a head.

asyncio's own listener shakes hands before a protocol hears of a connection: a minute each, and as
many as anybody likes, each with a file descriptor that a ledger then lacks. Here a connection is
counted first; whoever is one too many is cut off without a word, as there is no TLS to say it in.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Door", "Guest"]

_log: Final = logging.getLogger("qldb_stream.server")


class Guest(asyncio.Protocol):
    """What is behind the door: a connection that is counted before it speaks."""

    def enter(self, transport: asyncio.Transport) -> bool:
        """Count the connection; tell whether there is room for it."""
        raise NotImplementedError

    def leave(self) -> None:
        """Count it no longer; it was never made."""
        raise NotImplementedError


class Door(asyncio.Protocol):
    """The protocol of a connection until it speaks TLS."""

    def __init__(self, guest: Guest, context: ssl.SSLContext, patience_s: float) -> None:
        self._guest: Final = guest
        self._context: Final = context
        self._patience_s: Final = patience_s
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if not self._guest.enter(transport):
            transport.abort()
            return
        transport.pause_reading()  # what comes is for TLS to read
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(transport))

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        early = _Early()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._patience_s,
                ssl_shutdown_timeout=self._patience_s,
            )
        except OSError as exc:  # of TLS, of the socket, or too slow
            _log.debug("no TLS: %s", exc)
            secured = None
        if secured is None or early.has_ended:
            transport.abort()
            self._guest.leave()
            return
        secured.set_protocol(self._guest)
        self._guest.connection_made(secured)
        early.hand_over(self._guest)


class _Early(asyncio.Protocol):
    """Keeps what comes between the end of the handshake and the moment that we hear of it."""

    def __init__(self) -> None:
        self.has_ended = False
        self._calls: Final[list[Callable[[asyncio.Protocol], Any]]] = []

    def data_received(self, data: bytes) -> None:
        self._calls.append(lambda guest: guest.data_received(data))

    def eof_received(self) -> None:
        self._calls.append(lambda guest: guest.eof_received())

    def connection_lost(self, _exc: Exception | None) -> None:
        self.has_ended = True

    def hand_over(self, guest: asyncio.Protocol) -> None:
        """Tell the guest all of it, in order."""
        for call in self._calls:
            call(guest)

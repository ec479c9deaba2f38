"""
Connections on which an answer has a limit as a whole.

The timeout of a socket begins anew with each byte that comes, so a server that sends one now and
then could keep us for days within the head of one answer. Here the timeout to read, which urllib3
has set on the socket when it begins to wait for an answer, is that of all of the answer.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from http.client import HTTPResponse
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["make_pool"]


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a moment, and then raises TimeoutError, whatever comes."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._socket: Final = sock
        self._raw: Final = raw
        limit_s = sock.gettimeout()
        self._until: Final = None if limit_s is None else time.monotonic() + limit_s

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, or comes in time."""
        if self._until is not None:
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the answer took too long as a whole")
            self._socket.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket, as the reader below does."""
        self._raw.close()
        super().close()


class _TimedAnswer(HTTPResponse):
    """An answer that is read through a `_TimedReader`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _TimedAnswer


class _SecureConnection(HTTPSConnection):
    response_class = _TimedAnswer


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def make_pool(connect_s: float, answer_s: float, context: ssl.SSLContext) -> urllib3.PoolManager:
    """
    Make a pool of one connection, which repeats nothing.

    Args:
        connect_s: how long to wait for a connection, and for a request to be taken off.
        answer_s: how long to wait for an answer, all of it.
        context: how TLS is spoken.
    """
    wait = urllib3.Timeout(connect=connect_s, read=answer_s)
    pool = urllib3.PoolManager(
        num_pools=1, maxsize=1, timeout=wait, retries=False, ssl_context=context
    )
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pool

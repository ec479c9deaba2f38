"""
One request, and what its answer means.

- 2xx: taken;
- 408, 425, 429, 5xx, no answer: not now, and `Retry-After` is heeded, for an hour at most;
- 401, 403, 404, 405, 407, 410, redirects, a certificate that is not trusted: nothing will be
  taken before somebody has put something right;
- any other 4xx: this block will never be taken.

What an answer says is not read beyond a few bytes, and never shown: it may hold documents.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

import attrs
import urllib3
from urllib3.exceptions import HTTPError, SSLError

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.sinks.webhook._timed import make_pool

__all__ = ["Answer", "Door", "Meaning"]

_CONNECT_S: Final = 10.0
_ANSWER_BYTES: Final = 1024  # enough to use the connection again, and no more
_REST_S: Final = 1.0  # for what comes behind an answer's head, piece by piece
_MOST_LATER_S: Final = 3600.0  # whatever it asks for: who asks for a year is asked again before
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_STOP: Final = {
    401: "does not take our signature; check the secret on both sides",
    403: "forbids it; check the secret and who may call it",
    404: "knows no such path; check the URL",
    405: "takes no POST; check the URL",
    407: "is behind a proxy that wants a password",
    410: "says that the hook is gone; remove this sink, or its URL has changed",
}


@attrs.frozen
class Answer:
    """An answer's status, and for how long it asks to be left alone, in seconds."""

    status: int
    retry_after_s: float = 0.0


class Meaning:
    """What statuses mean."""

    @staticmethod
    def is_taken(status: int) -> bool:
        """Say whether the block was taken."""
        return 200 <= status < 300  # noqa: PLR2004 - HTTP's classes

    @staticmethod
    def may_pass(status: int) -> bool:
        """Say whether the same request may be taken later."""
        return status in _TRY_AGAIN or not 200 <= status < 500  # noqa: PLR2004 - as above

    @staticmethod
    def to_do(status: int) -> str | None:
        """Say what somebody has to put right; None when it is not that."""
        if 300 <= status < 400:  # noqa: PLR2004 - as above
            return "sends us elsewhere, where a signed request does not follow; use its new URL"
        return _STOP.get(status)


class Door:
    """
    The way to one server, over a connection that is kept.

    Args:
        sink: what messages call whoever sends.
        url: where to.
        ca: file of authorities that are trusted instead of the system's.
        timeout_s: how long to wait for an answer, all of it.

    Raises:
        UsageError: the file of authorities cannot be read.
    """

    def __init__(self, sink: str, url: str, ca: str | None, timeout_s: float) -> None:
        self._sink = sink
        self._url = url
        try:
            context = ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as exc:
            raise UsageError(f"{sink}: {ca!r} holds no certificates: {exc}") from exc
        self._pool = make_pool(min(_CONNECT_S, timeout_s), timeout_s, context)

    def post(self, body: bytes, headers: Mapping[str, str], now_s: float) -> Answer:
        """
        Send a request; redirects are not followed.

        Raises:
            UsageError: the server's certificate is not trusted.
            SinkUnavailableError: nobody answers, or not in time as a whole.
        """
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=dict(headers),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            self._finish(response)
        except SSLError as exc:
            if isinstance(exc.args[0], ssl.SSLCertVerificationError):
                problem = "shows a certificate that is not trusted; see the option ca"
                raise UsageError(f"{self._sink} {problem}: {exc}") from exc
            raise SinkUnavailableError(self._sink, str(exc)) from exc
        except HTTPError as exc:
            raise SinkUnavailableError(self._sink, _text(exc)) from exc
        return Answer(response.status, _retry_after_s(response.headers.get("retry-after"), now_s))

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()

    @staticmethod
    def _finish(response: urllib3.BaseHTTPResponse) -> None:
        """
        Read a short answer to its end, so that the connection can be used again; else close it.

        The status is known by now, so whatever becomes of the rest changes nothing.
        """
        until, left = time.monotonic() + _REST_S, _ANSWER_BYTES
        with suppress(HTTPError):
            while left > 0 and time.monotonic() < until:
                # Byte by byte: more are waited for, and Lambda's urllib3 has no read1.
                if not response.read(1):
                    response.release_conn()
                    return
                left -= 1
        response.close()
        response.release_conn()


def _text(exc: HTTPError) -> str:
    """Say what failed without the URL, whose path may be secret."""
    return type(exc).__name__


def _retry_after_s(value: str | None, now_s: float) -> float:
    """Read seconds, or a date (RFC 9110, section 10.2.3); what is neither counts as nothing."""
    if value is None:
        return 0.0
    try:
        found = float(value) if value.strip().isdigit() else _seconds_until(value, now_s)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, found), _MOST_LATER_S)


def _seconds_until(value: str, now_s: float) -> float:
    return parsedate_to_datetime(value).timestamp() - now_s

"""
Session tokens that say themselves which session they are for, and until when.

Strategy: id and end of the session, and a keyed hash of both under a secret that this process
drew. So an expired session can be told from one that never was (the drivers act on the message,
facts 6.4) without remembering any, and nobody makes one up. After a restart every token is of no
session, which drivers answer by starting another.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64encode
from typing import Final

import attrs

__all__ = ["SessionTokens", "TokenContent"]

_SECRET_BYTES: Final = 32
_MAC_BYTES: Final = 18  # with time and id a multiple of three, so that base64 has no spare bits
_TIME_BYTES: Final = 8


@attrs.frozen
class TokenContent:
    """What a genuine token says: the session's id, and when it ends, in ms since 1970 UTC."""

    session_id: str
    expires_ms: int


class SessionTokens:
    """Makes session tokens, and reads those that it made."""

    def __init__(self) -> None:
        self._secret: Final = secrets.token_bytes(_SECRET_BYTES)

    def make(self, content: TokenContent) -> str:
        """Write a token; base64, as facts 6.2 want it."""
        said = content.expires_ms.to_bytes(_TIME_BYTES, "big") + content.session_id.encode()
        return b64encode(self._mac(said) + said).decode("ascii")

    def maybe_read(self, token: str) -> TokenContent | None:
        """Read a token; None when it is none of ours."""
        try:
            data = binascii.a2b_base64(token, strict_mode=True)
        except ValueError:
            return None
        mac, said = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(said)):
            return None
        return TokenContent(said[_TIME_BYTES:].decode(), int.from_bytes(said[:_TIME_BYTES], "big"))

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self._secret, said, "sha256")[:_MAC_BYTES]

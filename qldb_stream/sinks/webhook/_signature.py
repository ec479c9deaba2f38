"""Signatures as Standard Webhooks says, symmetric: version v1."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

__all__ = ["sign"]


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """
    Give the header `webhook-signature`: ``v1,BASE64`` for each secret.

    Signed is ``ID.TIMESTAMP.BODY``, the timestamp in seconds since 1970.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}"
        for secret in secrets
    )

"""What could not be read, as what is stored of it: JSON, and the bytes."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from qldb_stream import errors
from qldb_stream.errors import DecodeError, InboxFileError
from qldb_stream.events import Undecodable

__all__ = ["parse_quarantined", "value_and_key"]


def value_and_key(item: Undecodable) -> tuple[str, bytes]:
    """Give all of it but its bytes as JSON, and what tells it from others: 32 bytes, SHA-256."""
    value = json.dumps(_header(item))
    return value, sha256(value.encode() + b"\n" + (item.data or b"")).digest()


def _header(item: Undecodable) -> dict[str, Any]:
    name, fields = type(item.error).__name__, list(item.error.args)
    is_ours = getattr(errors, name, None) is type(item.error)
    if not (is_ours and all(isinstance(field, str | int) for field in fields)):
        name, fields = "CarrierError", [item.source, item.offset, str(item.error)]
    return {
        "source": item.source,
        "offset": item.offset,
        "length": item.length,
        "error": [name, *fields],
    }


def parse_quarantined(name: str, value: Any, data: bytes | None) -> Undecodable:
    """
    Put it together again.

    Raises:
        InboxFileError: the header is not what was written.
    """
    try:
        header = json.loads(value)
        kind, *fields = header["error"]
        error = getattr(errors, kind)(*fields)
        if not isinstance(error, DecodeError):
            raise TypeError(kind)
        return Undecodable(header["source"], header["offset"], header["length"], error, data)
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        raise InboxFileError(name, "the file is damaged: a quarantined record") from exc

"""What documents in the indices say, as values that compare equal with what blocks say."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from qldb_stream.errors import DecodeError
from qldb_stream.events import RevisionKind
from qldb_stream.ion import loads
from qldb_stream.report import StoredRevision
from qldb_stream.sinks._relational import JsonWriter, plain

__all__ = ["stored_revision"]


def stored_revision(source: Mapping[str, Any]) -> StoredRevision:
    """
    Read a revision's document.

    What it holds is the Ion's. Where the JSON beside it does not say the same, or nothing can be
    read, somebody else has changed them, and what the JSON says is its data.
    """
    own = source.get("qldb", {})
    return StoredRevision(
        str(own.get("strand_id")),
        int(own.get("sequence_no", -1)),
        str(own.get("table")),
        str(own.get("document_id")),
        int(own.get("version", -1)),
        _kind(own.get("kind")),
        _digest(own.get("hash")) or b"",
        _digest(own.get("data_hash")),
        _data(source),
        _masked(own.get("masked")),
    )


def _masked(found: Any) -> tuple[str, ...]:
    """Read which fields are masked; what somebody else has put there counts as one."""
    if found is None:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ("?",)


def _data(source: Mapping[str, Any]) -> Any:
    ion, shown = source.get("ion"), _shown(source)
    if ion is None:
        return None if shown is None else {"altered": shown}
    try:
        data = loads(base64.b64decode(ion))
    except (DecodeError, binascii.Error, TypeError):
        return {"altered": "its Ion cannot be read"}
    expected = json.loads(JsonWriter(takes_nul=True).write(data))
    return plain(data) if shown == expected else {"altered": shown}


def _shown(source: Mapping[str, Any]) -> Any:
    if "unindexed" in source:
        return source["unindexed"].get("document")
    return source.get("document")


def _kind(text: Any) -> RevisionKind:
    try:
        return RevisionKind(text)
    except ValueError:  # somebody else has written it
        return RevisionKind.SYSTEM


def _digest(text: Any) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except (ValueError, TypeError):
        return b""

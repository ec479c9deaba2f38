"""What items hold, as values that compare equal with what blocks should have put there."""

from __future__ import annotations

from typing import Any

from qldb_stream.errors import DecodeError
from qldb_stream.events import RevisionKind
from qldb_stream.ion import loads
from qldb_stream.report import StoredRevision
from qldb_stream.sinks._relational import plain
from qldb_stream.sinks.dynamodb._items import CURRENT, DATA, ION, ION_ONLY, OWN, Item
from qldb_stream.sinks.dynamodb._values import comparable, readable

__all__ = ["stored_revision"]


def stored_revision(item: Item) -> StoredRevision:
    """
    Read a revision's item, history or current.

    Its document is the Ion's. Where the attributes beside it do not say the same, or nothing
    can be read, somebody else has changed them, and what they say is its data.
    """
    data_hash = item.get("qldb_data_hash")
    return StoredRevision(
        _text(item, "qldb_strand_id"),
        _number(item, "qldb_sequence_no"),
        _text(item, "qldb_table"),
        _text(item, "qldb_document_id"),
        _number(item, "qldb_version"),
        _kind(item),
        bytes(item.get("qldb_hash", {}).get("B", b"")),
        None if data_hash is None else bytes(data_hash["B"]),
        _data(item),
        _masked(item),
    )


def _masked(item: Item) -> tuple[str, ...]:
    """Read which fields are masked; what somebody else has put there counts as one."""
    found = item.get("qldb_masked")
    if found is None:
        return ()
    paths = found.get("L")
    return ("?",) if paths is None else tuple([str(path.get("S")) for path in paths])


def _data(item: Item) -> Any:
    ion, shown = item.get(ION), _shown(item)
    if ion is None:
        return {"altered": shown} if shown else None
    try:
        data = loads(bytes(ion["B"]))
    except DecodeError:
        return {"altered": "its Ion cannot be read"}
    if ION_ONLY in item or shown == _expected(item, data):
        return plain(data)
    return {"altered": shown}


def _shown(item: Item) -> Any:
    """Give what the attributes say that are there to be read."""
    if item["sk"]["S"] != CURRENT:
        return {name: comparable(item[name]) for name in (DATA,) if name in item}
    return {name: comparable(item[name]) for name in item if _is_field(name)}


def _expected(item: Item, data: Any) -> Any:
    """Give what these attributes should say."""
    value = readable(data)
    if item["sk"]["S"] != CURRENT:
        return {DATA: comparable(value)}
    fields = value.get("M", {})
    return {name: comparable(fields[name]) for name in fields if _is_field(name)}


def _is_field(name: str) -> bool:
    return name not in ("pk", "sk") and not name.startswith(OWN)


def _kind(item: Item) -> RevisionKind:
    try:
        return RevisionKind(_text(item, "qldb_kind"))
    except ValueError:  # somebody else has written it
        return RevisionKind.SYSTEM


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _number(item: Item, name: str) -> int:
    return int(item.get(name, {}).get("N", -1))

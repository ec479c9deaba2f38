"""What items hold, as values that compare equal with what blocks should have put there."""

from __future__ import annotations

from typing import Any, Final

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import RevisionKind
from qldb_stream.ion import loads
from qldb_stream.report import StoredRevision
from qldb_stream.sinks._relational import Erasure, plain
from qldb_stream.sinks.dynamodb._items import CURRENT, DATA, ION, ION_ONLY, OWN, Item
from qldb_stream.sinks.dynamodb._values import comparable, readable

__all__ = ["in_block", "maybe_erasure", "revisions_of", "stored_revision"]


def in_block(found: StoredRevision, strand_id: str, sequence_no: int) -> StoredRevision:
    """Give a revision as one of the block that names it, if it says none: then it is altered."""
    if found.strand_id == strand_id and found.sequence_no >= 0:
        return found
    return attrs.evolve(
        found, strand_id=strand_id, sequence_no=sequence_no, kind=RevisionKind.SYSTEM
    )


def maybe_erasure(strand_id: str, note: Item) -> Erasure | None:
    """Read from its key what a note says to be redacted; None where somebody else wrote it."""
    number, _, revision = str(note["sk"]["S"]).partition("#")
    document_id, _, version = revision.rpartition("#")
    if not (number.isdecimal() and version.isdecimal()):
        return None
    return strand_id, int(number), document_id, int(version)


def revisions_of(block: Item | None) -> list[tuple[str, int]]:
    """Give the revisions that a block's item names, by document and version; others' words not."""
    listed = [] if block is None else block.get("qldb_revisions", {}).get("L", [])
    named = [one.get("L", []) for one in listed]
    return sorted(
        (pair[0]["S"], int(pair[1]["N"]))
        for pair in named
        if [set(member) for member in pair] == _PAIR and pair[1]["N"].isdecimal()
    )


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
        None if data_hash is None else bytes(data_hash.get("B", b"")),
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
    text = str(item.get(name, {}).get("N", ""))
    return int(text) if text.isdecimal() else -1


_PAIR: Final = [{"S"}, {"N"}]

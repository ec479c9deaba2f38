"""
The items of the table: their keys, what they hold, how large they are. Pure.

One table, two string keys, `pk` and `sk`; PREFIX is the sink's option:

    PREFIX D#DOCUMENT        CURRENT          the current state of a document
    PREFIX D#DOCUMENT        V#VERSION        each of its revisions
    PREFIX B#STRAND#THOUSAND NUMBER           a block of the chain, and which revisions it wrote
    PREFIX R#STRAND          NUMBER#DOC#VER   a redaction that was carried out
    PREFIX P#STRAND          POSITION         the position and the fencing token

A document's fields are attributes of the current item, so that an index can be made over them,
and one map of the history's, so that they are in no such index. Own attributes begin with
`qldb_`; a document's field of such a name, or of a key's, stands in its Ion only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.report import Position
from qldb_stream.sinks._relational import UNKNOWN_TABLE, time_text
from qldb_stream.sinks.dynamodb._values import AttributeValue, readable, size_of

__all__ = [
    "CURRENT",
    "DATA",
    "ION",
    "ION_ONLY",
    "MAX_ITEM_BYTES",
    "OWN",
    "Item",
    "Key",
    "Keys",
    "TooLargeError",
    "block_item",
    "current_item",
    "history_item",
    "item_bytes",
    "key_of",
    "note_item",
    "position_item",
    "redacted_item",
]

Item: TypeAlias = dict[str, AttributeValue]
Key: TypeAlias = tuple[str, str]

# 400 KB, less what the names of attributes may be counted with (Service quotas in DynamoDB).
MAX_ITEM_BYTES: Final = 400 * 1024 - 1024
CURRENT: Final = "CURRENT"
ION: Final = "qldb_ion"
DATA: Final = "qldb_data"
ION_ONLY: Final = "qldb_ion_only"
OWN: Final = "qldb_"
_KEY_NAMES: Final = frozenset({"pk", "sk"})
_BLOCKS_A_PARTITION: Final = 1_000
_VERIFIED: Final = "verified"  # the pipeline delivers no other blocks
FORMAT: Final = 1


class TooLargeError(Exception):
    """An item beyond DynamoDB's limit, and which."""


@attrs.frozen
class Keys:
    """Makes keys."""

    prefix: str = ""

    def document(self, document_id: str) -> str:
        """Give the partition of a document."""
        return f"{self.prefix}D#{document_id}"

    def current(self, document_id: str) -> Key:
        """Give the key of a document's current state."""
        return self.document(document_id), CURRENT

    def history(self, document_id: str, version: int) -> Key:
        """Give the key of a revision; keys sort as versions do."""
        return self.document(document_id), f"V#{version:012d}"

    @property
    def versions(self) -> tuple[str, str]:
        """Give the sort keys that all revisions of a document lie between."""
        return "V#", "V$"

    def blocks(self, strand_id: str, sequence_no: int) -> str:
        """Give the partition of a block, which a thousand share."""
        return f"{self.prefix}B#{strand_id}#{sequence_no // _BLOCKS_A_PARTITION}"

    def block(self, strand_id: str, sequence_no: int) -> Key:
        """Give the key of a block."""
        return self.blocks(strand_id, sequence_no), number_key(sequence_no)

    def notes(self, strand_id: str) -> str:
        """Give the partition of a strand's redactions."""
        return f"{self.prefix}R#{strand_id}"

    def note(self, strand_id: str, sequence_no: int, document_id: str, version: int) -> Key:
        """Give the key of a redaction, by the revision that it took the data of."""
        where = f"{number_key(sequence_no)}#{document_id}#{version}"
        return self.notes(strand_id), where

    def position(self, strand_id: str) -> Key:
        """Give the key of a strand's position."""
        return f"{self.prefix}P#{strand_id}", "POSITION"

    def windows(self, first: int, last: int) -> range:
        """Give the first numbers of the partitions that a range of blocks lies in."""
        return range(first - first % _BLOCKS_A_PARTITION, last + 1, _BLOCKS_A_PARTITION)


def number_key(sequence_no: int) -> str:
    """Write a block's number so that texts sort as numbers do."""
    return f"{sequence_no:019d}"


def key_of(item: Mapping[str, AttributeValue]) -> Key:
    """Give an item's key."""
    return item["pk"]["S"], item["sk"]["S"]


def item_bytes(item: Mapping[str, AttributeValue]) -> int:
    """Give the bytes that DynamoDB counts for an item."""
    return sum(len(name.encode()) + size_of(value) for name, value in item.items())


def history_item(keys: Keys, block: Block, revision: Revision, *, is_erased: bool) -> Item:
    """
    Give a revision's item.

    Args:
        keys: makes the key.
        block: whose revision it is.
        revision: it must have metadata.
        is_erased: whether its redaction came before it.

    Raises:
        TooLargeError: its Ion alone is more than an item may hold.
        DecodeError: the document cannot be read.
    """
    assert revision.metadata is not None
    key = keys.history(revision.metadata.id, revision.metadata.version)
    item = _own(key, block, revision)
    if is_erased:
        return redacted_item(item)
    if revision.data_ion is not None and not revision.is_withheld:
        item[ION] = {"B": revision.data_ion.to_bytes()}
        _add(item, {DATA: readable(revision.data)})
    return item


def current_item(keys: Keys, item: Item) -> Item:
    """Give the current state that a revision's item makes."""
    document_id = item["qldb_document_id"]["S"]
    pk, sk = keys.current(document_id)
    own = {name: value for name, value in item.items() if name not in (DATA, ION_ONLY)}
    made = own | {"pk": {"S": pk}, "sk": {"S": sk}, "qldb_current_table": item["qldb_table"]}
    fields = item.get(DATA, {}).get("M", {})
    taken = {n: v for n, v in fields.items() if not n.startswith(OWN) and n not in _KEY_NAMES}
    if ION_ONLY in item:
        made[ION_ONLY] = item[ION_ONLY]
    else:
        _add(made, taken)
    return made


def redacted_item(item: Item) -> Item:
    """Give what a redaction leaves of a revision's item, history or current."""
    kept = {n: v for n, v in item.items() if n in _KEY_NAMES or n.startswith(OWN)}
    for name in (ION, DATA, ION_ONLY):
        kept.pop(name, None)
    if item.get("qldb_kind", {}).get("S") in _WITH_DATA:
        kept["qldb_kind"] = {"S": RevisionKind.REDACTED.value}
    return kept


def block_item(keys: Keys, block: Block) -> Item:
    """Give the item that says what a block is, and which revisions it wrote."""
    summary, address = block.summary, block.summary.address
    pk, sk = keys.block(address.strand_id, address.sequence_no)
    wrote = [
        {"L": [{"S": r.metadata.id}, {"N": str(r.metadata.version)}]}
        for r in block.revisions
        if r.metadata is not None
    ]
    return {
        "pk": {"S": pk},
        "sk": {"S": sk},
        "qldb_strand_id": {"S": address.strand_id},
        "qldb_sequence_no": {"N": str(address.sequence_no)},
        "qldb_block_hash": {"B": summary.block_hash},
        "qldb_previous_block_hash": {"B": summary.previous_block_hash},
        "qldb_tx_id": {"S": summary.transaction_id},
        "qldb_block_timestamp": {"S": time_text(summary.block_timestamp)},
        "qldb_revisions": {"L": wrote},
    }


def note_item(keys: Keys, strand_id: str, sequence_no: int, document_id: str, version: int) -> Item:
    """Give the item that says that a revision was redacted here."""
    pk, sk = keys.note(strand_id, sequence_no, document_id, version)
    return {
        "pk": {"S": pk},
        "sk": {"S": sk},
        "qldb_sequence_no": {"N": str(sequence_no)},
        "qldb_document_id": {"S": document_id},
        "qldb_version": {"N": str(version)},
    }


def position_item(
    keys: Keys, strand_id: str, position: Position | None, token: int, revision: int
) -> Item:
    """Give a strand's item; without a position where only parts of a block are there yet."""
    pk, sk = keys.position(strand_id)
    item: Item = {
        "pk": {"S": pk},
        "sk": {"S": sk},
        "qldb_format": {"N": str(FORMAT)},
        "qldb_token": {"N": str(token)},
        "qldb_revision": {"N": str(revision)},
    }
    if position is not None:
        item["qldb_position"] = {"S": json.dumps(position.as_json())}
    if item_bytes(item) > MAX_ITEM_BYTES:
        raise TooLargeError("the position, which names every parked block and gap")
    return item


_WITH_DATA: Final = frozenset({RevisionKind.INSERT.value, RevisionKind.UPDATE.value})


def _own(key: Key, block: Block, revision: Revision) -> Item:
    """Give what the sink itself says of a revision."""
    metadata, address = revision.metadata, block.address
    assert metadata is not None
    table = revision.table or UNKNOWN_TABLE
    found: dict[str, tuple[str, Any]] = {
        "pk": ("S", key[0]),
        "sk": ("S", key[1]),
        "qldb_strand_id": ("S", address.strand_id),
        "qldb_sequence_no": ("N", str(address.sequence_no)),
        "qldb_document_id": ("S", metadata.id),
        "qldb_version": ("N", str(metadata.version)),
        "qldb_kind": ("S", revision.kind.value),
        "qldb_hash": ("B", revision.hash),
        "qldb_data_hash": ("B", hash_data(revision)),
        "qldb_tx_id": ("S", metadata.tx_id),
        "qldb_tx_time": ("S", time_text(metadata.tx_time)),
        "qldb_block_hash": ("B", block.block_hash),
        "qldb_verification": ("S", _VERIFIED),
        "qldb_table": ("S", table.table_name),
        "qldb_table_id": ("S", table.table_id),
    }
    item = {name: {kind: value} for name, (kind, value) in found.items() if value is not None}
    if revision.masked:
        item["qldb_masked"] = {"L": [{"S": path} for path in revision.masked]}
    return item


def _add(item: Item, attributes: Item) -> None:
    """
    Add what is only to be read, unless it makes the item too large.

    Raises:
        TooLargeError: it is too large without.
    """
    own = item_bytes(item)
    if own > MAX_ITEM_BYTES:
        raise TooLargeError("a document")
    if own + item_bytes(attributes) <= MAX_ITEM_BYTES:
        item.update(attributes)
    else:
        item[ION_ONLY] = {"BOOL": True}

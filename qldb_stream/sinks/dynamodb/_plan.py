"""
What blocks change in the table: pure, from blocks to items that are put and deleted.

In one transaction of DynamoDB an item can be named once. So changes are a mapping by key, in
which a later block's takes the place of an earlier one's, and whoever needs the state of an item
(a redaction does) looks first at what is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import attrs

from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.sinks._relational import Erasure
from qldb_stream.sinks.dynamodb._items import (
    CURRENT,
    Item,
    Key,
    Keys,
    block_item,
    current_item,
    history_item,
    item_bytes,
    key_of,
    note_item,
    redacted_item,
)

__all__ = [
    "MAX_BYTES",
    "MAX_CHANGES",
    "Change",
    "Changes",
    "Group",
    "count_documents",
    "current_keys",
    "erasure_of",
    "erasures_by",
    "fits",
    "plan_block",
    "plan_erasure",
    "redacted_keys",
]

# TransactWriteItems takes 100 actions and 4 MB; the position is one of them, and its size and the
# names of keys in conditions are left room for.
MAX_CHANGES: Final = 99
MAX_BYTES: Final = 3_500_000
_GONE: Final = frozenset({RevisionKind.DELETE, RevisionKind.WITHHELD})


@attrs.frozen
class Change:
    """
    What becomes of an item: `item` is put, or it is deleted when that is None.

    With `version`, only where no newer version of the document stands.
    """

    key: Key
    item: Item | None = attrs.field(repr=False)
    version: int | None = None
    size: int = 0

    @classmethod
    def put(cls, item: Item, version: int | None = None) -> Change:
        """Plan to put an item."""
        return cls(key_of(item), item, version, item_bytes(item))


Changes = dict[Key, Change]
Seen = Callable[[Key], Item | None]


@attrs.define
class Group:
    """Whole blocks that go into one transaction."""

    blocks: list[Block] = attrs.field(factory=list)
    changes: Changes = attrs.field(factory=dict)
    documents: int = 0

    def maybe_with(self, block: Block, changes: Changes) -> Group | None:
        """Give the group with one more block; None when it does not fit."""
        union = self.changes | changes
        if not fits(union.values()):
            return None
        documents = self.documents + count_documents(block)
        return Group([*self.blocks, block], union, documents)

    def parts(self) -> Iterator[list[Change]]:
        """Cut changes that do not fit into parts, what blocks wrote before what is current."""
        part: list[Change] = []
        for change in sorted(self.changes.values(), key=lambda change: change.key[1] == CURRENT):
            if part and not fits([*part, change]):
                yield part
                part = []
            part.append(change)
        yield part


def fits(changes: Collection[Change]) -> bool:
    """Say whether one transaction takes all of these changes."""
    return len(changes) <= MAX_CHANGES and sum(change.size for change in changes) <= MAX_BYTES


def count_documents(block: Block) -> int:
    """Count the revisions that a block has of documents."""
    return sum(revision.metadata is not None for revision in block.revisions)


def redacted_keys(keys: Keys, blocks: Sequence[Block]) -> list[Key]:
    """Give the keys of all items that these blocks' redactions may change."""
    found: dict[Key, None] = {}
    for block in blocks:
        for _, _, document_id, version in erasures_by(block):
            found[keys.history(document_id, version)] = None
            found[keys.current(document_id)] = None
    return list(found)


def current_keys(keys: Keys, block: Block) -> list[Key]:
    """Give the keys of the current items of a block's documents."""
    return [keys.current(r.metadata.id) for r in block.revisions if r.metadata is not None]


def plan_block(keys: Keys, block: Block, erased: Collection[Erasure], seen: Seen) -> Changes:
    """
    Plan what a block changes.

    Args:
        keys: makes keys.
        block: the block.
        erased: revisions whose redaction came before them.
        seen: gives the state of an item before this block, where it is known: it must be of
            `redacted_keys`, and of `current_keys` where later blocks may have been applied.

    Raises:
        TooLargeError: an item would be more than DynamoDB takes.
        DecodeError: something in the block cannot be read.
    """
    changes: Changes = {}
    for revision in block.revisions:
        if revision.metadata is not None:
            is_erased = erasure_of(block, revision) in erased
            made = history_item(keys, block, revision, is_erased=is_erased)
            changes[key_of(made)] = Change.put(made)
            change = _write_current(keys, made, revision)
            if not _is_newer(seen(change.key), change):
                changes[change.key] = change
    for erasure in erasures_by(block):
        changes |= plan_erasure(keys, erasure, _over(changes, seen))
    item = block_item(keys, block)
    changes[key_of(item)] = Change.put(item)
    return changes


def plan_erasure(keys: Keys, erasure: Erasure, seen: Seen) -> Changes:
    """Plan to take the data of one revision out, where they are, and to note that."""
    strand_id, sequence_no, document_id, version = erasure
    made = [Change.put(note_item(keys, strand_id, sequence_no, document_id, version))]
    history = seen(keys.history(document_id, version))
    if history is not None:
        made.append(Change.put(redacted_item(history)))
    current = seen(keys.current(document_id))
    if current is not None and current["qldb_version"]["N"] == str(version):
        made.append(Change.put(redacted_item(current), version))
    return {change.key: change for change in made}


def erasures_by(block: Block) -> list[Erasure]:
    """Give what a block redacts."""
    info = block.summary.redaction_info
    return [
        (at.strand_id, at.sequence_no, asked.document_id, asked.version)
        for asked in (() if info is None else info.revisions)
        for at in (asked.block_address,)
    ]


def erasure_of(block: Block, revision: Revision) -> Erasure:
    """Name a revision, which must have metadata, as its redaction does."""
    metadata, address = revision.metadata, block.address
    assert metadata is not None
    return address.strand_id, address.sequence_no, metadata.id, metadata.version


def _write_current(keys: Keys, item: Item, revision: Revision) -> Change:
    """Plan what a revision, whose item is given, makes of the current state."""
    metadata = revision.metadata
    assert metadata is not None
    if revision.kind in _GONE:
        return Change(keys.current(metadata.id), None, metadata.version)
    return Change.put(current_item(keys, item), metadata.version)


def _is_newer(item: Item | None, change: Change) -> bool:
    """Say whether a block that comes late finds a newer version of a document."""
    assert change.version is not None
    return item is not None and int(item["qldb_version"]["N"]) > change.version


def _over(changes: Mapping[Key, Change], seen: Seen) -> Seen:
    """Look at what is planned before what was read."""

    def look(key: Key) -> Item | None:
        planned = changes.get(key)
        return seen(key) if planned is None else planned.item

    return look

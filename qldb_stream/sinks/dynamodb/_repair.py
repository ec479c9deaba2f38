"""
What puts an applied block right in the table: what is read for it, and what it changes.

A block's items are put anew whatever stands there. Revisions that its item names and that are
not the block's go, if they say that they are of it. Then the current item of each document that
is touched follows from the newest revision that counts: one that is written now, or one that the
item of its own block names. What others have put beside them makes nothing current.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from qldb_stream.events import Block, RevisionKind
from qldb_stream.sinks._relational import Erasure
from qldb_stream.sinks.dynamodb._items import (
    CURRENT,
    Item,
    Key,
    Keys,
    block_item,
    current_item,
    history_item,
    key_of,
    note_item,
)
from qldb_stream.sinks.dynamodb._plan import Change, Changes, erasure_of, erasures_by, plan_erasure
from qldb_stream.sinks.dynamodb._read import revisions_of, stored_revision
from qldb_stream.sinks.dynamodb._table import Table

__all__ = ["find_strays", "plan_repair"]

_VERSIONS_TOGETHER: Final = 4  # the newest nearly always counts
_GONE: Final = frozenset({RevisionKind.DELETE, RevisionKind.WITHHELD})

Strays = Mapping[int, Collection[str]]
"""Documents by the block that their current items say to be of."""


def find_strays(table: Table, keys: Keys, strand_id: str, numbers: Sequence[int]) -> Strays:
    """
    Find what is current by its own account because of some blocks; it reads the whole table.

    Raises:
        UsageError, SinkUnavailableError: as `Table` says.
    """
    condition = (
        "sk = :current AND begins_with(pk, :document) AND qldb_strand_id = :strand "
        "AND qldb_sequence_no BETWEEN :first AND :last"
    )
    values = {
        ":current": {"S": CURRENT},
        ":document": {"S": keys.document("")},
        ":strand": {"S": strand_id},
        ":first": {"N": str(min(numbers))},
        ":last": {"N": str(max(numbers))},
    }
    found: dict[int, set[str]] = {}
    for item in table.scan(condition, values):
        document_id = item["pk"]["S"].removeprefix(keys.document(""))
        found.setdefault(stored_revision(item).sequence_no, set()).add(document_id)
    return found


def plan_repair(
    table: Table, keys: Keys, block: Block, erased: Collection[Erasure], strays: Strays
) -> Changes:
    """
    Plan to write a block anew.

    Args:
        table: is read.
        keys: makes keys.
        block: the block; a revision that is REDACTED is noted as such.
        erased: redactions that were carried out.
        strays: see `find_strays`.

    Raises:
        TooLargeError: an item would be more than DynamoDB takes.
        DecodeError: something in the block cannot be read.
        UsageError, SinkUnavailableError: as `Table` says.
    """
    return _Repair(table, keys, block).plan(erased, strays.get(block.address.sequence_no, ()))


class _Repair:
    """One block's repair."""

    def __init__(self, table: Table, keys: Keys, block: Block) -> None:
        self._table: Final = table
        self._keys: Final = keys
        self._block: Final = block
        self._changes: Final[Changes] = {}
        self._own: Final[set[Key]] = set()
        self._documents: Final[dict[str, list[Item]]] = {}
        self._named: Final[dict[Key, frozenset[tuple[str, int]]]] = {}

    def plan(self, erased: Collection[Erasure], strays: Collection[str]) -> Changes:
        """Plan history, redactions and the block itself, then what is current."""
        self._write_history(erased)
        self._remove_others()
        self._redact()
        item = block_item(self._keys, self._block)
        self._changes[key_of(item)] = Change.put(item)
        for document_id in strays:
            self._documents.setdefault(document_id, [])
        for document_id in self._documents:
            change = self._rebuild(document_id)
            self._changes[change.key] = change
        return self._changes

    def _write_history(self, erased: Collection[Erasure]) -> None:
        for revision in self._block.revisions:
            if revision.metadata is None:
                continue
            erasure = erasure_of(self._block, revision)
            made = history_item(self._keys, self._block, revision, is_erased=erasure in erased)
            self._own.add(key_of(made))
            self._put(revision.metadata.id, made)
            if revision.kind is RevisionKind.REDACTED:
                note = note_item(self._keys, *erasure)
                self._changes[key_of(note)] = Change.put(note)

    def _put(self, document_id: str, item: Item) -> None:
        self._changes[key_of(item)] = Change.put(item)
        self._documents.setdefault(document_id, []).append(item)

    def _remove_others(self) -> None:
        """Delete revisions that the block's item names, and that the block has not."""
        held = self._table.get(self._keys.block(*self._address))
        keys = {self._keys.history(*named): named for named in revisions_of(held)}
        others = [key for key in keys if key not in self._changes]
        for key, item in self._table.get_many(others).items():
            if self._address_of(item) == self._address:
                self._changes[key] = Change(key, None)
                self._documents.setdefault(keys[key][0], [])

    def _redact(self) -> None:
        """Carry out again what the block redacts; what is current is rebuilt from that."""
        erasures = erasures_by(self._block)
        keys = [self._keys.history(document_id, version) for *_, document_id, version in erasures]
        held = self._table.get_many(
            [key for key in dict.fromkeys(keys) if key not in self._changes]
        )
        for erasure in erasures:
            planned = {key: change.item for key, change in self._changes.items()}
            made = plan_erasure(self._keys, erasure, (held | planned).get)
            self._changes.update(made)
            history = made.get(self._keys.history(*erasure[2:]))
            if history is not None and history.item is not None:
                self._put(erasure[2], history.item)

    # --- what is current -------------------------------------------------------------------

    def _rebuild(self, document_id: str) -> Change:
        """Let a current item follow from the newest revision that counts, whatever stands there."""
        for item in self._versions(document_id):
            if key_of(item) in self._own or self._counts(document_id, item):
                if stored_revision(item).kind in _GONE:
                    break
                return Change.put(current_item(self._keys, item))
        return Change(self._keys.current(document_id), None)

    def _versions(self, document_id: str) -> Iterator[Item]:
        """Iterate over a document's revisions, planned and stored, the newest first."""
        planned = {key_of(item): item for item in self._documents[document_id]}
        stored = self._table.query(
            self._keys.document(document_id), *self._keys.versions, newest_first=_VERSIONS_TOGETHER
        )
        others = (item for item in stored if key_of(item) not in self._changes)
        newest = sorted(planned.values(), key=_sort_key, reverse=True)
        return heapq.merge(newest, others, key=_sort_key, reverse=True)

    def _counts(self, document_id: str, item: Item) -> bool:
        """Say whether another block's revision is what its key says, and named by that block."""
        found = stored_revision(item)
        key = self._keys.history(found.document_id, found.version)
        if found.document_id != document_id or key != key_of(item) or not found.table:
            return False
        strand_id, number = address = self._address_of(item)
        if strand_id != self._address[0] or address == self._address or number < 0:
            return False
        at = self._keys.block(strand_id, number)
        if at not in self._named:
            self._named[at] = frozenset(revisions_of(self._table.get(at)))
        return (document_id, found.version) in self._named[at]

    @property
    def _address(self) -> tuple[str, int]:
        address = self._block.address
        return address.strand_id, address.sequence_no

    @staticmethod
    def _address_of(item: Item) -> tuple[str, int]:
        found = stored_revision(item)
        return found.strand_id, found.sequence_no


def _sort_key(item: Item) -> str:
    return str(item["sk"]["S"])

"""
Erasing documents from a table, and from its bucket.

In this order, each step repeatable: what is erased is marked, so that no full copy comes in any
more; stored records are replaced; parked blocks; bytes in the quarantine; objects that a crash
left. Whoever crashes before the end is asked again, since the redaction is delivered after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import BlockAddress, RedactedRevision, RevisionDetails, Undecodable
from qldb_stream.inbox._records import (
    MarkedRevision,
    event_bytes,
    is_full,
    key_of,
    lost_item,
    parse_stored,
    redacted_event,
)
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, Key, erased_key, number_text
from qldb_stream.inbox.dynamodb._objects import block_folder
from qldb_stream.inbox.dynamodb._parked import Park
from qldb_stream.inbox.dynamodb._quarantine import Quarantine
from qldb_stream.inbox.dynamodb._records import ROUNDS, Records, head_key, mark_text
from qldb_stream.inbox.dynamodb._units import StaleViewError, Unit, do_units
from qldb_stream.inbox.dynamodb._values import Item as Attributes, need

__all__ = ["Erasure"]

_MARK: Final = "ADD #revisions :revisions"
_NEW_VIEW: Final = "SET #strand_id = :strand_id ADD #erasures :one"


class Erasure:
    """What `erase` does, on the parts of one inbox."""

    def __init__(self, records: Records, park: Park, quarantine: Quarantine) -> None:
        self._records: Final = records
        self._park: Final = park
        self._quarantine: Final = quarantine
        self._lost: list[Undecodable] = []

    def run(self, redacted: Sequence[RedactedRevision]) -> int:
        """Replace every copy; answer how many were replaced."""
        by_block = attrgetter("block_address")
        replaced = 0
        addresses = []
        for address, group in groupby(sorted(redacted, key=by_block), key=by_block):
            marks = {(revision.document_id, revision.version) for revision in group}
            self._mark(address, marks)
            replaced += self._erase_block(address, marks)
            addresses.append(address)
        replaced += self._park.erase(redacted)
        if redacted:
            self._quarantine.drop_bytes_with({asked.document_id for asked in redacted})
        self._quarantine.put(self._lost, 0.0)
        for address in addresses:
            folder = block_folder(address.strand_id, address.sequence_no)
            self._records.objects.remove_loose(folder)
        return replaced

    def _mark(self, address: BlockAddress, marks: set[MarkedRevision]) -> None:
        table, shards = self._records.table, self._records.shards
        strand_id = address.strand_id
        where = erased_key(strand_id, address.sequence_no, shards)
        texts = frozenset(map(mark_text, marks))
        known = (table.get(where) or {}).get("revisions")
        if isinstance(known, frozenset) and texts <= known:
            return
        mark = table.update_action(where, _MARK, {"revisions": texts})
        head = table.update_action(
            head_key(strand_id), _NEW_VIEW, {"strand_id": strand_id, "one": 1}
        )
        table.transact([mark, head])

    def _erase_block(self, address: BlockAddress, marks: set[MarkedRevision]) -> int:
        source = f"{self._records.table.name}, block {address.strand_id}/{address.sequence_no}"
        replaced = 0
        for _ in range(ROUNDS):
            full = [
                (item, raw, event)
                for item, raw in self._records.stored(address.strand_id, address.sequence_no)
                if isinstance(event := parse_stored(source, raw), RevisionDetails)
                and is_full(event, marks)
            ]
            if not full:
                return replaced
            for item, raw, event in full:
                replaced += self._replace(address, item, raw, event)
        raise self._records.table.calls.busy("a block")

    def _replace(
        self, address: BlockAddress, item: Attributes, raw: bytes, event: RevisionDetails
    ) -> int:
        """Put a redacted record in the place of a full one; answer 0 when others came first."""
        records = self._records
        units = [records.delete_unit(item)]
        lost: list[Undecodable] = []
        try:
            units += self._redacted(address, item, event_bytes(redacted_event(event)))
        except DecodeError as exc:
            lost.append(lost_item(event, raw, exc))
        unit = Unit(
            tuple(action for each in units for action in each.actions),
            sum(each.count for each in units),
            sum(each.size for each in units),
            sum(each.weight for each in units),
        )
        done = 0
        try:
            for _unit in do_units(records.table, [unit], records.recount(address.strand_id)):
                done = 1
                records.objects.remove(units[0].objects)
                self._lost += lost
        except StaleViewError:
            pass  # the redacted form has come meanwhile; the caller looks again
        if not done:
            records.objects.discard([name for each in units[1:] for name in each.objects])
        return done

    def _redacted(self, address: BlockAddress, item: Attributes, data: bytes) -> list[Unit]:
        """Give what stores the redacted form, unless it is there."""
        records = self._records
        key = Key(item[HASH_KEY], f"{number_text(address.sequence_no)}#{key_of(data).hex()}")
        if records.table.get(key) is not None:
            return []
        arrived_s: Any = need(item, "arrived_s", float, records.table.name)
        came = need(item, "came", int, records.table.name)
        return [records.put_unit(address, key, data, came, arrived_s)]

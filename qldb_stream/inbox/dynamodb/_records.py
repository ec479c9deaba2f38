"""
The records that wait, by strand and block.

Each transaction of `put` stores up to 99 records of a strand and counts them, so that the
counters are exact, and nothing is stored without `arrivals` being raised.

What was erased never comes in again: a redaction leaves a mark, and raises the strand's
`erasures` in the transaction that does so. A `put` reads `erasures`, then the marks, and its
transaction fails when `erasures` has changed since. So whatever was stored before the mark, the
erasure finds, and nothing is stored after it that does not heed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import attrs

from qldb_stream.errors import InboxFileError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.inbox._records import Entry, MarkedRevision, key_of, parse_stored, without_erased
from qldb_stream.inbox.dynamodb._contents import INLINE_BYTES, Contents
from qldb_stream.inbox.dynamodb._keys import (
    HASH_KEY,
    RANGE_KEY,
    Key,
    erased_key,
    number_text,
    part,
    record_partition,
)
from qldb_stream.inbox.dynamodb._objects import GoneError, Objects, block_folder
from qldb_stream.inbox.dynamodb._table import Action, Table
from qldb_stream.inbox.dynamodb._units import Unit, do_units
from qldb_stream.inbox.dynamodb._values import Item as Attributes, Value, maybe_number, need
from qldb_stream.typing import Item

__all__ = ["ROUNDS", "Look", "Records", "head_key", "mark_text"]

ROUNDS: Final = 20
"""How often something is begun anew because others changed what it is about."""

_NEW: Final = f"attribute_not_exists(#{HASH_KEY})"
_KEYS: Final = (HASH_KEY, RANGE_KEY, "size", "object")


def head_key(strand_id: str) -> Key:
    """Give the key of a strand's counters."""
    return Key("strand", part(strand_id))


def mark_text(mark: MarkedRevision) -> str:
    """Give what stands in a block's mark for a revision."""
    return f"{mark[1]}#{mark[0]}"


@attrs.define
class Look:
    """What a `put` saw of a strand: its counters, what of it is new, what was lost."""

    strand_id: str
    came: int
    erasures: int
    new: dict[Key, Entry]
    lost: list[Undecodable]

    @property
    def size(self) -> int:
        """Give how many bytes are new."""
        return sum(len(raw) for _event, raw in self.new.values())


class Records:
    """The records of one inbox."""

    def __init__(self, table: Table, contents: Contents, objects: Objects, shards: int) -> None:
        self.table: Final = table
        self.shards: Final = shards
        self.objects: Final = objects
        self._contents: Final = contents

    # --- what is there ------------------------------------------------------------------------

    def heads(self) -> list[Attributes]:
        """Give the counters of every strand, those of which nothing ever came too."""
        return list(self.table.query("strand"))

    def head(self, strand_id: str) -> Attributes | None:
        """Give a strand's counters."""
        return self.table.get(head_key(strand_id))

    def stored(self, strand_id: str, number: int) -> list[tuple[Attributes, bytes]]:
        """Give a block's items with their records, in the order in which they came."""
        for _ in range(ROUNDS):
            try:
                return [(item, self._bytes(item)) for item in self._items(strand_id, number)]
            except GoneError:  # trimmed or erased since it was listed
                continue
        problem = f"an object of block {strand_id}/{number} is gone from bucket"
        raise InboxFileError(self.table.name, f"{problem} {self.objects.bucket}")

    def block(self, strand_id: str, number: int) -> tuple[Item, ...]:
        """Give a block's records."""
        source = f"{self.table.name}, block {strand_id}/{number}"
        return tuple([parse_stored(source, raw) for _, raw in self.stored(strand_id, number)])

    def arrival_s(self, strand_id: str, number: int) -> float | None:
        """Say when the first record of a block came."""
        found = self._items(strand_id, number, only=("came", "arrived_s", HASH_KEY, RANGE_KEY))
        return min(
            [need(item, "arrived_s", float, self.table.name) for item in found], default=None
        )

    def lowest_after(self, strand_id: str, number: int) -> int | None:
        """Give the lowest stored number above one; None when there is none."""
        return min(self._ends(strand_id, number + 1, forward=True), default=None)

    def last(self, strand_id: str) -> int | None:
        """Give the highest stored number."""
        return max(self._ends(strand_id, 0, forward=False), default=None)

    def _items(self, strand_id: str, number: int, only: Sequence[str] = ()) -> list[Attributes]:
        text = number_text(number)
        pk = record_partition(strand_id, number, self.shards)
        found = self.table.query(pk, f"{text}#", f"{text}#\x7f", only=only)
        return sorted(found, key=_order)

    def _ends(self, strand_id: str, first: int, *, forward: bool) -> Iterator[int]:
        for shard in range(self.shards):
            pk = record_partition(strand_id, shard, self.shards)
            for item in self.table.query(
                pk, number_text(first), only=(RANGE_KEY,), limit=1, forward=forward
            ):
                yield _number(item[RANGE_KEY], self.table.name)

    def _bytes(self, item: Attributes) -> bytes:
        data = self._contents.read(item)
        if data is None:
            what = f"{item[HASH_KEY]}, {item[RANGE_KEY]}"
            raise InboxFileError(self.table.name, f"the table is damaged: item {what} has no data")
        return data

    # --- putting ------------------------------------------------------------------------------

    def look(self, strand_id: str, entries: Sequence[Entry]) -> Look:
        """See what of some records of a strand is to be stored."""
        head = self.head(strand_id)
        came, erasures = maybe_number(head, "came"), maybe_number(head, "erasures")
        lost: list[Undecodable] = []
        if erasures:
            addresses = {event.address for event, _raw in entries}
            entries, lost = without_erased(entries, self.marks(addresses))
        keyed = {self._record_key(entry): entry for entry in entries}
        known = self.table.get_many(keyed, HASH_KEY, RANGE_KEY)
        new = {key: entry for key, entry in keyed.items() if key not in known}
        return Look(strand_id, came, erasures, new, lost)

    def marks(self, addresses: Iterable[BlockAddress]) -> dict[BlockAddress, set[MarkedRevision]]:
        """Give what was erased in blocks."""
        keys = {a: erased_key(a.strand_id, a.sequence_no, self.shards) for a in addresses}
        found = self.table.get_many(keys.values())
        return {a: set(_marks(found[key])) for a, key in keys.items() if key in found}

    def view(self, address: BlockAddress) -> tuple[set[MarkedRevision], Action]:
        """Give what was erased in a block, and what checks that nothing of the strand was since."""
        erasures = maybe_number(self.head(address.strand_id), "erasures")
        marks = self.marks([address]).get(address, set()) if erasures else set()
        condition, values = _unchanged(erasures)
        return marks, self.table.check_action(head_key(address.strand_id), condition, values)

    def write(self, look: Look, now_s: float) -> Iterator[int]:
        """
        Store what is new, and give a 1 for each record when it is stored.

        Raises:
            StaleViewError: something of the strand was erased since the look.
        """
        units = [self._unit(look, n, key, now_s) for n, key in enumerate(look.new)]

        def count(number: int, size: int) -> Action:
            values: dict[str, Value] = {"one": 1, "number": number, "size": size}
            values["strand_id"] = look.strand_id
            condition, seen = _unchanged(look.erasures)
            values |= seen
            return self.table.update_action(head_key(look.strand_id), _ARRIVED, values, condition)

        unused = {name for unit in units for name in unit.objects}
        try:
            for unit in do_units(self.table, units, count):
                unused.difference_update(unit.objects)
                yield 1
        finally:
            self.objects.discard(unused)

    def _record_key(self, entry: Entry) -> Key:
        event, raw = entry
        address = event.address
        pk = record_partition(address.strand_id, address.sequence_no, self.shards)
        return Key(pk, f"{number_text(address.sequence_no)}#{key_of(raw).hex()}")

    def _unit(self, look: Look, index: int, key: Key, now_s: float) -> Unit:
        event, raw = look.new[key]
        return self.put_unit(event.address, key, raw, look.came + index, now_s)

    def put_unit(
        self, address: BlockAddress, key: Key, raw: bytes, came: int, arrived_s: float
    ) -> Unit:
        """Give what stores a record."""
        folder = block_folder(address.strand_id, address.sequence_no)
        what = f"a record of block {address.strand_id}/{address.sequence_no}"
        held = self._contents.hold(raw, folder, arrived_s, what)
        item = {
            HASH_KEY: key.pk,
            RANGE_KEY: key.sk,
            "came": came,
            "arrived_s": arrived_s,
            "size": len(raw),
            **held.attributes,
        }
        actions = (self.table.put_action(item, _NEW), *held.claims)
        return Unit(actions, 1, len(raw), held.weight, held.objects)

    # --- trimming -----------------------------------------------------------------------------

    def trim(self, strand_id: str, last: int) -> int:
        """Remove the records of blocks up to a number; answer how many."""
        items = self._old(strand_id, last)
        removed = 0
        while page := list(islice(items, _PAGE)):
            units = [self.delete_unit(item) for item in page]
            for unit in do_units(self.table, units, self.recount(strand_id)):
                removed += 1
                self.objects.remove(unit.objects)
        return removed

    def _old(self, strand_id: str, last: int) -> Iterator[Attributes]:
        end = f"{number_text(last)}#\x7f"
        for shard in range(self.shards):
            pk = record_partition(strand_id, shard, self.shards)
            yield from self.table.query(pk, last=end, only=_KEYS)

    def delete_unit(self, item: Mapping[str, Any]) -> Unit:
        """Give what removes a record."""
        delete = self.table.delete_action(Key(item[HASH_KEY], item[RANGE_KEY]))
        size, name = maybe_number(item, "size"), item.get("object")
        if name is None:
            return Unit((delete,), -1, -size, min(size, INLINE_BYTES))
        return Unit((delete, self.objects.loose_action(name)), -1, -size, 0, (name,))

    def recount(self, strand_id: str) -> Callable[[int, int], Action]:
        """Give the counter of what goes, or changes."""

        def count(number: int, size: int) -> Action:
            values: dict[str, Value] = {"number": number, "size": size}
            return self.table.update_action(head_key(strand_id), _CHANGED, values)

        return count


_ARRIVED: Final = (
    "SET #strand_id = :strand_id "
    "ADD #arrivals :one, #came :number, #records :number, #record_bytes :size"
)
_CHANGED: Final = "ADD #records :number, #record_bytes :size"
_PAGE: Final = 99 * 4  # so many full transactions


def _unchanged(erasures: int) -> tuple[str, dict[str, Value]]:
    """Give the condition that nothing of a strand was erased since so many erasures were."""
    if erasures:
        return "#erasures = :erasures", {"erasures": erasures}
    return "attribute_not_exists(#erasures)", {}


def _order(item: Mapping[str, Any]) -> tuple[int, float, str]:
    arrived_s = item.get("arrived_s")
    when = float(arrived_s) if isinstance(arrived_s, int | float) else 0.0
    return maybe_number(item, "came"), when, str(item[RANGE_KEY])


def _number(text: str, name: str) -> int:
    try:
        return int(text.partition("#")[0])
    except ValueError as exc:
        raise InboxFileError(name, "the table is damaged: the key of a record") from exc


def _marks(item: Mapping[str, Any]) -> Iterator[MarkedRevision]:
    for text in item.get("revisions") or ():
        version, _, document_id = text.partition("#")
        yield document_id, int(version)

"""
What could not be read, kept as it came, once each, in the order in which it came.

Beside each entry stands an item whose key is its SHA-256, so that what comes again falls out.
Bytes that are too long for an item are not kept where there is no bucket: the entry says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import BacklogError, InboxFileError
from qldb_stream.events import Undecodable
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._quarantine_form import parse_quarantined, value_and_key
from qldb_stream.inbox.dynamodb._contents import INLINE_BYTES, Contents, Held
from qldb_stream.inbox.dynamodb._keys import COUNT, HASH_KEY, RANGE_KEY, Key, number_text
from qldb_stream.inbox.dynamodb._objects import GoneError, Objects
from qldb_stream.inbox.dynamodb._records import ROUNDS
from qldb_stream.inbox.dynamodb._table import Action, Table
from qldb_stream.inbox.dynamodb._units import StaleViewError, Unit, do_units
from qldb_stream.inbox.dynamodb._values import Item as Attributes, Value, maybe_number, need
from qldb_stream.report import Quarantined

__all__ = ["Quarantine"]

_PK: Final = "quarantine"
_KEYS_PK: Final = "quarantine-key"
_FOLDER: Final = "quarantine/"
_NEW: Final = f"attribute_not_exists(#{HASH_KEY})"
_ARRIVED: Final = "ADD #entries :number, #came :number, #bytes :size"
_GONE: Final = "ADD #entries :number, #bytes :size"
_HEADER: Final = (HASH_KEY, RANGE_KEY, "arrived_s", "held", "object")


@attrs.frozen
class _New:
    """An entry that is not there yet."""

    item: Undecodable
    value: str
    key: str
    data: bytes | None


class Quarantine:
    """The quarantine of one inbox."""

    def __init__(
        self, table: Table, contents: Contents, objects: Objects, limits: InboxLimits
    ) -> None:
        self._table: Final = table
        self._contents: Final = contents
        self._objects: Final = objects
        self._limits: Final = limits

    def check(self, items: Sequence[Undecodable]) -> None:
        """
        Refuse what does not fit, before anything is stored.

        Raises:
            BacklogError: there are too many.
        """
        if not items:
            return
        new, count = self._new(items)
        if new and maybe_number(count, "entries") + len(new) > self._limits.quarantined:
            waits_for = f"somebody to look at them in inbox {self._table.name}"
            raise BacklogError(self._limits.quarantined, "unreadable records", waits_for)

    def put(self, items: Sequence[Undecodable], now_s: float) -> None:
        """
        Keep what could not be read, whatever the limit of entries.

        Raises:
            InboxUnavailableError: others came first again and again; a part may be kept.
        """
        if not items:
            return
        for _ in range(ROUNDS):
            new, count = self._new(items)
            if not new:
                return
            came = maybe_number(count, "came")
            units = [self._unit(entry, came + n, now_s) for n, entry in enumerate(new)]
            self._add(units)
        raise self._table.calls.busy("the quarantine")

    def count(self) -> int:
        """Count what is kept."""
        return maybe_number(self._table.get(COUNT), "entries")

    def iter_quarantined(self) -> Iterator[Quarantined]:
        """Iterate over what is kept, one held at a time."""
        first = "!"
        while True:
            found = list(self._table.query(_PK, first, limit=1))
            if not found:
                return
            first = f"{found[0][RANGE_KEY]}!"
            if (entry := self._maybe_parse(found[0])) is not None:
                yield entry

    def discard(self, until_s: float) -> int:
        """Remove what came until a moment; answer how many."""
        name = self._table.name
        found = self._table.query(_PK, only=_HEADER)
        old = [item for item in found if need(item, "arrived_s", float, name) <= until_s]
        return self._take_out([self._delete_unit(item) for item in old])

    def drop_bytes_with(self, document_ids: Iterable[str]) -> None:
        """Drop the bytes of entries that name a document, readably."""
        needles = [document_id.encode() for document_id in document_ids]
        if not self.count():
            return
        for item in self._table.query(_PK):
            data = self._maybe_bytes(item)
            if data is not None and any(needle in data for needle in needles):
                self._take_out([self._drop_unit(item)])

    def _new(self, items: Sequence[Undecodable]) -> tuple[list[_New], Attributes | None]:
        """Give what is not there yet, with the bytes for which there is room; and the counter."""
        count = self._table.get(COUNT)
        size = maybe_number(count, "bytes")
        keyed = {value_and_key(item): item for item in items}
        known = self._table.get_many([Key(_KEYS_PK, key.hex()) for _, key in keyed])
        new = []
        for (value, key), item in keyed.items():
            if Key(_KEYS_PK, key.hex()) in known:
                continue
            fits = size + len(item.data or b"") <= self._limits.quarantined_bytes
            data = item.data if fits else None
            size += len(data or b"")
            new.append(_New(item, value, key.hex(), data))
        return new, count

    def _unit(self, new: _New, order: int, now_s: float) -> Unit:
        held: Held | None = None
        if new.data is not None:
            held = self._contents.maybe_hold(new.data, _FOLDER, now_s)
        held_bytes = 0 if held is None or new.data is None else len(new.data)
        held = held or Held({}, 0)
        entry: dict[str, Value | None] = {
            HASH_KEY: _PK,
            RANGE_KEY: f"{number_text(order)}#{new.key}",
            "arrived_s": now_s,
            "value": new.value,
            "held": held_bytes,
            **held.attributes,
        }
        key: dict[str, Value | None] = {HASH_KEY: _KEYS_PK, RANGE_KEY: new.key}
        actions = (
            self._table.put_action(key, _NEW),
            self._table.put_action(entry),
            *held.claims,
        )
        weight = held.weight + len(new.value)
        return Unit(actions, 1, held_bytes, weight, held.objects)

    def _delete_unit(self, item: Attributes) -> Unit:
        names = (item["object"],) if item.get("object") else ()
        key = item[RANGE_KEY].partition("#")[2]
        actions = (
            self._table.delete_action(Key(_PK, item[RANGE_KEY])),
            self._table.delete_action(Key(_KEYS_PK, key)),
            *map(self._objects.loose_action, names),
        )
        size = maybe_number(item, "held")
        return Unit(actions, -1, -size, min(size, INLINE_BYTES), names)

    def _drop_unit(self, item: Attributes) -> Unit:
        names = (item["object"],) if item.get("object") else ()
        drop = self._table.update_action(
            Key(_PK, item[RANGE_KEY]),
            "SET #held = :none REMOVE #data, #packed, #object",
            {"none": 0},
            f"attribute_exists(#{HASH_KEY})",
        )
        actions = (drop, *map(self._objects.loose_action, names))
        size = maybe_number(item, "held")
        return Unit(actions, 0, -size, min(size, INLINE_BYTES), names)

    def _add(self, units: Sequence[Unit]) -> None:
        """Do what adds entries; what others did first leaves its object unused."""
        unused = {name for unit in units for name in unit.objects}
        try:
            for unit in do_units(self._table, units, self._counter(_ARRIVED)):
                unused.difference_update(unit.objects)
        except StaleViewError:
            pass  # an object was claimed meanwhile; `put` looks again
        finally:
            self._objects.discard(unused)

    def _take_out(self, units: Sequence[Unit]) -> int:
        """Do what removes entries or bytes, and their objects; answer how many were done."""
        done = 0
        try:
            for unit in do_units(self._table, units, self._counter(_GONE)):
                done += 1
                self._objects.remove(unit.objects)
        except StaleViewError:
            pass  # others removed a part of it, and the rest with it
        return done

    def _counter(self, expression: str) -> Callable[[int, int], Action]:
        def count(number: int, size: int) -> Action:
            values: dict[str, Value] = {"number": number, "size": size}
            return self._table.update_action(COUNT, expression, values)

        return count

    def _maybe_bytes(self, item: Attributes) -> bytes | None:
        try:
            return self._contents.read(item)
        except GoneError:
            return None

    def _maybe_parse(self, item: Mapping[str, Any]) -> Quarantined | None:
        name = self._table.name
        value, arrived_s = need(item, "value", str, name), need(item, "arrived_s", float, name)
        try:
            data = self._contents.read(item)
        except GoneError as exc:
            again = self._table.get(Key(_PK, item[RANGE_KEY]))
            if again is None:
                return None
            if again.get("object") == item.get("object"):
                problem = "the object of a quarantined record is gone"
                raise InboxFileError(name, problem) from exc
            data = None
        return Quarantined(parse_quarantined(name, value, data), arrived_s)

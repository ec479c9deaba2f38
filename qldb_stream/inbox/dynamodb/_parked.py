"""
Parked blocks: an item each, an object where it is too long, and a counter by sink and strand.

Whoever replaces an item says which one he saw, by its stamp. What was erased in a block is taken
out before it is parked, and the transaction fails when something of the strand was erased since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from qldb_stream.errors import BacklogError, DecodeError, InboxFileError
from qldb_stream.events import RedactedRevision
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._parked_form import header_of, parse_parked, revision_row, without_marked
from qldb_stream.inbox._records import event_bytes
from qldb_stream.inbox.dynamodb._contents import INLINE_BYTES, Contents, join_parts, split_parts
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, RANGE_KEY, Key, number_text, part
from qldb_stream.inbox.dynamodb._objects import GoneError, block_folder
from qldb_stream.inbox.dynamodb._records import ROUNDS, Records
from qldb_stream.inbox.dynamodb._table import Action
from qldb_stream.inbox.dynamodb._units import StaleViewError, Unit, do_units
from qldb_stream.inbox.dynamodb._values import Item as Attributes, Value, maybe_number, need
from qldb_stream.report import ParkedBlock

__all__ = ["Park"]

_COUNTERS: Final = "parking"
_NEW: Final = f"attribute_not_exists(#{HASH_KEY})"
_COUNT: Final = "SET #sink = :sink, #strand_id = :strand_id ADD #blocks :number"
_KEYS: Final = (HASH_KEY, RANGE_KEY, "object")
_PAGE: Final = 400


class Park:
    """The parked blocks of one inbox."""

    def __init__(self, records: Records, contents: Contents, limits: InboxLimits) -> None:
        self._records: Final = records
        self._table: Final = records.table
        self._contents: Final = contents
        self._objects: Final = records.objects
        self._limits: Final = limits

    def park(self, parked: ParkedBlock) -> None:
        """
        Keep a block for a sink, in place of one with the same address.

        Raises:
            BacklogError: too many are parked.
        """
        for _ in range(ROUNDS):
            old = self._table.get(_key_of(parked))
            if old is None:
                self._check_limit()
            marks, check = self._records.view(parked.address)
            kept, _documents = without_marked(parked, marks)
            if self._write(kept, old, check):
                return
        raise self._table.calls.busy("a parked block")

    def unpark(self, sink: str, strand_id: str, sequence_no: int) -> None:
        """Remove a parked block; one that is not there is no error."""
        found = self._table.get(_key(sink, strand_id, sequence_no))
        if found is not None:
            self._remove([found], sink, strand_id)

    def forget(self, sink: str) -> None:
        """Remove all that is parked for a sink."""
        for each, strand_id, _blocks in self.counts():
            if each == sink:
                self._forget_strand(sink, strand_id)

    def iter_parked(self, sink: str, strand_id: str) -> Iterator[ParkedBlock]:
        """Iterate over a sink's parked blocks of a strand, by number, one held at a time."""
        pk, prefix = _partition(sink), f"{part(strand_id)}#"
        first = prefix
        while True:
            found = list(self._table.query(pk, first, f"{prefix}\x7f", limit=1))
            if not found:
                return
            first = found[0][RANGE_KEY]
            if (parked := self._maybe_parse(found[0])) is not None:
                yield parked
                first = f"{first}!"

    def counts(self) -> tuple[tuple[str, str, int], ...]:
        """Count parked blocks by sink and strand."""
        name = self._table.name
        found = [
            (need(i, "sink", str, name), need(i, "strand_id", str, name), maybe_number(i, "blocks"))
            for i in self._table.query(_COUNTERS)
        ]
        return tuple(sorted(count for count in found if count[2] > 0))

    def erase(self, redacted: Sequence[RedactedRevision]) -> int:
        """Take redacted documents out of every sink's parked blocks; answer how many."""
        counts = self.counts()
        return sum(
            self._erase(sink, asked)
            for asked in redacted
            for sink, strand_id, _blocks in counts
            if strand_id == asked.block_address.strand_id
        )

    def _erase(self, sink: str, asked: RedactedRevision) -> int:
        address = asked.block_address
        for _ in range(ROUNDS):
            item = self._table.get(_key(sink, address.strand_id, address.sequence_no))
            if item is None:
                return 0
            parked = self._maybe_parse(item)
            if parked is None:
                continue
            changed, documents = without_marked(parked, {(asked.document_id, asked.version)})
            if not documents or self._write(changed, item):
                return len(documents)
        raise self._table.calls.busy("a parked block")

    def _check_limit(self) -> None:
        if sum(blocks for _, _, blocks in self.counts()) >= self._limits.parked_blocks:
            waits_for = f"somebody to requeue or skip them in inbox {self._table.name}"
            raise BacklogError(self._limits.parked_blocks, "parked blocks", waits_for)

    def _write(self, parked: ParkedBlock, old: Mapping[str, Any] | None, *checks: Action) -> bool:
        """Write a block in the place of what was seen there; False when that has changed."""
        key, address = _key_of(parked), parked.address
        folder = block_folder(address.strand_id, address.sequence_no)
        what = f"parked block {address.strand_id}/{address.sequence_no}"
        now_s = parked.parked_at.timestamp()
        held = self._contents.hold(_to_bytes(parked), folder, now_s, what)
        # An update, not a put: the condition is on the stamp that was seen.
        values: dict[str, Value] = {"stamp": self._table.calls.new_id(), "sink": parked.sink}
        values |= held.attributes
        condition = _NEW
        absent = {"data", "packed", "object"} - values.keys()
        expression = f"SET {', '.join(f'#{name} = :{name}' for name in values)}"
        expression += f" REMOVE {', '.join(f'#{name}' for name in sorted(absent))}"
        gone: tuple[str, ...] = ()
        if old is not None:
            condition = "#stamp = :old"
            values["old"] = need(old, "stamp", str, self._table.name)
            gone = (old["object"],) if old.get("object") else ()
        actions = (
            self._table.update_action(key, expression, values, condition),
            *held.claims,
            *map(self._objects.loose_action, gone),
            *checks,
        )
        unit = Unit(actions, 1 if old is None else 0, 0, held.weight)
        if self._do([unit], parked.sink, address.strand_id):
            self._objects.remove(gone)
            return True
        self._objects.discard(held.objects)
        return False

    def _forget_strand(self, sink: str, strand_id: str) -> None:
        prefix = f"{part(strand_id)}#"
        items = self._table.query(_partition(sink), prefix, f"{prefix}\x7f", only=_KEYS)
        while page := list(islice(items, _PAGE)):
            self._remove(page, sink, strand_id)

    def _remove(self, items: Sequence[Attributes], sink: str, strand_id: str) -> None:
        units = []
        for item in items:
            names = (item["object"],) if item.get("object") else ()
            delete = self._table.delete_action(Key(item[HASH_KEY], item[RANGE_KEY]))
            actions = (delete, *map(self._objects.loose_action, names))
            units.append(Unit(actions, -1, 0, 0 if names else INLINE_BYTES, names))
        self._do(units, sink, strand_id)

    def _do(self, units: Sequence[Unit], sink: str, strand_id: str) -> bool:
        """Do units; say whether any was done."""
        done = False
        try:
            for unit in do_units(self._table, units, self._counter(sink, strand_id)):
                done = True
                self._objects.remove(unit.objects)
        except StaleViewError:
            return done
        return done

    def _counter(self, sink: str, strand_id: str) -> Callable[[int, int], Action]:
        key = Key(_COUNTERS, f"{part(sink)}#{part(strand_id)}")

        def count(number: int, _size: int) -> Action:
            values: dict[str, Value] = {"sink": sink, "strand_id": strand_id, "number": number}
            return self._table.update_action(key, _COUNT, values)

        return count

    def _maybe_parse(self, item: Mapping[str, Any]) -> ParkedBlock | None:
        """Give a parked block; None when it was removed or replaced meanwhile."""
        name, where = self._table.name, item[RANGE_KEY]
        problem = f"the table is damaged: parked block {where}"
        try:
            header, summary, *rest = list(split_parts(self._contents.read(item) or b""))
            entries = [
                ((value or b"").decode(), data)
                for value, data in zip(rest[::2], rest[1::2], strict=True)
            ]
            sink = need(item, "sink", str, name)
            return parse_parked(sink, json.loads(header or b""), summary or b"", entries)
        except GoneError as exc:
            again = self._table.get(Key(item[HASH_KEY], where))
            if again is not None and again.get("stamp") == item.get("stamp"):
                raise InboxFileError(name, f"the object of parked block {where} is gone") from exc
            return None
        except (DecodeError, LookupError, TypeError, ValueError) as exc:
            raise InboxFileError(name, problem) from exc


def _to_bytes(parked: ParkedBlock) -> bytes:
    parts: list[bytes | None] = [json.dumps(header_of(parked)).encode()]
    parts.append(event_bytes(parked.block.summary))
    for revision in parked.block.revisions:
        value, data = revision_row(parked.block, revision)
        parts += [value.encode(), data]
    return join_parts(parts)


def _partition(sink: str) -> str:
    return f"parked#{part(sink)}"


def _key(sink: str, strand_id: str, sequence_no: int) -> Key:
    return Key(_partition(sink), f"{part(strand_id)}#{number_text(sequence_no)}")


def _key_of(parked: ParkedBlock) -> Key:
    return _key(parked.sink, parked.address.strand_id, parked.address.sequence_no)

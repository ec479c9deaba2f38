"""What each sink has of each strand, guarded by the token it was stored with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import InboxFileError, StaleTokenError, UsageError
from qldb_stream.inbox.dynamodb._contents import pack, unpack
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, RANGE_KEY, Key, part
from qldb_stream.inbox.dynamodb._table import Table
from qldb_stream.inbox.dynamodb._values import Value, maybe_number, need
from qldb_stream.report import Position

__all__ = ["Positions"]

_SINKS: Final = "sink"
_POSITIONS: Final = "position"
_NOT_NEWER: Final = "attribute_not_exists(#token) OR #token <= :token"
_SET: Final = "SET #sink = :sink, #strand_id = :strand_id, #token = :token, #data = :data"


class Positions:
    """The sinks of one inbox and their positions."""

    def __init__(self, table: Table) -> None:
        self._table: Final = table

    def register(self, sink: str) -> bool:
        """Count a sink among those for which everything is kept; say whether it is new there."""
        key = Key(_SINKS, part(sink))
        if self._table.get(key) is not None:
            return False
        self._table.put({HASH_KEY: key.pk, RANGE_KEY: key.sk, "name": sink})
        return True

    def sinks(self) -> list[str]:
        """Name the registered sinks, in order."""
        name = self._table.name
        return sorted(need(item, "name", str, name) for item in self._table.query(_SINKS))

    def forget(self, sink: str) -> None:
        """Remove what is known of a sink, what is parked for it apart."""
        self._table.delete(Key(_SINKS, part(sink)))
        of_all = self._table.query(_POSITIONS, only=(HASH_KEY, RANGE_KEY, "sink"))
        self._table.delete_many(
            [Key(i[HASH_KEY], i[RANGE_KEY]) for i in of_all if i.get("sink") == sink]
        )

    def read(self, sink: str, strand_id: str) -> Position | None:
        """Give what a sink has of a strand; None for nothing."""
        found = self._table.get(_key(sink, strand_id))
        return None if found is None else self._parse(found)

    def store(self, sink: str, position: Position, token: int) -> None:
        """
        Store a position and its token; the sink first, so that nothing is trimmed that it lacks.

        Raises:
            StaleTokenError: the stored one has a higher token.
            UsageError: so much is parked or declared lost that an item cannot hold it.
        """
        packed = pack(json.dumps(position.as_json()).encode())
        if packed is None:
            raise UsageError(
                f"the position of sink {sink} in strand {position.strand_id} names more parked "
                "blocks and gaps than an item of DynamoDB holds: requeue some"
            )
        self.register(sink)
        key = _key(sink, position.strand_id)
        values: dict[str, Value] = {"sink": sink, "strand_id": position.strand_id, "token": token}
        expression = (
            f"{_SET}, #packed = :packed" if "packed" in packed else f"{_SET} REMOVE #packed"
        )
        if not self._table.update(key, expression, values | packed, _NOT_NEWER):
            stored = maybe_number(self._table.get(key), "token")
            raise StaleTokenError(position.strand_id, stored, token)

    def had(self, strand_id: str) -> int | None:
        """Give the number up to which every registered sink has a strand; None for nothing."""
        prefix = f"{part(strand_id)}#"
        found = {
            need(item, "sink", str, self._table.name): self._parse(item)
            for item in self._table.query(_POSITIONS, prefix, f"{prefix}\x7f")
        }
        if not found or not found.keys() >= set(self.sinks()):
            return None
        return min(position.sequence_no for position in found.values())

    def all(self) -> tuple[tuple[str, Position], ...]:
        """Give all positions with their sinks, by sink and strand."""
        name = self._table.name
        found = [
            (need(item, "sink", str, name), self._parse(item))
            for item in self._table.query(_POSITIONS)
        ]
        return tuple(sorted(found, key=lambda pair: (pair[0], pair[1].strand_id)))

    def _parse(self, item: Mapping[str, Any]) -> Position:
        name = self._table.name
        try:
            return Position.from_json(json.loads(unpack(item, name) or b""))
        except (KeyError, TypeError, ValueError) as exc:
            problem = "the table is damaged: a position cannot be read"
            raise InboxFileError(name, problem) from exc


def _key(sink: str, strand_id: str) -> Key:
    return Key(_POSITIONS, f"{part(strand_id)}#{part(sink)}")

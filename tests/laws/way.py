"""The way of a record through the stages, for laws that damage one record at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qldb_stream.errors import DecodeError
from qldb_stream.events import ControlRecord, Event, Undecodable
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import verify_source
from qldb_stream.report import VerifyReport
from qldb_stream.testing import locate_field
from qldb_stream.typing import Item


def read(record: bytes) -> Item:
    """Read a record as a source does: what cannot be read stays, as Undecodable."""
    try:
        return parse_record(record)
    except DecodeError as exc:
        return Undecodable("test", 0, len(record), exc, record)


def verify_items(items: Iterable[Item]) -> VerifyReport:
    """Run items through assembly, order and verification."""
    return verify_source(list(items))


def read_all(records: Iterable[bytes]) -> list[Event]:
    """Read sound records."""
    return [parse_record(record) for record in records]


def is_control(item: Item) -> bool:
    """Tell whether an item is a CONTROL record, in which nothing is hashed."""
    return isinstance(item, ControlRecord)


def spans(record: bytes, paths: Sequence[str]) -> list[range]:
    """Give the bytes of some fields' values, their type and length included."""
    return [range(*locate_field(record, path)) for path in paths]

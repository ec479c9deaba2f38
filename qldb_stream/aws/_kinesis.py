"""
A Kinesis event of Lambda: its records as items, and the answer that says which come again.

Lambda goes on behind the last record that the function acknowledges: it takes the first record
that `batchItemFailures` names, and brings it and all after it again
(https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
One is therefore enough. Each item keeps the number of its record, since a record may
hold many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from qldb_stream.errors import CarrierError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.kinesis import parse_kinesis_event
from qldb_stream.typing import Item

__all__ = ["KinesisBatch", "Response", "read_batch"]

Response = dict[str, list[dict[str, str]]]
"""What Lambda is answered: `{"batchItemFailures": [{"itemIdentifier": SEQUENCE_NUMBER}]}`."""

# The most that an event source mapping puts into a batch.
_MAX_RECORDS: Final = 10_000
# Kinesis's sequence numbers have 56 digits; its API allows 128 characters.
_MAX_DIGITS: Final = 128
_MAX_NAME: Final = 256


@attrs.frozen
class KinesisBatch:
    """
    The records of an event.

    `record_of` gives for each of the `items` the index of the record it came in; a record
    may have none.
    """

    sequence_numbers: tuple[str, ...]
    items: tuple[Item, ...]
    record_of: tuple[int, ...]

    def first_failed(self, failed_items: Collection[int]) -> int | None:
        """Give the first record that has an item among these; None where all are well."""
        return min((self.record_of[index] for index in failed_items), default=None)

    def response(self, first_failed: int | None) -> Response:
        """Name the first record that must come again, and so all after it."""
        if first_failed is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": self.sequence_numbers[first_failed]}]}


def read_batch(event: Mapping[str, Any]) -> KinesisBatch:
    """
    Read every record of a Kinesis event; what cannot be read stays as `Undecodable`.

    Raises:
        UsageError: it is no Kinesis event, or a record has no sequence number by which it
            could be asked for again.
    """
    records = _records_of(event)
    numbers = tuple([_sequence_number(record, at) for at, record in enumerate(records)])
    items: list[Item] = []
    record_of: list[int] = []
    for at, record in enumerate(records):
        items += _iter_items(record)
        record_of += [at] * (len(items) - len(record_of))
    return KinesisBatch(numbers, tuple(items), tuple(record_of))


def _records_of(event: object) -> Sequence[Any]:
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list | tuple):
        raise UsageError(
            f"no Kinesis event, but a {type(event).__name__} without a list of Records: let a "
            "Kinesis event source mapping call this function"
        )
    if len(records) > _MAX_RECORDS:
        raise UsageError(f"{len(records)} records at once, a batch has at most {_MAX_RECORDS}")
    return records


def _sequence_number(record: object, at: int) -> str:
    kinesis = record.get("kinesis") if isinstance(record, Mapping) else None
    number = kinesis.get("sequenceNumber") if isinstance(kinesis, Mapping) else None
    if isinstance(number, str) and number.isascii() and 0 < len(number) <= _MAX_DIGITS:
        return number
    raise UsageError(
        f"record {at} of the event has no kinesis.sequenceNumber: it comes from no Kinesis stream"
    )


def _iter_items(record: Mapping[str, Any]) -> Iterator[Item]:
    unread: list[Undecodable] = []
    yield from parse_kinesis_event((record,), on_error=unread.append)
    for each in unread:
        yield _named(each, record)


def _named(found: Undecodable, record: Mapping[str, Any]) -> Undecodable:
    """Name shard and sequence number, as Lambda does, so that the record can be found again."""
    name = record.get("eventID")
    if not (isinstance(name, str) and name.isascii() and name.isprintable()):
        name = record["kinesis"]["sequenceNumber"]
    source = f"Kinesis record {name[:_MAX_NAME]}"
    error = found.error
    if isinstance(error, CarrierError):
        error = CarrierError(source, *error.args[1:])
    return attrs.evolve(found, source=source, error=error)

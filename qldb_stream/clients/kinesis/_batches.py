"""
Gathering records into calls of PutRecords, within its limits.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html: up to 500 records
a call, each up to 1 MiB, 5 MiB in all, partition keys included.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from qldb_stream.ledger import KinesisRecord

__all__ = ["MAX_BATCH_BYTES", "MAX_BATCH_RECORDS", "MAX_RECORD_BYTES", "Batch", "size_of"]

MAX_BATCH_RECORDS: Final = 500
MAX_BATCH_BYTES: Final = 5 << 20
MAX_RECORD_BYTES: Final = 1 << 20


def size_of(record: KinesisRecord) -> int:
    """Give what a record counts for, in bytes."""
    return len(record.data) + len(record.partition_key)


@attrs.define(eq=False)
class Batch:
    """The records of the next call, in order."""

    records: list[KinesisRecord] = attrs.field(factory=list)
    size_bytes: int = 0

    def has_room(self, record: KinesisRecord) -> bool:
        """Tell whether a record can go along."""
        return (
            len(self.records) < MAX_BATCH_RECORDS
            and self.size_bytes + size_of(record) <= MAX_BATCH_BYTES
        )

    def add(self, record: KinesisRecord) -> None:
        """Take a record along."""
        self.records.append(record)
        self.size_bytes += size_of(record)

    def entries(self) -> list[dict[str, Any]]:
        """Give them in the API's form."""
        return [_entry(record) for record in self.records]


def _entry(record: KinesisRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {"Data": record.data, "PartitionKey": record.partition_key}
    if record.explicit_hash_key is not None:
        entry["ExplicitHashKey"] = record.explicit_hash_key
    return entry

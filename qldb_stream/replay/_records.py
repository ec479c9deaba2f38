"""
Which destination document stands for which source document: `qldb_stream_ids`.

One document per source document, looked up through the index on `source_id` and never
loaded whole. Rows stay when their documents are deleted: others may still name them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from qldb_stream.replay._catalog import maybe_table
from qldb_stream.replay._protocols import Destination, Transaction

IDS_TABLE: Final = "qldb_stream_ids"

_READ_ONE: Final = f"SELECT VALUE i FROM {IDS_TABLE} AS i WHERE i.source_id = ?"  # noqa: S608 - a constant
_READ_SOME: Final = f"SELECT VALUE i FROM {IDS_TABLE} AS i WHERE i.source_id IN ?"  # noqa: S608 - a constant
_INSERT: Final = f"INSERT INTO {IDS_TABLE} ?"
_SET_OFFSET: Final = f"UPDATE {IDS_TABLE} AS i SET i.version_offset = ? WHERE i.source_id = ?"  # noqa: S608 - a constant


@attrs.frozen
class IdRecord:
    """
    A source document and what stands for it.

    `table_id` is the destination table's. A source version is the destination's plus
    `version_offset`, which is 0 unless the journal started later than the document.
    """

    source_id: str
    destination_id: str
    table_id: str
    version_offset: int = 0


def read_records(txn: Transaction, source_ids: Collection[str]) -> list[IdRecord]:
    """Read the records of some source ids, in no order; unknown ones are left out."""
    if not source_ids:
        return []
    if len(source_ids) == 1:
        rows = txn.execute_statement(_READ_ONE, *source_ids)
    else:
        rows = txn.execute_statement(_READ_SOME, sorted(source_ids))
    return [_record(row) for row in rows]


def insert_records(txn: Transaction, records: Sequence[IdRecord]) -> None:
    """Write new records by one statement, or by none when there are none."""
    if len(records) == 1:
        txn.execute_statement(_INSERT, _document(records[0]))
    elif records:
        txn.execute_statement(_INSERT, [_document(record) for record in records])


def write_offset(txn: Transaction, record: IdRecord) -> None:
    """Write a record's version offset."""
    txn.execute_statement(_SET_OFFSET, record.version_offset, record.source_id)


def lookup_ids(ledger: Destination, source_ids: Iterable[str]) -> list[IdRecord]:
    """
    Look up what stands for source documents in a replayed ledger.

    Args:
        ledger: a ledger that a journal was replayed into.
        source_ids: document ids of the source.

    Returns:
        One record for each id that is known, in the order asked.
    """
    wanted = list(dict.fromkeys(source_ids))

    def work(txn: Transaction) -> list[IdRecord]:
        return [] if maybe_table(txn, IDS_TABLE) is None else read_records(txn, wanted)

    found = {record.source_id: record for record in ledger.driver().execute_lambda(work)}
    return [found[source_id] for source_id in wanted if source_id in found]


def _record(row: Mapping[str, Any]) -> IdRecord:
    return IdRecord(
        str(row["source_id"]),
        str(row["destination_id"]),
        str(row["table_id"]),
        int(row["version_offset"]),
    )


def _document(record: IdRecord) -> dict[str, Any]:
    return {
        "source_id": record.source_id,
        "destination_id": record.destination_id,
        "table_id": record.table_id,
        "version_offset": record.version_offset,
    }

"""
The journal as the records of a QLDB stream (facts 1.1 to 1.5).

Strategy: a block is stored as the payload of its BLOCK_SUMMARY, with a symbol table that
has the envelope's names too, so its record is joined from bytes. A revision's record is
encoded anew around its stored document. A record's partition key is the hash of its
block or revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from qldb_stream.ion import dumps, load_slice
from qldb_stream.ledger._ion import STRUCT, field_id, ion_string, wrap
from qldb_stream.ledger._kpl import Keyed
from qldb_stream.ledger._merkle import node_of
from qldb_stream.ledger._shapes import revision_struct
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import Store, StoredBlock, StoredRevision

__all__ = ["iter_keyed_records"]

_STREAM_ARN: Final = field_id("qldbStreamArn")
_RECORD_TYPE: Final = field_id("recordType")
_PAYLOAD: Final = field_id("payload")

# The control record's key is not known; KPL's dummy will do.
_CONTROL_KEY: Final = "a"


def iter_keyed_records(
    store: Store, state: State, stream_arn: str, start: int
) -> Iterator[list[Keyed]]:
    """
    Iterate over a stream's records: CONTROL CREATED alone, then each block's together.

    Args:
        store: where the blocks are.
        state: where the journal ends.
        stream_arn: what the records say they come from.
        start: the first block's number.

    Yields:
        Partition key and data of each record.
    """
    control = {
        "qldbStreamArn": stream_arn,
        "recordType": "CONTROL",
        "payload": {"controlRecordType": "CREATED"},
    }
    yield [(_CONTROL_KEY, dumps(control))]
    for block in store.iter_blocks(start, state.size):
        summary = _summary_record(block, stream_arn)
        records = [(node_of(block.nodes, 0).hex(), summary)]
        for revision in store.block_revisions(block):
            payload = _revision_payload(revision, block, state)
            records.append((revision.hash.hex(), _details_record(payload, stream_arn)))
        yield records


def _summary_record(block: StoredBlock, stream_arn: str) -> bytes:
    start = load_slice(block.summary).start
    body = (
        _STREAM_ARN
        + ion_string(stream_arn)
        + _RECORD_TYPE
        + ion_string("BLOCK_SUMMARY")
        + _PAYLOAD
        + block.summary[start:]
    )
    return block.summary[:start] + wrap(STRUCT, body)


def _details_record(payload: dict[str, Any], stream_arn: str) -> bytes:
    return dumps(
        {"qldbStreamArn": stream_arn, "recordType": "REVISION_DETAILS", "payload": payload}
    )


def _revision_payload(revision: StoredRevision, block: StoredBlock, state: State) -> dict[str, Any]:
    """Give table and revision, fields in the service's order (facts 1.4)."""
    table = state.catalog.by_no[revision.table_no]
    return {
        "tableInfo": {"tableName": table.name, "tableId": table.id},
        "revision": revision_struct(revision, block.transaction_id, state.strand_id),
    }

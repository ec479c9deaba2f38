"""
Blocks as the stream records that would carry them, for inboxes and sinks that archive.

What is hashed (transactionInfo, redactionInfo, metadata, data) is copied as Ion, byte
for byte in its values; the rest is written as the service writes it (facts 1.3, 1.4).
The table of a revision is written where it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    Revision,
    RevisionDetails,
    RevisionSummary,
)
from qldb_stream.ion import IonSlice, timestamp_ms, to_slice

__all__ = [
    "JSON_EXPORT",
    "is_from_json",
    "iter_records",
    "marked_json",
    "revision_fields",
    "summary_fields",
    "to_record",
]

JSON_EXPORT: Final = "json-export"
"""
In place of a stream's name: the revision, or summary, was rebuilt from a JSON export.

So it stays known in inboxes and archives that what it hashes lost Ion's types. No stream has such
a name: an ARN begins with `arn:`.
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def is_from_json(summary: BlockSummary) -> bool:
    """Say whether what a summary hashes was rebuilt from a JSON export."""
    info, redaction = summary.transaction_info, summary.redaction_info
    return bool((info and info.from_json) or (redaction and redaction.from_json))


def marked_json(summary: BlockSummary) -> BlockSummary:
    """Give a summary with what it hashes marked as rebuilt from a JSON export."""
    info, redaction = summary.transaction_info, summary.redaction_info
    return attrs.evolve(
        summary,
        transaction_info=info and attrs.evolve(info, from_json=True),
        redaction_info=redaction and attrs.evolve(redaction, from_json=True),
    )


def iter_records(block: Block) -> Iterator[IonSlice]:
    """
    Iterate over a block's records: its summary, then each revision that has details.

    The `qldbStreamArn` of a block that came from no stream is empty, or JSON_EXPORT.
    """
    yield to_record(block.summary)
    stream_arn = block.summary.stream_arn
    for revision in block.revisions:
        if revision.metadata is not None:
            yield to_record(RevisionDetails(stream_arn, revision))


def to_record(event: BlockSummary | RevisionDetails) -> IonSlice:
    """
    Write the record that would carry an event; its `buf` is that record and nothing else.

    A revision must have its metadata: one without is a leaf of its block's summary.
    """
    if isinstance(event, BlockSummary):
        origin = JSON_EXPORT if is_from_json(event) else event.stream_arn or ""
        return _record(origin, "BLOCK_SUMMARY", _summary(event))
    assert event.revision.metadata is not None, "a bare hash has no record"
    stream_arn = JSON_EXPORT if event.revision.from_json else event.stream_arn or ""
    return _record(stream_arn, "REVISION_DETAILS", _details(event.revision))


def _record(stream_arn: str, record_type: str, payload: dict[str, Any]) -> IonSlice:
    return to_slice({"qldbStreamArn": stream_arn, "recordType": record_type, "payload": payload})


def summary_fields(summary: BlockSummary) -> dict[str, Any]:
    """Give the fields of a block up to entriesHashList, in the service's order."""
    return {
        "blockAddress": _address(summary.address),
        "transactionId": summary.transaction_id,
        "blockTimestamp": timestamp_ms((summary.block_timestamp - _EPOCH) // _MILLISECOND),
        "blockHash": summary.block_hash,
        "entriesHash": summary.entries_hash,
        "previousBlockHash": summary.previous_block_hash,
        "entriesHashList": list(summary.entries_hash_list),
    }


def revision_fields(revision: Revision) -> dict[str, Any]:
    """Give the fields of a revision, its table aside; of one without metadata its hash alone."""
    if revision.metadata is None:
        return {"hash": revision.hash}
    fields: dict[str, Any] = {"blockAddress": _address(revision.address), "hash": revision.hash}
    if revision.data_ion is not None:
        fields["data"] = revision.data_ion
    if revision.data_hash is not None:
        fields["dataHash"] = revision.data_hash
    return fields | {"metadata": revision.metadata.ion}


def _summary(summary: BlockSummary) -> dict[str, Any]:
    payload = summary_fields(summary)
    if summary.transaction_info is not None:
        payload["transactionInfo"] = summary.transaction_info.ion
    if summary.redaction_info is not None:
        payload["redactionInfo"] = summary.redaction_info.ion
    if summary.revision_summaries:
        payload["revisionSummaries"] = [_leaf(leaf) for leaf in summary.revision_summaries]
    return payload


def _details(revision: Revision) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if revision.table is not None:
        payload["tableInfo"] = {
            "tableName": revision.table.table_name,
            "tableId": revision.table.table_id,
        }
    return payload | {"revision": revision_fields(revision)}


def _address(address: BlockAddress) -> dict[str, Any]:
    return {"strandId": address.strand_id, "sequenceNo": address.sequence_no}


def _leaf(leaf: RevisionSummary) -> dict[str, Any]:
    if leaf.document_id is None:
        return {"hash": leaf.hash}
    return {"hash": leaf.hash, "documentId": leaf.document_id}

"""
Write stream records, the inner bytes of what QLDB put on Kinesis.

Two writers for two needs: from sealed blocks, fast, out of parts that are written
already; and from any `Block`, through `qldb_stream.ion`, for blocks that were altered or
hold documents of every Ion type. Fields stand in the service's order (facts 1.2 to 1.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qldb_stream.ion import dumps, timestamp_ms
from qldb_stream.testing._ion_writer import (
    Symbols,
    blob,
    encode,
    instant,
    integer,
    reserve,
    stream,
    string,
    struct,
    tlv,
)
from qldb_stream.testing._seal import DETAILS_SYMBOLS, metadata_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from qldb_stream.events import Block, BlockAddress, BlockSummary, Revision
    from qldb_stream.testing._seal import SealedBlock, SealedRevision

__all__ = [
    "control_record",
    "details_record",
    "records",
    "sealed_details",
    "sealed_summary",
    "summary_record",
]


# --- from sealed blocks --------------------------------------------------------------------


def sealed_summary(stream_arn: str, block: SealedBlock) -> bytes:
    """Write a sealed block's BLOCK_SUMMARY."""
    symbols = block.symbols
    payload = {
        "blockAddress": _address(block.plan.address, symbols),
        "transactionId": string(block.plan.transaction_id),
        "blockTimestamp": instant(block.plan.time_ms).binary,
        "blockHash": blob(block.block_hash),
        "entriesHash": blob(block.entries_hash),
        "previousBlockHash": blob(block.previous_block_hash),
        "entriesHashList": tlv(0xB0, b"".join([blob(e) for e in block.entries_hash_list])),
    }
    if block.transaction_info is not None:
        payload["transactionInfo"] = block.transaction_info
    if block.redaction_info is not None:
        payload["redactionInfo"] = block.redaction_info
    if block.leaves:
        reserve(symbols, "revisionSummaries", "hash")
        payload["revisionSummaries"] = _leaves(block, symbols)
    return _envelope(stream_arn, "BLOCK_SUMMARY", payload, symbols)


def sealed_details(
    stream_arn: str, block: SealedBlock, revision: SealedRevision, *, erased: bool
) -> bytes:
    """
    Write a sealed revision's REVISION_DETAILS.

    Args:
        stream_arn: the stream's name.
        block: the block that the revision is of.
        revision: one whose document the fast writer could write, or that has none.
        erased: write it as it is after its redaction.
    """
    symbols, metadata = revision.symbols, revision.metadata
    fields: dict[str, bytes] = {}
    if erased and revision.data_hash is not None:
        symbols = DETAILS_SYMBOLS.copy()
        reserve(symbols, "dataHash", "metadata")
        metadata = encode(metadata_fields(block.plan, revision.plan), symbols)[0]
        fields["dataHash"] = blob(revision.data_hash)
    elif revision.data is not None:
        fields["data"] = revision.data
    written = {
        "blockAddress": _address(block.plan.address, symbols),
        "hash": blob(revision.hash),
        **fields,
        "metadata": metadata,
    }
    table = revision.plan.table
    table_info = {"tableName": string(table.table_name), "tableId": string(table.table_id)}
    payload = {"tableInfo": struct(table_info, symbols), "revision": struct(written, symbols)}
    return _envelope(stream_arn, "REVISION_DETAILS", payload, symbols)


def control_record(stream_arn: str, kind: str = "CREATED") -> bytes:
    """Write a CONTROL record: CREATED, the stream's first, or COMPLETED, its last."""
    symbols: Symbols = {}
    reserve(symbols, "qldbStreamArn", "recordType", "payload")
    return _envelope(stream_arn, "CONTROL", {"controlRecordType": string(kind)}, symbols)


def _address(address: BlockAddress, symbols: Symbols) -> bytes:
    fields = {
        "strandId": string(address.strand_id),
        "sequenceNo": integer(address.sequence_no),
    }
    return struct(fields, symbols)


def _leaves(block: SealedBlock, symbols: Symbols) -> bytes:
    written = []
    for leaf, document_id in block.leaves:
        fields = {"hash": blob(leaf)}
        if document_id is not None:
            reserve(symbols, "documentId")
            fields["documentId"] = string(document_id)
        written.append(struct(fields, symbols))
    return tlv(0xB0, b"".join(written))


def _envelope(
    stream_arn: str, record_type: str, payload: dict[str, bytes], symbols: Symbols
) -> bytes:
    fields = {
        "qldbStreamArn": string(stream_arn),
        "recordType": string(record_type),
        "payload": struct(payload, symbols),
    }
    return stream(symbols, struct(fields, symbols))


# --- from any block ------------------------------------------------------------------------


def records(block: Block, *, stream_arn: str | None = None) -> list[bytes]:
    """
    Write the records of a block as a stream would carry them.

    Hashes are written as they stand in the block, right or wrong; what is hashed is
    copied from its bytes. Hash-only system revisions have no record of their own.

    Args:
        block: from `make_journal`, from an export, or altered.
        stream_arn: the stream's name, if the block's summary has none.

    Returns:
        Its BLOCK_SUMMARY, then a REVISION_DETAILS for each revision with metadata.
    """
    arn = block.summary.stream_arn or stream_arn or "arn:aws:qldb:eu-west-1:000000000000:stream/x/x"
    return [summary_record(block.summary, arn), *_details(block, arn)]


def _details(block: Block, arn: str) -> Iterator[bytes]:
    for revision in block.revisions:
        if revision.metadata is not None:
            yield details_record(revision, arn)


def summary_record(summary: BlockSummary, stream_arn: str) -> bytes:
    """Write a BLOCK_SUMMARY from its values; `unknown_fields` are lost."""
    payload: dict[str, Any] = {
        "blockAddress": _address_value(summary.address),
        "transactionId": summary.transaction_id,
        "blockTimestamp": _time_value(summary.block_timestamp),
        "blockHash": summary.block_hash,
        "entriesHash": summary.entries_hash,
        "previousBlockHash": summary.previous_block_hash,
        "entriesHashList": list(summary.entries_hash_list),
    }
    if summary.transaction_info is not None:
        payload["transactionInfo"] = summary.transaction_info.ion
    if summary.redaction_info is not None:
        payload["redactionInfo"] = summary.redaction_info.ion
    if summary.revision_summaries:
        payload["revisionSummaries"] = [
            {"hash": leaf.hash}
            if leaf.document_id is None
            else {"hash": leaf.hash, "documentId": leaf.document_id}
            for leaf in summary.revision_summaries
        ]
    return _record(stream_arn, "BLOCK_SUMMARY", payload)


def details_record(revision: Revision, stream_arn: str) -> bytes:
    """Write a REVISION_DETAILS from its values; `unknown_fields` are lost."""
    written: dict[str, Any] = {
        "blockAddress": _address_value(revision.address),
        "hash": revision.hash,
    }
    if revision.data_ion is not None:
        written["data"] = revision.data_ion
    if revision.data_hash is not None:
        written["dataHash"] = revision.data_hash
    if revision.metadata is not None:
        written["metadata"] = revision.metadata.ion
    payload: dict[str, Any] = {}
    if revision.table is not None:
        payload["tableInfo"] = {
            "tableName": revision.table.table_name,
            "tableId": revision.table.table_id,
        }
    payload["revision"] = written
    return _record(stream_arn, "REVISION_DETAILS", payload)


def _record(stream_arn: str, record_type: str, payload: dict[str, Any]) -> bytes:
    return dumps({"qldbStreamArn": stream_arn, "recordType": record_type, "payload": payload})


def _address_value(address: BlockAddress) -> dict[str, Any]:
    return {"strandId": address.strand_id, "sequenceNo": address.sequence_no}


def _time_value(time: datetime) -> Any:
    return timestamp_ms(round(time.timestamp() * 1000))

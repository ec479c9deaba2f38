"""
A mirrored block's summary in Ion, in the layout that `_stream` makes records around.

Strategy: `transactionInfo` and `redactionInfo` are hashed, so they are copied as Ion values
and never go through Python; the rest has a fixed shape. The envelope's three names come
first in the symbol table, where `_stream` expects them; what the other symbols are is open,
since the journal is read by name.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from qldb_stream.errors import IonEncodeError
from qldb_stream.events import BlockSummary, RevisionSummary
from qldb_stream.ion import dumps, load_slice, read_struct, timestamp_ms
from qldb_stream.ledger._ion import field_id

__all__ = ["unix_ms", "write_summary"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

_ENVELOPE: Final = ("qldbStreamArn", "recordType", "payload")
# Where they have their ids: each before an empty string, the last before the payload.
_EXPECTED: Final = field_id(_ENVELOPE[0]) + b"\x80" + field_id(_ENVELOPE[1]) + b"\x80"


def unix_ms(moment: datetime) -> int:
    """Give a moment in milliseconds since 1970 UTC, rounded down."""
    return (moment - _EPOCH) // _MS


def write_summary(summary: BlockSummary) -> bytes:
    """
    Write a stream of the payload of a block's BLOCK_SUMMARY record.

    Raises:
        IonDecodeError: transactionInfo or redactionInfo is not sound Ion.
        IonEncodeError: they use symbols of shared tables, which no journal does (facts 1.1).
    """
    data = dumps({"qldbStreamArn": "", "recordType": "", "payload": _payload(summary)})
    envelope = load_slice(data)
    payload = read_struct(envelope)["payload"]
    before = data[envelope.start : payload.start]
    if not before.endswith(_EXPECTED + field_id("payload")):
        raise IonEncodeError("a block with symbols of shared tables")
    return data[: envelope.start] + data[payload.start : payload.end]


def _payload(summary: BlockSummary) -> dict[str, Any]:
    """Give the fields in the service's order (facts 1.3)."""
    moment = summary.block_timestamp
    time_ms = unix_ms(moment)
    fields: dict[str, Any] = {
        "blockAddress": {
            "strandId": summary.address.strand_id,
            "sequenceNo": summary.address.sequence_no,
        },
        "transactionId": summary.transaction_id,
        # Milliseconds are what QLDB wrote; should a time have more, it keeps them.
        "blockTimestamp": moment if moment.microsecond % 1000 else timestamp_ms(time_ms),
        "blockHash": summary.block_hash,
        "entriesHash": summary.entries_hash,
        "previousBlockHash": summary.previous_block_hash,
        "entriesHashList": list(summary.entries_hash_list),
    }
    if summary.transaction_info is not None:
        fields["transactionInfo"] = summary.transaction_info.ion
    if summary.redaction_info is not None:
        fields["redactionInfo"] = summary.redaction_info.ion
    if summary.revision_summaries:
        fields["revisionSummaries"] = [_leaf(leaf) for leaf in summary.revision_summaries]
    return fields


def _leaf(leaf: RevisionSummary) -> dict[str, Any]:
    if leaf.document_id is None:
        return {"hash": leaf.hash}
    return {"hash": leaf.hash, "documentId": leaf.document_id}

"""
A stored revision and a whole block as QLDB gave them: fields in the service's order.

One shape serves the committed view, stream records, GetRevision and, with its block around
it, GetBlock and exports (facts 1.4, 2.1). What is stored is not decoded: documents and the
parts of a block stay slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from qldb_stream.ion import IonSlice, iter_elements, load_slice, read_struct, timestamp_ms, to_slice
from qldb_stream.ledger._store import StoredBlock, StoredRevision

__all__ = ["block_struct", "metadata_struct", "revision_struct"]


def metadata_struct(revision: StoredRevision, transaction_id: str) -> dict[str, Any]:
    """Give a revision's metadata, whose hash is half of the revision's."""
    return {
        "id": revision.document_id,
        "version": revision.version,
        "txTime": timestamp_ms(revision.tx_time_ms),
        "txId": transaction_id,
    }


def revision_struct(
    revision: StoredRevision, transaction_id: str, strand_id: str
) -> dict[str, Any]:
    """Give a revision: with `data`, with `dataHash` when redacted, with neither when deleted."""
    fields: dict[str, Any] = {
        "blockAddress": {"strandId": strand_id, "sequenceNo": revision.sequence_no},
        "hash": revision.hash,
    }
    if revision.data is not None:
        fields["data"] = load_slice(revision.data)
    elif revision.data_hash is not None:
        fields["dataHash"] = revision.data_hash
    fields["metadata"] = metadata_struct(revision, transaction_id)
    return fields


def block_struct(
    block: StoredBlock, revisions: Sequence[StoredRevision], strand_id: str
) -> IonSlice:
    """
    Give a block in the form of GetBlock and of exports.

    Its summary names its revisions by hash; here they stand in full instead, but for those of
    a mirrored block of which QLDB gave nothing but the hash.

    Raises:
        IonDecodeError: what is stored has been damaged.
    """
    fields: dict[str, Any] = {**read_struct(load_slice(block.summary))}
    summaries = fields.pop("revisionSummaries", None)
    if summaries is not None:
        fields["revisions"] = list(_revisions(summaries, block, revisions, strand_id))
    return to_slice(fields)


def _revisions(
    summaries: IonSlice, block: StoredBlock, revisions: Sequence[StoredRevision], strand_id: str
) -> Iterator[Any]:
    known = iter(revisions)
    for leaf in map(read_struct, iter_elements(summaries)):
        if "documentId" not in leaf:
            yield leaf
        else:
            for revision in islice(known, 1):
                yield revision_struct(revision, block.transaction_id, strand_id)

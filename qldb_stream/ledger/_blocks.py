"""The journal as `events.Block` values, read from what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    Metadata,
    RedactionInfo,
    Revision,
    RevisionSummary,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.ion import (
    IonSlice,
    blob_of,
    int_of,
    iter_elements,
    load_slice,
    read_struct,
    text_of,
    timestamp_of,
    to_slice,
)
from qldb_stream.ledger._catalog import Catalog
from qldb_stream.ledger._damage import reading
from qldb_stream.ledger._shapes import metadata_struct
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import Store, StoredBlock, StoredRevision

__all__ = ["iter_journal", "journal_block"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iter_journal(store: Store, state: State, start: int) -> Iterator[Block]:
    """
    Iterate over the blocks from number `start` on, up to a state.

    Raises:
        LedgerFileError: the file cannot be read, or a block in it is damaged.
    """
    for block in store.iter_blocks(start, state.size):
        revisions = store.block_revisions(block)
        with reading(store.path, f"block {block.sequence_no}"):
            whole = journal_block(block, revisions, state.strand_id, state.catalog)
        yield whole


def journal_block(
    block: StoredBlock, revisions: Sequence[StoredRevision], strand_id: str, catalog: Catalog
) -> Block:
    """
    Give a block with its revisions as they are stored.

    Raises:
        IonDecodeError: what is stored has been damaged.
        LookupError, ValueError, ArithmeticError: it is sound Ion and no block's.
    """
    summary = _summary(block)
    stored = [_revision(one, block, strand_id, catalog) for one in revisions]
    return Block(summary, tuple(_with_hash_only(summary, stored)))


def _with_hash_only(summary: BlockSummary, stored: list[Revision]) -> Iterator[Revision]:
    """Put in the leaves of a mirrored block of which QLDB gave nothing but the hash."""
    known = iter(stored)
    for leaf in summary.revision_summaries:
        if leaf.document_id is None:
            yield Revision(summary.address, leaf.hash)
        else:
            yield from islice(known, 1)
    yield from known


def _summary(block: StoredBlock) -> BlockSummary:
    """Read a block from its Ion alone, so that a verifier checks what is journaled."""
    fields = read_struct(load_slice(block.summary))
    address = read_struct(fields["blockAddress"])
    info = fields.get("transactionInfo")
    redaction = fields.get("redactionInfo")
    return BlockSummary(
        None,
        BlockAddress(text_of(address["strandId"]), int_of(address["sequenceNo"])),
        text_of(fields["transactionId"]),
        timestamp_of(fields["blockTimestamp"]),
        blob_of(fields["blockHash"]),
        blob_of(fields["entriesHash"]),
        blob_of(fields["previousBlockHash"]),
        tuple([blob_of(entry) for entry in iter_elements(fields["entriesHashList"])]),
        None if info is None else TransactionInfo(info),
        None if redaction is None else RedactionInfo(redaction),
        _revision_summaries(fields.get("revisionSummaries")),
    )


def _revision_summaries(summaries: IonSlice | None) -> tuple[RevisionSummary, ...]:
    if summaries is None:
        return ()
    return tuple([_revision_summary(read_struct(one)) for one in iter_elements(summaries)])


def _revision_summary(fields: Mapping[str, IonSlice]) -> RevisionSummary:
    document_id = fields.get("documentId")
    return RevisionSummary(
        blob_of(fields["hash"]), None if document_id is None else text_of(document_id)
    )


def _revision(
    revision: StoredRevision, block: StoredBlock, strand_id: str, catalog: Catalog
) -> Revision:
    table = catalog.by_no.get(revision.table_no)  # None only in a damaged file
    return Revision(
        BlockAddress(strand_id, revision.sequence_no),
        revision.hash,
        Metadata(
            revision.document_id,
            revision.version,
            _time(revision.tx_time_ms),
            block.transaction_id,
            to_slice(metadata_struct(revision, block.transaction_id)),
        ),
        None if revision.data is None else load_slice(revision.data),
        revision.data_hash,
        None if table is None else TableInfo(table.name, table.id),
    )


def _time(unix_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=unix_ms)

"""Sealed blocks as the `Block` values that the parsers would make of their records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from qldb_stream.events import (
    Block,
    BlockSummary,
    Metadata,
    RedactionInfo,
    Revision,
    RevisionSummary,
    TransactionInfo,
)
from qldb_stream.ion import load_slice, to_slice
from qldb_stream.testing._ion_writer import Symbols, stream
from qldb_stream.testing._seal import tx_ms

if TYPE_CHECKING:
    from qldb_stream.ion import IonSlice
    from qldb_stream.testing._seal import SealedBlock, SealedRevision

__all__ = ["block_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def block_of(sealed: SealedBlock, stream_arn: str, *, erased: bool) -> Block:
    """
    Give a sealed block as a value.

    Args:
        sealed: the block.
        stream_arn: the stream's name.
        erased: show doomed revisions as they are after their redaction.
    """
    plan, info, redaction = sealed.plan, sealed.transaction_info, sealed.redaction_info
    summary = BlockSummary(
        stream_arn,
        plan.address,
        plan.transaction_id,
        _time(plan.time_ms),
        sealed.block_hash,
        sealed.entries_hash,
        sealed.previous_block_hash,
        sealed.entries_hash_list,
        None if info is None else TransactionInfo(_slice(info, sealed.symbols)),
        None if redaction is None else RedactionInfo(_slice(redaction, sealed.symbols)),
        tuple(RevisionSummary(leaf, document_id) for leaf, document_id in sealed.leaves),
    )
    return Block(summary, tuple(_revisions(sealed, erased=erased)))


def _revisions(sealed: SealedBlock, *, erased: bool) -> Iterator[Revision]:
    """Give the revisions in leaf order, hash-only ones included."""
    known = iter(sealed.revisions)
    for leaf, document_id in sealed.leaves:
        if document_id is None:
            yield Revision(sealed.plan.address, leaf)
        else:
            yield _revision(sealed, next(known), erased=erased)


def _revision(sealed: SealedBlock, revision: SealedRevision, *, erased: bool) -> Revision:
    plan = revision.plan
    hidden = erased and plan.doomed
    metadata = Metadata(
        plan.document_id,
        plan.version,
        _time(tx_ms(sealed.plan)),
        sealed.plan.transaction_id,
        _slice(revision.metadata, revision.symbols),
    )
    return Revision(
        sealed.plan.address,
        revision.hash,
        metadata,
        None if hidden else _data(revision),
        revision.data_hash if hidden else None,
        plan.table,
    )


def _data(revision: SealedRevision) -> IonSlice | None:
    if revision.data is not None:
        return _slice(revision.data, revision.symbols)
    return None if revision.data_hash is None else to_slice(revision.plan.data)


def _slice(written: bytes, symbols: Symbols) -> IonSlice:
    return load_slice(stream(symbols, written))


def _time(unix_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=unix_ms)

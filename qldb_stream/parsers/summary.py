"""Block summaries: what stream records and whole blocks share (facts 1.3, 2.1)."""

from __future__ import annotations

from typing import Final

from qldb_stream.events import (
    BlockSummary,
    RedactionInfo,
    RevisionSummary,
    TransactionInfo,
)
from qldb_stream.ion import SymbolTable
from qldb_stream.parsers.layouts import maybe_leaf
from qldb_stream.parsers.parts import (
    Fields,
    element_spans,
    maybe_span,
    maybe_struct,
    need_address,
    need_digest,
    need_digests,
    need_string,
    need_time,
    struct_fields,
    unknown_names,
)

__all__ = ["BLOCK_FIELDS", "parse_revision_summaries", "parse_summary", "parse_transaction_info"]

BLOCK_FIELDS: Final = frozenset(
    (
        "blockAddress",
        "transactionId",
        "blockTimestamp",
        "blockHash",
        "entriesHash",
        "previousBlockHash",
        "entriesHashList",
        "transactionInfo",
        "redactionInfo",
    )
)
"""The fields that a stream's summaries and whole blocks have in common."""

_SUMMARY: Final = frozenset(("hash", "documentId"))


def parse_summary(
    buf: bytes,
    fields: Fields,
    table: SymbolTable,
    stream_arn: str | None,
    transaction_info: TransactionInfo | None,
    revision_summaries: tuple[RevisionSummary, ...],
    unknown: tuple[str, ...],
) -> BlockSummary:
    """
    Read what a block says apart from its revisions.

    Args:
        buf: the record or block.
        fields: the fields of the payload, or of the block.
        table: the symbols of `buf`.
        stream_arn: None for a block.
        transaction_info: what `parse_transaction_info` gave.
        revision_summaries: read by the caller, because the forms differ there.
        unknown: names of unknown fields, the caller's as well.

    Raises:
        EnvelopeError: a part is missing, of another type or out of range.
        IonDecodeError: the bytes are not sound Ion.
    """
    path = "" if stream_arn is None else "payload"  # for errors
    redaction = maybe_struct(buf, fields, "redactionInfo", table, path)
    address, of_address = need_address(buf, fields, table, path)
    return BlockSummary(
        stream_arn,
        address,
        need_string(buf, fields, "transactionId", path),
        need_time(buf, fields, "blockTimestamp", path),
        need_digest(buf, fields, "blockHash", path),
        need_digest(buf, fields, "entriesHash", path),
        need_digest(buf, fields, "previousBlockHash", path, may_be_empty=True),
        need_digests(buf, fields, "entriesHashList", table, path),
        transaction_info,
        None if redaction is None else RedactionInfo(redaction),
        revision_summaries,
        of_address + unknown,
    )


def parse_transaction_info(
    buf: bytes, fields: Fields, table: SymbolTable, path: str
) -> TransactionInfo | None:
    """
    Find the optional `transactionInfo`, which is read on first use; None when absent or null.

    Raises:
        EnvelopeError: it is no struct.
        IonDecodeError: its bytes are not sound Ion.
    """
    found = maybe_struct(buf, fields, "transactionInfo", table, path)
    return None if found is None else TransactionInfo(found)


def parse_revision_summaries(
    buf: bytes, fields: Fields, table: SymbolTable, path: str
) -> tuple[tuple[RevisionSummary, ...], tuple[str, ...]]:
    """
    Read the optional `revisionSummaries`.

    Returns:
        The leaves in their order, none when the field is absent or null; names of unknown
        fields in them.

    Raises:
        EnvelopeError: it is no list of structs, or a part of one is missing or of
            another type.
        IonDecodeError: the bytes are not sound Ion.
    """
    span = maybe_span(buf, fields, "revisionSummaries")
    if span is None:
        return (), ()
    summaries: list[RevisionSummary] = []
    unknown: tuple[str, ...] = ()
    path += ".revisionSummaries"
    for index, (start, end) in enumerate(element_spans(buf, span, table, path)):
        leaf = maybe_leaf(buf, start, end, table)
        if leaf is None:
            of_list = f"{path}[{index}]"
            found = struct_fields(buf, (start, end), table, of_list)
            has_document = maybe_span(buf, found, "documentId") is not None
            document_id = need_string(buf, found, "documentId", of_list) if has_document else None
            leaf = RevisionSummary(need_digest(buf, found, "hash", of_list), document_id)
            unknown += unknown_names(found, _SUMMARY, "revisionSummaries.")
        summaries.append(leaf)
    return tuple(summaries), tuple(dict.fromkeys(unknown))

"""
Whole blocks, as exports and GetBlock have them (facts 2.1).

A block of this form holds its revisions, so nothing has to be joined. The table of a
revision comes from the block's transactionInfo, because the revision does not name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import (
    Block,
    DocumentInfo,
    RevisionSummary,
    TransactionInfo,
)
from qldb_stream.ion import IonSlice
from qldb_stream.parsers.parts import (
    iter_structs,
    maybe_span,
    need_address,
    struct_fields,
    unknown_names,
)
from qldb_stream.parsers.revision import parse_block_revision
from qldb_stream.parsers.summary import BLOCK_FIELDS, parse_summary, parse_transaction_info

__all__ = ["parse_block"]

_BLOCK: Final = BLOCK_FIELDS | {"revisions"}


def parse_block(value: IonSlice) -> Block:
    """
    Read one block.

    Returns:
        The block; its summary's `revision_summaries` are made from its revisions, its
        `stream_arn` is None.

    Raises:
        EnvelopeError: it is no block (facts 2.1).
        IonDecodeError: its bytes are not sound Ion.
    """
    buf = value.buf
    table = value.symbols
    fields = struct_fields(buf, (value.start, value.end), table, "block")
    address, _ = need_address(buf, fields, table, "")  # parse_summary names what is unknown
    span = maybe_span(buf, fields, "revisions")
    structs = () if span is None else iter_structs(buf, span, table, "revisions")
    info = parse_transaction_info(buf, fields, table, "")
    documents = _maybe_documents(info) if span is not None else {}
    revisions = tuple(
        [
            parse_block_revision(buf, found, table, path, address, documents)
            for found, path in structs
        ]
    )
    summaries = tuple([RevisionSummary(found.hash, found.document_id) for found in revisions])
    unknown = unknown_names(fields, _BLOCK, "")
    return Block(parse_summary(buf, fields, table, None, info, summaries, unknown), revisions)


def _maybe_documents(info: TransactionInfo | None) -> Mapping[str, DocumentInfo]:
    """Give the documents whose tables are named; none where the bytes are damaged."""
    try:
        return {} if info is None else info.documents
    except DecodeError:
        return {}

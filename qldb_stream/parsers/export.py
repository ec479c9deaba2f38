"""
Whole blocks, as journal exports give them, and GetBlock as text (facts 2.1, 3.3).

A block of this form holds its revisions, so nothing has to be joined. The table of a
revision comes from the block's transactionInfo, because the revision does not name it.
Manifests and JSON exports are not read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import attrs

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.events import (
    Block,
    BlockSummary,
    Revision,
    RevisionSummary,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.ion import IVM, IonSlice, iter_chunked, iter_slices, iter_text
from qldb_stream.parsers.parts import (
    iter_structs,
    maybe_span,
    need_address,
    struct_fields,
    unknown_names,
)
from qldb_stream.parsers.revision import parse_block_revision
from qldb_stream.parsers.summary import BLOCK_FIELDS, parse_summary
from qldb_stream.parsers.text import iter_chunked_text
from qldb_stream.typing import Readable

__all__ = ["parse_block", "parse_export"]

_CHUNK_BYTES: Final = 1 << 20

_BLOCK: Final = BLOCK_FIELDS | {"revisions"}


def parse_export(data: bytes | str | Readable | Iterable[bytes]) -> Iterator[Block]:
    """
    Read the blocks of an export object, lazily, in order.

    Args:
        data: Ion text, or binary Ion with one or several version markers; whole, as a
            `Readable`, or as pieces in order, cut anywhere. Of what is not whole one block
            and one piece are held. Of GetBlock's answer it is the text `["Block"]["IonText"]`.

    Yields:
        Each block with its revisions in their order, hash-only ones included.

    Raises:
        EnvelopeError: a value is no block (facts 2.1).
        IonDecodeError: not sound Ion, or a block of more than MAX_VALUE_BYTES. Both raise when
            the value is reached, and end the iteration; every block before it was yielded.
        UsageError: it is none of these; raised when the first block is asked for.
    """
    for value in _iter_values(data):
        yield parse_block(value)


def _iter_values(data: bytes | str | Readable | Iterable[bytes]) -> Iterator[IonSlice]:
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, bytes):
        return iter_slices(data) if data.startswith(IVM) else iter_text(data)
    chunks = iter(_iter_chunks(data) if isinstance(data, Readable) else _check_pieces(data))
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(IVM):
            break
    whole = chain((head,), chunks)
    return iter_chunked(whole) if head.startswith(IVM) else iter_chunked_text(whole)


def _check_pieces(data: Any) -> Iterable[bytes]:
    if isinstance(data, Iterable) and not isinstance(data, Mapping):
        pieces: Iterable[bytes] = data
        return pieces
    raise UsageError(
        f"expected an export object's Ion, found {type(data).__name__}; of GetBlock's answer "
        'pass ["Block"]["IonText"]'
    )


def _iter_chunks(data: Readable) -> Iterator[bytes]:
    pos = 0
    while chunk := data.read_at(pos, _CHUNK_BYTES):
        yield chunk
        pos += len(chunk)


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
    revisions = tuple(
        [parse_block_revision(buf, found, table, path, address) for found, path in structs]
    )
    summaries = tuple([RevisionSummary(found.hash, found.document_id) for found in revisions])
    unknown = unknown_names(fields, _BLOCK, "")
    summary = parse_summary(buf, fields, table, "", None, summaries, unknown)
    return Block(summary, _with_tables(revisions, summary))


def _with_tables(revisions: tuple[Revision, ...], summary: BlockSummary) -> tuple[Revision, ...]:
    """Give revisions the tables that transactionInfo names; verification checks the rest."""
    info = summary.transaction_info
    if info is None or not revisions:
        return revisions
    return tuple([attrs.evolve(found, table=_table_of(found, info)) for found in revisions])


def _table_of(revision: Revision, info: TransactionInfo) -> TableInfo | None:
    """Look up a document's table; None where it is not named or the bytes are damaged."""
    try:
        document = info.documents.get(revision.document_id or "")
    except DecodeError:
        return None
    return None if document is None else document.table

"""
Revisions, as stream records and blocks hold them (facts 1.4, 2.1).

`data` and `metadata` stay slices of the record's bytes, because they are hashed; the
four parts of `metadata` are read as values too, because every stage routes by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qldb_stream.events import BlockAddress, DocumentInfo, Metadata, Revision, TableInfo
from qldb_stream.ion import IonSlice, SymbolTable
from qldb_stream.parsers.layouts import maybe_metadata, maybe_table
from qldb_stream.parsers.parts import (
    Fields,
    maybe_digest,
    maybe_span,
    maybe_struct,
    need_address,
    need_digest,
    need_number,
    need_span,
    need_string,
    need_time,
    struct_fields,
    unknown_names,
)

__all__ = ["parse_block_revision", "parse_revision", "parse_table"]

_REVISION: Final = frozenset(("blockAddress", "hash", "data", "dataHash", "metadata"))
_METADATA: Final = frozenset(("id", "version", "txTime", "txId"))
_TABLE: Final = frozenset(("tableName", "tableId"))
_NO_DOCUMENTS: Final[Mapping[str, DocumentInfo]] = {}
_LEAST: Final = 3  # blockAddress, hash, metadata; data or dataHash make four


def parse_revision(
    buf: bytes,
    fields: Fields,
    table: SymbolTable,
    path: str,
    of_table: TableInfo | None = None,
    unknown: tuple[str, ...] = (),
    documents: Mapping[str, DocumentInfo] = _NO_DOCUMENTS,
) -> Revision:
    """
    Read a full revision.

    Args:
        buf: the record or block.
        fields: the fields of the revision's struct.
        table: the symbols of `buf`.
        path: where the struct is, for errors.
        of_table: the table of its document, as the record says.
        unknown: names of unknown fields found around it.
        documents: name the table where `of_table` does not.

    Returns:
        The revision; `unknown_fields` has its own unknown fields by their names, those of
        its structs with the struct's name in front (`metadata.x`), then `unknown`.

    Raises:
        EnvelopeError: a part is missing, of another type or out of range.
        IonDecodeError: the bytes are not sound Ion.
    """
    address, of_address = need_address(buf, fields, table, path)
    metadata, more = _parse_metadata(buf, fields, table, path)
    if of_address:
        more = of_address + more
    named = documents.get(metadata.id)
    if of_table is None and named is not None:
        of_table = named.table
    data = maybe_struct(buf, fields, "data", table, path)
    data_hash = maybe_digest(buf, fields, "dataHash", path) if "dataHash" in fields else None
    if len(fields) > _LEAST:
        unknown = unknown_names(fields, _REVISION, "") + more + unknown
    elif more:
        unknown = more + unknown
    return Revision(
        address,
        need_digest(buf, fields, "hash", path),
        metadata,
        data,
        data_hash,
        of_table,
        unknown,
    )


def parse_block_revision(
    buf: bytes,
    fields: Fields,
    table: SymbolTable,
    path: str,
    address: BlockAddress,
    documents: Mapping[str, DocumentInfo],
) -> Revision:
    """
    Read a revision of a block: a full one, or a hash that only the system knows.

    It is the system's when it has neither address, metadata, data nor data hash, which
    is the official readers' rule (facts 2.1, 2.5). `documents` are those of the block's
    transactionInfo, which name its table.

    Raises:
        EnvelopeError: a part is missing, of another type or out of range.
        IonDecodeError: the bytes are not sound Ion.
    """
    if _REVISION.isdisjoint(fields.keys() - {"hash"}):
        unknown = unknown_names(fields, _REVISION, "")
        return Revision(address, need_digest(buf, fields, "hash", path), unknown_fields=unknown)
    return parse_revision(buf, fields, table, path, documents=documents)


def parse_table(
    buf: bytes, fields: Fields, table: SymbolTable, path: str
) -> tuple[TableInfo | None, tuple[str, ...]]:
    """
    Read the optional `tableInfo` of a payload.

    Returns:
        The table, None when absent or null; names of unknown fields in it.

    Raises:
        EnvelopeError: a part is missing or of another type.
        IonDecodeError: the bytes are not sound Ion.
    """
    span = maybe_span(buf, fields, "tableInfo")
    if span is None:
        return None, ()
    info = maybe_table(buf, span[0], span[1], table)
    if info is not None:
        return info, ()
    path += ".tableInfo"
    found = struct_fields(buf, span, table, path)
    info = TableInfo(
        need_string(buf, found, "tableName", path), need_string(buf, found, "tableId", path)
    )
    if len(found) == len(_TABLE):
        return info, ()
    return info, unknown_names(found, _TABLE, "tableInfo.")


def _parse_metadata(
    buf: bytes, fields: Fields, table: SymbolTable, path: str
) -> tuple[Metadata, tuple[str, ...]]:
    span = need_span(fields, "metadata", path)
    metadata = maybe_metadata(buf, span[0], span[1], table)
    if metadata is not None:
        return metadata, ()
    path += ".metadata"
    found = struct_fields(buf, span, table, path)
    metadata = Metadata(
        need_string(buf, found, "id", path),
        need_number(buf, found, "version", path),
        need_time(buf, found, "txTime", path),
        need_string(buf, found, "txId", path),
        IonSlice(buf, span[0], span[1], table),
    )
    if len(found) == len(_METADATA):
        return metadata, ()
    return metadata, unknown_names(found, _METADATA, "metadata.")

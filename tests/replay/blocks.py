"""Blocks made by hand: what a test says, and nothing that it does not need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    Metadata,
    RedactedRevision,
    RedactionInfo,
    Revision,
    TableInfo,
    TransactionInfo,
)
from qldb_stream.ion import to_slice

STRAND = "Ad3B7NABCxT12W36o0d8v3"
NOW = datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
TX = "7mNoPqRsTuVwXyZaBcDeF4"
THINGS = TableInfo("Things", "4bCdEfGhIjKlMnOpQrStU2")


def document_id(number: int) -> str:
    """A document id that tells its number."""
    return f"Document{number:014d}"


def digest(*parts: object) -> bytes:
    """Some 32 bytes, the same for the same parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


def revision(
    sequence_no: int,
    number: int,
    version: int,
    data: Any = None,
    *,
    table: TableInfo | None = THINGS,
    data_hash: bytes | None = None,
) -> Revision:
    """A revision of document `number`; a delete without data and data hash."""
    metadata = {"id": document_id(number), "version": version, "txTime": NOW, "txId": TX}
    return Revision(
        BlockAddress(STRAND, sequence_no),
        digest(sequence_no, number, version),
        Metadata(document_id(number), version, NOW, TX, to_slice(metadata)),
        None if data is None else to_slice(data),
        data_hash,
        table,
    )


REDACTED = RedactedRevision(BlockAddress(STRAND, 1), THINGS.table_id, document_id(9), 0)
"""What a block that redacts asks for: a document that no other block has."""


def request(asked: RedactedRevision) -> dict[str, Any]:
    """What redactionInfo says of a revision that is to be redacted."""
    address = {
        "strandId": asked.block_address.strand_id,
        "sequenceNo": asked.block_address.sequence_no,
    }
    return {
        "blockAddress": address,
        "tableId": asked.table_id,
        "documentId": asked.document_id,
        "version": asked.version,
    }


def block(
    sequence_no: int,
    *revisions: Revision,
    statements: Sequence[str] | None = None,
    documents: Mapping[int, tuple[TableInfo, Sequence[int]]] | None = None,
    redacts: bool = False,
) -> Block:
    """A block that links to `block(sequence_no - 1)`; without statements it has no info."""
    info: dict[str, Any] = {
        "statements": [
            {"statement": text, "startTime": NOW, "statementDigest": digest(text)}
            for text in statements or ()
        ]
    }
    if documents:
        info["documents"] = {
            document_id(number): {
                "tableName": table.table_name,
                "tableId": table.table_id,
                "statements": list(indexes),
            }
            for number, (table, indexes) in documents.items()
        }
    summary = BlockSummary(
        None,
        BlockAddress(STRAND, sequence_no),
        TX,
        NOW,
        digest("block", sequence_no),
        digest("entries", sequence_no),
        digest("block", sequence_no - 1) if sequence_no else b"",
        (),
        None if statements is None else TransactionInfo(to_slice(info)),
        RedactionInfo(to_slice({"revisions": [request(REDACTED)]})) if redacts else None,
    )
    return Block(summary, revisions)


def redacting(block: Block, *asked: RedactedRevision) -> Block:
    """The block, asking for redactions."""
    info = RedactionInfo(to_slice({"revisions": [request(one) for one in asked]}))
    return attrs.evolve(block, summary=attrs.evolve(block.summary, redaction_info=info))

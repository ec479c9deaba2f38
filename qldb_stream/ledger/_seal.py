"""
Sealing a transaction into a block: hashes, Ion, and the rows to store.

A block is built as the service built it (facts 2.1 to 2.5), and `entriesHashList` has its
four members, with a redaction a fifth. The two that are opaque in QLDB's blocks are hashes
of ours, so that this ledger can prove what QLDB's could not; whoever verifies by AWS's
algorithms never looks at them, because those only test membership:

0. H({blockAddress, transactionId, blockTimestamp}), which no other formula covers;
1. the revisions' Merkle root; without revisions H({revisions: []}), because an empty
   member would shorten proofs;
2. H({tables: [...]}): the rows of `information_schema.user_tables`, as this block left
   them, of the tables that its DDL changed. Ids of tables and indexes stand nowhere else
   in a journal. The list is kept with the block;
3. H(transactionInfo);
4. H(redactionInfo), only in a block that redacts (facts 2.6).

Block 0 has an empty previousBlockHash, so its blockHash is its entriesHash (facts 9.2).
`txTime` is taken when the commit begins, `blockTimestamp` when the block is closed;
neither is ever earlier than in the block before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import attrs

from qldb_stream.hashing import DIGEST_BYTES, dot, merkle_root
from qldb_stream.ion import IVM, IonSlice, dumps, ion_hash
from qldb_stream.ledger._hashes import (
    field_digest,
    int_part,
    metadata_hash,
    name_part,
    revision_hash,
    string_part,
    struct_part,
    timestamp_part,
)
from qldb_stream.ledger._ids import ID_CHARACTERS
from qldb_stream.ledger._ion import (
    LIST,
    STRUCT,
    field_id,
    ion_digest,
    ion_id,
    ion_int,
    ion_timestamp,
    symbol_table,
    wrap,
)
from qldb_stream.ledger._merkle import append_leaf
from qldb_stream.ledger._pending import Draft, PendingDocument
from qldb_stream.ledger._redaction_info import write_redaction_info
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import StoredBlock, StoredRevision
from qldb_stream.ledger._transaction_info import write_transaction_info

__all__ = ["NO_REVISIONS", "Sealed", "header_hash", "seal", "standalone", "tables_hash"]


@attrs.frozen(eq=False)
class Sealed:
    """A block, ready to be stored, and the ledger's state after it."""

    state: State
    block: StoredBlock
    revisions: list[StoredRevision]


_F: Final = {
    name: field_id(name)
    for name in (
        "blockAddress",
        "strandId",
        "sequenceNo",
        "transactionId",
        "blockTimestamp",
        "blockHash",
        "entriesHash",
        "previousBlockHash",
        "entriesHashList",
        "transactionInfo",
        "revisionSummaries",
        "hash",
        "documentId",
    )
}
# A revision's summary has always the same length, so only hash and document id are put in.
_SUMMARY: Final = wrap(
    STRUCT,
    _F["hash"] + ion_digest(bytes(DIGEST_BYTES)) + _F["documentId"] + ion_id("0" * ID_CHARACTERS),
)
_SUMMARY_START: Final = _SUMMARY.partition(bytes(DIGEST_BYTES))[0]
_SUMMARY_MIDDLE: Final = _SUMMARY.partition(bytes(DIGEST_BYTES))[2][:-ID_CHARACTERS]

# Names for Ion Hash.
_N: Final = {
    name: name_part(name)
    for name in ("blockAddress", "strandId", "sequenceNo", "transactionId", "blockTimestamp")
}

# Of Ion's binary format: a length that follows the type byte, the last byte of a VarUInt, and one
# annotation, $ion_symbol_table.
_LONG: Final = 0x0E
_LAST: Final = 0x80
_TABLE_ANNOTATION: Final = b"\x81\x83"

NO_REVISIONS: Final = ion_hash({"revisions": []})
"""The second entry of a block without revisions."""

_NO_TABLES: Final = ion_hash({"tables": []})


def seal(state: State, draft: Draft, now_ms: Callable[[], int]) -> Sealed:
    """
    Build the next block from a transaction.

    Args:
        state: where the journal ends.
        draft: what the transaction ran and wrote; tables with their final definitions.
        now_ms: the clock; asked for txTime, then for blockTimestamp.
    """
    started_ms = [statement.start_ms for statement in draft.statements]
    tx_time_ms = max(now_ms(), state.last_ms, *started_ms)
    revisions = _make_revisions(state, draft, tx_time_ms)
    table_rows = [table.as_row() for table in draft.tables]
    info, info_hash = write_transaction_info(draft.statements, draft.documents)
    timestamp_ms = max(now_ms(), tx_time_ms)
    redaction, redaction_hash = write_redaction_info(draft.redaction)
    entries = [
        header_hash(state.strand_id, state.size, draft.transaction_id, timestamp_ms),
        _root([revision.hash for revision in revisions]) or NO_REVISIONS,
        tables_hash(table_rows),
        info_hash,
        *redaction_hash,
    ]
    entries_hash = _root(entries)
    block_hash = dot(entries_hash, state.block_hash)
    header = _write_header(state, draft, timestamp_ms)
    hashes = _write_hashes(block_hash, entries_hash, state.block_hash, entries)
    payload = header + hashes + _F["transactionInfo"] + info + redaction
    payload += _write_revisions(revisions)
    summary = symbol_table([document.id for document in draft.documents]) + wrap(STRUCT, payload)
    peaks, nodes = append_leaf(state.peaks, state.size, block_hash)
    return Sealed(
        State(
            size=state.size + 1,
            block_hash=block_hash,
            peaks=peaks,
            next_revision_no=state.next_revision_no + len(revisions),
            last_ms=timestamp_ms,
            catalog=state.catalog.with_tables(draft.tables) if draft.tables else state.catalog,
            strand_id=state.strand_id,
            mirrored=state.mirrored,
        ),
        StoredBlock(
            state.size,
            draft.transaction_id,
            timestamp_ms,
            state.next_revision_no,
            nodes,
            summary,
            dumps(table_rows) if table_rows else None,
        ),
        revisions,
    )


def _root(hashes: list[bytes]) -> bytes:
    """Give the Merkle root; most transactions write few documents, most blocks four entries."""
    match hashes:
        case []:
            return b""
        case [first]:
            return first
        case [first, second]:
            return dot(first, second)
        case [first, second, third]:
            return dot(dot(first, second), third)
        case [first, second, third, fourth]:
            return dot(dot(first, second), dot(third, fourth))
        case _:
            return merkle_root(hashes)


# --- revisions -----------------------------------------------------------------------------


def _make_revisions(state: State, draft: Draft, tx_time_ms: int) -> list[StoredRevision]:
    """Make one revision of each changed document, in the order of their first change."""
    revisions: list[StoredRevision] = []
    for no, document in enumerate(draft.documents, state.next_revision_no):
        version = document.version
        metadata = metadata_hash(document.id, version, tx_time_ms, draft.transaction_id)
        data_hash, data = _data_of(document)
        base = document.base
        revisions.append(
            StoredRevision(
                no,
                state.size,
                document.table.no,
                document.id,
                version,
                tx_time_ms,
                None if base is None else base.no,
                revision_hash(metadata, data_hash),
                None,
                data,
            )
        )
    return revisions


def _data_of(document: PendingDocument) -> tuple[bytes, bytes | None]:
    """Give H(data), empty for a delete, and the bytes to store."""
    if document.data is None:
        return b"", None
    return document.data_hash or document.data.hash(), standalone(document.data)


def standalone(data: IonSlice) -> bytes:
    """
    Give a stream of the document alone, with a symbol table of its own.

    A slice that fills its stream, with nothing before it but one table, is that already. Any
    other is copied: a shared table would keep symbols of other documents, which a redaction
    of those must not leave behind.
    """
    buf = data.buf
    if data.end == len(buf) and buf.startswith(IVM) and data.start == _end_of_table(buf):
        return buf
    return data.to_bytes()


def _end_of_table(buf: bytes) -> int:
    """Find where the one symbol table after the version marker ends; 0 when it is not there."""
    pos = len(IVM) + 1
    length = buf[pos - 1] & _LONG
    if length == _LONG:
        length = 0
        while buf[pos] < _LAST:
            length = length << 7 | buf[pos]
            pos += 1
        length = length << 7 | buf[pos] & 0x7F
        pos += 1
    return pos + length if buf[pos : pos + 2] == _TABLE_ANNOTATION else 0


# --- hashes that are this ledger's own -----------------------------------------------------


def header_hash(strand_id: str, sequence_no: int, transaction_id: str, timestamp_ms: int) -> bytes:
    """Compute H({blockAddress, transactionId, blockTimestamp}), 32 bytes."""
    address = [
        _strand_digest(strand_id),
        field_digest(_N["sequenceNo"], int_part(sequence_no)),
    ]
    fields = [
        field_digest(_N["blockAddress"], struct_part(address)),
        field_digest(_N["transactionId"], string_part(transaction_id)),
        field_digest(_N["blockTimestamp"], timestamp_part(timestamp_ms)),
    ]
    return sha256(struct_part(fields)).digest()


def tables_hash(rows: Sequence[Any]) -> bytes:
    """Compute H({tables: rows}), 32 bytes, of a block whose DDL left tables so."""
    return ion_hash({"tables": rows}) if rows else _NO_TABLES


@lru_cache(maxsize=16)
def _strand_digest(strand_id: str) -> bytes:
    return field_digest(_N["strandId"], string_part(strand_id))


# --- the block in Ion, fields in the service's order (facts 1.3) ---------------------------


def _write_header(state: State, draft: Draft, timestamp_ms: int) -> bytes:
    address = _F["strandId"] + ion_id(state.strand_id)
    address += _F["sequenceNo"] + ion_int(state.size)
    return (
        _F["blockAddress"]
        + wrap(STRUCT, address)
        + _F["transactionId"]
        + ion_id(draft.transaction_id)
        + _F["blockTimestamp"]
        + ion_timestamp(timestamp_ms)
    )


def _write_hashes(
    block_hash: bytes, entries_hash: bytes, previous: bytes, entries: Sequence[bytes]
) -> bytes:
    return (
        _F["blockHash"]
        + ion_digest(block_hash)
        + _F["entriesHash"]
        + ion_digest(entries_hash)
        + _F["previousBlockHash"]
        + ion_digest(previous)
        + _F["entriesHashList"]
        + wrap(LIST, b"".join(map(ion_digest, entries)))
    )


def _write_revisions(revisions: Sequence[StoredRevision]) -> bytes:
    """Write `revisionSummaries`; nothing without revisions (facts 1.3)."""
    if not revisions:
        return b""
    summaries = [
        _SUMMARY_START + revision.hash + _SUMMARY_MIDDLE + revision.document_id.encode()
        for revision in revisions
    ]
    return _F["revisionSummaries"] + wrap(LIST, b"".join(summaries))

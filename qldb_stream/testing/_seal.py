"""
Give planned blocks their hashes and their chain.

Strategy: whatever is hashed is written in the same pass, with the symbol ids of the
stream record that it will stand in; rendering a record later only puts the parts
together. The layout of entriesHashList is that of genuine blocks (facts 2.5); the
entries that a client cannot recompute are random digests.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import attrs

from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import to_slice
from qldb_stream.report import DeleteRule
from qldb_stream.testing._ion_writer import (
    ForeignValueError,
    Symbols,
    Written,
    digest,
    encode,
    instant,
    reserve,
    text,
)
from qldb_stream.testing._plan import ManyDocuments

if TYPE_CHECKING:
    from random import Random

    from qldb_stream.testing._plan import PlannedBlock, PlannedRevision, PlannedStatement

__all__ = [
    "DETAILS_SYMBOLS",
    "SealedBlock",
    "SealedRevision",
    "Sealer",
    "metadata_fields",
    "start_ms",
    "tx_ms",
]

# How long before the block's time the transaction's own is, as in genuine blocks (facts 0.2).
_TX_BEFORE_BLOCK_MS: Final = 17
_STATEMENT_MS: Final = 3
_NULL_FORMS: Final = {
    DeleteRule.NULL_DATA: b"\x0b\x0f\x0e",
    DeleteRule.NULL_STRUCT_DATA: b"\x0b\xdf\x0e",
}


def _numbered(*names: str) -> Symbols:
    symbols: Symbols = {}
    reserve(symbols, *names)
    return symbols


# Names in the order in which genuine records first use them (vectors/kpl-14).
_ENVELOPE: Final = ("qldbStreamArn", "recordType", "payload")
_ADDRESS: Final = ("blockAddress", "strandId", "sequenceNo")
DETAILS_SYMBOLS: Final = _numbered(
    *_ENVELOPE, "tableInfo", "tableName", "tableId", "revision", *_ADDRESS, "hash"
)
SUMMARY_SYMBOLS: Final = _numbered(
    *_ENVELOPE,
    *_ADDRESS,
    "transactionId",
    "blockTimestamp",
    "blockHash",
    "entriesHash",
    "previousBlockHash",
    "entriesHashList",
)


@attrs.frozen
class SealedRevision:
    """
    A planned revision, hashed.

    `data` is None without data, and for documents that only the full writer knows; these
    have a `data_hash` nevertheless. `symbols` numbers the names in `data` and `metadata`.
    """

    plan: PlannedRevision
    hash: bytes
    data_hash: bytes | None
    data: bytes | None
    metadata: bytes
    symbols: Symbols


@attrs.frozen
class SealedBlock:
    """A planned block, hashed; `symbols` numbers the names in its two infos."""

    plan: PlannedBlock
    block_hash: bytes
    entries_hash: bytes
    previous_block_hash: bytes
    entries_hash_list: tuple[bytes, ...]
    leaves: tuple[tuple[bytes, str | None], ...]
    revisions: tuple[SealedRevision, ...]
    statement_digests: tuple[bytes, ...]
    transaction_info: bytes | None
    redaction_info: bytes | None
    symbols: Symbols


def tx_ms(plan: PlannedBlock) -> int:
    """Give the transaction's own time, which its revisions carry."""
    return plan.time_ms - _TX_BEFORE_BLOCK_MS


def start_ms(plan: PlannedBlock, statement: int) -> int:
    """Give the time at which a statement started."""
    return tx_ms(plan) - _STATEMENT_MS * (len(plan.statements) - statement)


def metadata_fields(plan: PlannedBlock, revision: PlannedRevision) -> dict[str, Any]:
    """Give a revision's metadata, for `encode`."""
    return {
        "id": text(revision.document_id),
        "version": revision.version,
        "txTime": instant(tx_ms(plan)),
        "txId": text(plan.transaction_id),
    }


@attrs.define
class Sealer:
    """Seals blocks one after the other; keeps the hash of the last."""

    rng: Random
    delete_rule: DeleteRule
    previous: bytes = b""

    def seal(self, plan: PlannedBlock) -> SealedBlock:
        """Seal the next block of the strand."""
        forms: dict[int, bytes] = {}
        revisions = tuple([self._revision(plan, revision, forms) for revision in plan.revisions])
        leaves: list[tuple[bytes, str | None]] = [(r.hash, r.plan.document_id) for r in revisions]
        if plan.system_leaf_at is not None:
            leaves.insert(plan.system_leaf_at, (self.rng.randbytes(32), None))
        digests = tuple([_statement_digest(s, forms) for s in plan.statements])
        symbols = SUMMARY_SYMBOLS.copy()
        info, info_hash = _transaction_info(plan, digests, symbols)
        redaction, redaction_hash = _redaction_info(plan, symbols)
        entries = self._entries(leaves, redaction_hash, info_hash)
        entries_hash = merkle_root(entries)
        previous, self.previous = self.previous, dot(entries_hash, self.previous)
        return SealedBlock(
            plan,
            self.previous,
            entries_hash,
            previous,
            entries,
            tuple(leaves),
            revisions,
            digests,
            info,
            redaction,
            symbols,
        )

    def _entries(
        self,
        leaves: list[tuple[bytes, str | None]],
        redaction_hash: bytes | None,
        info_hash: bytes | None,
    ) -> tuple[bytes, ...]:
        root = merkle_root([leaf for leaf, _ in leaves]) if leaves else None
        found = [self.rng.randbytes(32), root, self.rng.randbytes(32), redaction_hash, info_hash]
        return tuple([entry for entry in found if entry is not None])

    def _revision(
        self, plan: PlannedBlock, revision: PlannedRevision, forms: dict[int, bytes]
    ) -> SealedRevision:
        symbols = DETAILS_SYMBOLS.copy()
        data, data_hash = _data(revision.data, symbols, forms)
        reserve(symbols, "metadata")
        metadata, form = encode(metadata_fields(plan, revision), symbols)
        found = self._revision_hash(sha256(form).digest(), data_hash)
        return SealedRevision(revision, found, data_hash, data, metadata, symbols)

    def _revision_hash(self, metadata_hash: bytes, data_hash: bytes | None) -> bytes:
        if data_hash is not None:
            return dot(metadata_hash, data_hash)
        null = _NULL_FORMS.get(self.delete_rule)
        return metadata_hash if null is None else dot(metadata_hash, sha256(null).digest())


def _data(
    data: Any, symbols: Symbols, forms: dict[int, bytes]
) -> tuple[bytes | None, bytes | None]:
    """Write and hash a document, and keep its hash form for the statements."""
    if data is None:
        return None, None
    reserve(symbols, "data")
    try:
        binary, form = encode(data, symbols)
    except ForeignValueError:
        return None, to_slice(data).hash()
    forms[id(data)] = form
    return binary, sha256(form).digest()


def _transaction_info(
    plan: PlannedBlock, digests: tuple[bytes, ...], symbols: Symbols
) -> tuple[bytes | None, bytes | None]:
    if not plan.statements:
        return None, None
    info: dict[str, Any] = {
        "statements": [
            {
                "statement": text(statement.text),
                "startTime": instant(start_ms(plan, i)),
                "statementDigest": digest(digests[i]),
            }
            for i, statement in enumerate(plan.statements)
        ]
    }
    if plan.documents:
        info["documents"] = {
            document_id: {
                "tableName": text(document.table.table_name),
                "tableId": text(document.table.table_id),
                "statements": list(document.statements),
            }
            for document_id, document in plan.documents.items()
        }
    reserve(symbols, "transactionInfo")
    binary, form = encode(info, symbols)
    return binary, sha256(form).digest()


def _redaction_info(plan: PlannedBlock, symbols: Symbols) -> tuple[bytes | None, bytes | None]:
    redacted = plan.redacted
    if redacted is None:
        return None, None
    address = {
        "strandId": redacted.block_address.strand_id,
        "sequenceNo": redacted.block_address.sequence_no,
    }
    revision = {
        "blockAddress": address,
        "tableId": redacted.table_id,
        "documentId": redacted.document_id,
        "version": redacted.version,
    }
    reserve(symbols, "redactionInfo")
    binary, form = encode({"revisions": [revision]}, symbols)
    return binary, sha256(form).digest()


def _statement_digest(statement: PlannedStatement, forms: dict[int, bytes]) -> bytes:
    """Fold statement and parameters (facts 2.5)."""
    folded = sha256(text(statement.text).form).digest()
    for parameter in statement.parameters:
        folded = dot(folded, _parameter_hash(parameter, forms))
    return folded


def _parameter_hash(parameter: Any, forms: dict[int, bytes]) -> bytes:
    form = forms.get(id(parameter))
    if form is not None:
        return sha256(form).digest()
    value = list(parameter) if isinstance(parameter, ManyDocuments) else parameter
    try:
        if isinstance(parameter, ManyDocuments) and all(id(v) in forms for v in value):
            value = [Written(b"", forms[id(v)]) for v in value]
        return sha256(encode(value, {})[1]).digest()
    except ForeignValueError:
        return to_slice(value).hash()

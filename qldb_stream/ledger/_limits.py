"""
QLDB's limits, for those who want them kept (facts 5.8), and one of ours: on rows held in memory.

The tables of a replay (`qldb_stream_*`) and what is written to them do not count: they
are ours, and a block that fitted into QLDB must fit here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from qldb_stream.errors import StatementError, UsageError
from qldb_stream.ion import IonSlice
from qldb_stream.ledger._catalog import Catalog, Table
from qldb_stream.ledger._changes import keys_after
from qldb_stream.ledger._pending import PendingDocument
from qldb_stream.replay import OWN_TABLES

__all__ = ["Limits", "choose_limits"]

_ACTIVE_TABLES: Final = 20
_TABLES: Final = 40
_INDEXES: Final = 5
_DOCUMENTS: Final = 40
_DOCUMENT_BYTES: Final = 128 * 1024
_TRANSACTION_BYTES: Final = 4 * 1024 * 1024
_STATEMENT_CHARACTERS: Final = 100_000
_PARAMETER_BYTES: Final = 128 * 1024
_TRANSACTION_MS: Final = 30_000

# Ours: QLDB had nothing that holds many rows. As much as the documents of 500 of the largest kind.
_HELD_BYTES: Final = 64 * 1024 * 1024

# The least that a document takes beside its data: metadata, block address and hash; and in each
# index its id beside the key. The service's own numbers are not known, and what fitted there
# must fit here.
_REVISION_BYTES: Final = 128
_ENTRY_BYTES: Final = 22


class Limits:
    """Checks that raise StatementError, naming the limit, when it is exceeded."""

    transaction_ms: Final = _TRANSACTION_MS
    held_bytes: Final = _HELD_BYTES

    def check_statement(self, text: str) -> None:
        """Check a statement's length."""
        _check("characters in a statement", len(text), _STATEMENT_CHARACTERS)

    def check_parameters(self, values: Sequence[Any]) -> None:
        """Check the length of each parameter in binary Ion."""
        for value in values:
            _check("bytes in a parameter", _length(value), _PARAMETER_BYTES)

    def check_tables(self, catalog: Catalog) -> None:
        """Check the numbers of tables, active ones and all, and of their indexes."""
        counted = [table for table in catalog.tables if not _is_own(table)]
        _check("active tables", sum(table.active for table in counted), _ACTIVE_TABLES)
        _check("tables, dropped ones included", len(counted), _TABLES)
        for table in counted:
            _check("indexes on a table", len(table.indexes), _INDEXES)

    def check_documents(self, documents: Collection[PendingDocument]) -> None:
        """Check how many documents a transaction wrote, and how large they are."""
        counted = [document for document in documents if not _is_own(document.table)]
        _check("documents in a transaction", len(counted), _DOCUMENTS)
        sizes = [len(document.data.to_bytes()) for document in counted if document.data]
        _check("bytes in a document", max(sizes, default=0), _DOCUMENT_BYTES)
        beside = sum(map(_bytes_beside, counted))
        _check("bytes in a transaction", sum(sizes) + beside, _TRANSACTION_BYTES)


def choose_limits(name: str) -> Limits | None:
    """
    Give the limits of a setting: "qldb", or "off" for none.

    Raises:
        UsageError: another name.
    """
    if name not in {"off", "qldb"}:
        raise UsageError(f"limits are 'off' or 'qldb', not {name!r}")
    return Limits() if name == "qldb" else None


def _length(value: Any) -> int:
    """Measure a parameter in binary Ion; a whole buffer that is short enough is not copied."""
    if isinstance(value, IonSlice):
        held = len(value.buf)
        return held if held <= _PARAMETER_BYTES else len(value.to_bytes())
    if isinstance(value, str):
        return len(value.encode())
    return len(value) if isinstance(value, bytes) else 0


def _bytes_beside(document: PendingDocument) -> int:
    keys = [key for key in keys_after(document).values() if key is not None]
    return _REVISION_BYTES + sum(len(key) + _ENTRY_BYTES for key in keys)


def _is_own(table: Table) -> bool:
    return table.name.startswith(OWN_TABLES)


def _check(what: str, found: int, limit: int) -> None:
    if found > limit:
        raise StatementError(f"{found} {what}; the limit is {limit}")

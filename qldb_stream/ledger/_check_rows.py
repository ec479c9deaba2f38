"""
Reading a file that may be damaged: rows in order, each of the types that it should have.

Strategy: tables are walked by their keys in chunks, so that neither a number that was
tampered with nor the table's length costs memory or endless time. SQLite keeps whatever type
a column is given; rows of other types are named and passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any, Final

from qldb_stream.ledger._findings import Findings
from qldb_stream.ledger._store import CHUNK_ROWS, Store, StoredBlock, StoredRevision

__all__ = [
    "has_types",
    "iter_block_rows",
    "iter_documents",
    "iter_entries",
    "read_revision_rows",
]

Types = tuple[tuple[type, ...], ...]

_BYTES_OR_NONE: Final = (bytes, NoneType)
_BLOCK: Final[Types] = ((int,), (str,), (int,), (int,), (bytes,), (bytes,), _BYTES_OR_NONE)
_REVISION: Final[Types] = (
    *((int,), (int,), (int,), (str,), (int,), (int,), (int, NoneType)),
    *((bytes,), _BYTES_OR_NONE, _BYTES_OR_NONE),
)

# datetime's last millisecond; no column holds a later time.
_MAX_MS: Final = 253_402_300_799_999

_BLOCKS: Final = "SELECT * FROM block WHERE sequence_no > ? ORDER BY sequence_no LIMIT 50"
_REVISIONS: Final = "SELECT * FROM revision WHERE no >= ? AND no < ? ORDER BY no"
_DOCUMENTS: Final = """
SELECT table_no, id, revision_no FROM document
WHERE (table_no, id) > (?, ?) ORDER BY table_no, id LIMIT ?
"""
_ENTRIES: Final = """
SELECT index_no, key, document_id FROM entry
WHERE (index_no, key, document_id) > (?, ?, ?) ORDER BY index_no, key, document_id LIMIT ?
"""
_BEFORE_ALL: Final = -(1 << 63)


def has_types(row: Sequence[Any], types: Types) -> int | None:
    """Give the place of the first value of another type; None when all have theirs."""
    for place, (value, allowed) in enumerate(zip(row, types, strict=True)):
        if type(value) not in allowed:
            return place
    return None


def iter_block_rows(store: Store, found: Findings) -> Iterator[StoredBlock]:
    """
    Iterate over the blocks, in the order of their numbers.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    after = _BEFORE_ALL
    while rows := store.query(_BLOCKS, (after,)):
        for row in map(StoredBlock._make, rows):
            if row.sequence_no <= after:  # in damaged pages rows may go round in circles
                found.add("block", "sequence_no", "not in the table's order", sequence_no=after)
                return
            after = row.sequence_no
            wrong = has_types(row, _BLOCK)
            if wrong is None and after < 0:
                wrong = row._fields.index("sequence_no")
            if wrong is None:
                yield row
            else:
                message = "of another type, or out of range"
                found.add("block", row._fields[wrong], message, sequence_no=after)


def read_revision_rows(
    store: Store, found: Findings, start: int, count: int
) -> list[StoredRevision]:
    """
    Read the revisions with numbers from `start` on, as many as are there and sound.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    rows = map(StoredRevision._make, store.query(_REVISIONS, (start, start + count)))
    return [row for row in rows if _is_sound(row, found)]


def _is_sound(row: StoredRevision, found: Findings) -> bool:
    wrong = has_types(row, _REVISION)
    if wrong is None and not 0 <= row.tx_time_ms <= _MAX_MS:
        wrong = row._fields.index("tx_time_ms")
    if wrong is None:
        return True
    message = "of another type, or out of range"
    found.add("revision", row._fields[wrong], message, document_id=str(row.document_id))
    return False


def iter_documents(store: Store) -> Iterator[tuple[Any, Any, Any]]:
    """
    Iterate over (table number, document id, revision number), deleted documents too.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    after = (_BEFORE_ALL, "")
    while rows := store.query(_DOCUMENTS, (*after, CHUNK_ROWS)):
        yield from rows
        after = rows[-1][:2]


def iter_entries(store: Store) -> Iterator[tuple[Any, Any, Any]]:
    """
    Iterate over (index number, stored key, document id).

    Raises:
        LedgerFileError: the file cannot be read.
    """
    after = (_BEFORE_ALL, b"", "")
    while rows := store.query(_ENTRIES, (*after, CHUNK_ROWS)):
        yield from rows
        after = rows[-1]

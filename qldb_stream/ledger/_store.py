"""
Reading a ledger file: settings, catalog, documents as of any block, history, blocks.

Strategy: whoever reads says how many blocks it sees (`size`); a document's newest
revision is looked up and walked back from until one lies below that. So a transaction
reads its snapshot while others commit, and nothing is copied for it. Long results are
read in chunks, each under the ledger's lock, and begin again after the last id: no
SQLite cursor stays open while somebody writes. Rows whose columns have other types than a
ledger writes are refused here; what is wrong inside their Ion shows where it is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from itertools import product, zip_longest
from types import NoneType
from typing import Any, Final, NamedTuple, TypeVar

from qldb_stream.errors import DecodeError
from qldb_stream.ion import IonSlice, load_slice
from qldb_stream.ledger._catalog import Catalog, Index, Table
from qldb_stream.ledger._damage import damaged, reading
from qldb_stream.ledger._keys import stored_key
from qldb_stream.ledger._merkle import load_peaks, node_of
from qldb_stream.ledger._problems import file_error
from qldb_stream.ledger._state import State

__all__ = ["CHUNK_ROWS", "MIRRORED", "Store", "StoredBlock", "StoredRevision", "document_of"]

T = TypeVar("T")

MIRRORED: Final = "mirrored"
"""The setting that counts the blocks of a mirror's source; absent in other ledgers."""

# At most 128 KB each (facts 5.8); what one short transaction reads.
_CACHED_DOCUMENTS: Final = 16

CHUNK_ROWS: Final = 200
"""How many rows are read at once, under the lock."""
_CHUNK_BLOCKS: Final = 50

# `r.*` and `*`: the columns stand in the order of StoredRevision and StoredBlock (`_schema`).
_BY_NO: Final = "SELECT r.* FROM revision r WHERE r.no = ?"
_BY_ID: Final = """
SELECT r.* FROM document d CROSS JOIN revision r ON r.no = d.revision_no
WHERE d.table_no = ? AND d.id = ?
"""
_BY_TABLE: Final = """
SELECT r.* FROM document d CROSS JOIN revision r ON r.no = d.revision_no
WHERE d.table_no = ? AND d.id > ? ORDER BY d.id LIMIT ?
"""
_BY_KEY: Final = """
SELECT r.* FROM entry e
CROSS JOIN document d ON d.table_no = ? AND d.id = e.document_id
CROSS JOIN revision r ON r.no = d.revision_no
WHERE e.index_no = ? AND e.key = ? AND e.document_id > ? ORDER BY e.document_id LIMIT ?
"""
_OF_BLOCK: Final = """
SELECT r.* FROM revision r
WHERE r.no >= ?
AND r.no < ifnull((SELECT first_revision_no FROM block WHERE sequence_no = ?), 9223372036854775807)
ORDER BY r.no
"""
_IDS: Final = "SELECT id FROM document WHERE table_no = ? AND id > ? ORDER BY id LIMIT ?"
_CHAIN: Final = """
WITH RECURSIVE chain(no, sequence_no, previous_no) AS (
    SELECT r.no, r.sequence_no, r.previous_no
    FROM document d JOIN revision r ON r.no = d.revision_no
    WHERE d.table_no = ? AND d.id = ?
    UNION ALL
    SELECT r.no, r.sequence_no, r.previous_no
    FROM chain c JOIN revision r ON r.no = c.previous_no AND r.no < c.no
)
SELECT no FROM chain WHERE sequence_no < ? ORDER BY no
"""
_BLOCKS: Final = """
SELECT * FROM block WHERE sequence_no >= ? AND sequence_no < ? ORDER BY sequence_no
"""


class StoredRevision(NamedTuple):
    """A row of `revision`; deleted when both `data` and `data_hash` are None."""

    no: int
    sequence_no: int
    table_no: int
    document_id: str
    version: int
    tx_time_ms: int
    previous_no: int | None
    hash: bytes
    data_hash: bytes | None
    data: bytes | None


class StoredBlock(NamedTuple):
    """A row of `block`."""

    sequence_no: int
    transaction_id: str
    timestamp_ms: int
    first_revision_no: int
    nodes: bytes
    summary: bytes
    catalog: bytes | None


# Every combination of types that a row may have: looked up once for each row, which costs less
# than looking at each column.
_BYTES_OR_NONE: Final[tuple[type, ...]] = (bytes, NoneType)
_REVISION_TYPES: Final = frozenset(
    product(
        *((int,), (int,), (int,), (str,), (int,), (int,), (int, NoneType)),
        *((bytes,), _BYTES_OR_NONE, _BYTES_OR_NONE),
    )
)
_BLOCK_TYPES: Final = frozenset(
    product((int,), (str,), (int,), (int,), (bytes,), (bytes,), _BYTES_OR_NONE)
)
_ID_TYPES: Final = frozenset([(str,)])
_SETTING_TYPES: Final = frozenset([(str, str)])
_TABLE_TYPES: Final = frozenset([(int, str, str, int)])
_INDEX_TYPES: Final = frozenset([(int, int, str, str)])

# datetime's last millisecond, and room below SQLite's largest number: no ledger comes to either.
_MAX_MS: Final = 253_402_300_799_999
_MAX_NUMBER: Final = 1 << 62


@lru_cache(maxsize=_CACHED_DOCUMENTS)
def document_of(data: bytes) -> IonSlice:
    """
    Give the document in a revision's stored bytes; a transaction asks several times for one.

    Raises:
        IonDecodeError: what is stored has been damaged.
    """
    return load_slice(data)


class Store:
    """A ledger file as the journal and the current documents that it holds."""

    def __init__(
        self, connection: sqlite3.Connection, path: str, lock: AbstractContextManager[Any]
    ) -> None:
        self.connection: Final = connection
        self.path: Final = path
        self.lock: Final = lock

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """
        Run a query and fetch all its rows.

        Raises:
            LedgerFileError: SQLite could not read the file.
        """
        with self.lock:
            try:
                return self.connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as exc:
                raise file_error(self.path, exc) from exc
            except OverflowError as exc:
                raise damaged(self.path, "a number in it") from exc
            except UnicodeDecodeError as exc:
                raise damaged(self.path, "a text in it") from exc

    def _rows(
        self, sql: str, parameters: tuple[Any, ...], types: Collection[tuple[type, ...]], what: str
    ) -> list[Any]:
        """Run a query and fetch all its rows, which must be of these types."""
        rows = self.query(sql, parameters)
        for row in rows:
            if tuple(map(type, row)) not in types:
                raise damaged(self.path, f"{what} {row[0]}" if type(row[0]) is int else f"a {what}")
        return rows

    def _value(self, sql: str, parameters: tuple[Any, ...], kind: type[T], what: str) -> T:
        """Run a query for one value, which must be there and of this type."""
        rows = self.query(sql, parameters)
        if not rows or type(rows[0][0]) is not kind:
            raise damaged(self.path, what)
        value: T = rows[0][0]
        return value

    def _revisions(self, sql: str, parameters: tuple[Any, ...]) -> list[StoredRevision]:
        rows = self._rows(sql, parameters, _REVISION_TYPES, "revision")
        revisions = list(map(StoredRevision._make, rows))
        for no, sequence_no, _, _, version, tx_time_ms, *_ in revisions:
            if sequence_no < 0 or version < 0 or not 0 <= tx_time_ms <= _MAX_MS:
                raise damaged(self.path, f"revision {no}")
        return revisions

    # --- the ledger as a whole -------------------------------------------------------------

    def settings(self) -> dict[str, str]:
        """Read all settings."""
        sql = "SELECT name, value FROM setting"
        return dict(self._rows(sql, (), _SETTING_TYPES, "setting"))

    def catalog(self) -> Catalog:
        """Read all tables and indexes."""
        indexes: dict[int, list[Index]] = {}
        sql = "SELECT table_no, no, id, field FROM catalog_index ORDER BY no"
        rows = self._rows(sql, (), _INDEX_TYPES, "index of table")
        for table_no, *index in rows:
            indexes.setdefault(table_no, []).append(Index(*index))
        sql = "SELECT no, id, name, active FROM catalog_table ORDER BY no"
        rows = self._rows(sql, (), _TABLE_TYPES, "table")
        if rows and rows[-1][0] > _MAX_NUMBER:
            raise damaged(self.path, f"table {rows[-1][0]}")
        return Catalog(
            tuple(
                Table(no, table_id, name, bool(active), tuple(indexes.get(no, ())))
                for no, table_id, name, active in rows
            )
        )

    def last_index_no(self) -> int:
        """Read the highest number that an index has, or that entries are stored under."""
        return self._number(
            "SELECT max(ifnull((SELECT max(no) FROM catalog_index), 0), "
            "ifnull((SELECT max(index_no) FROM entry), 0))",
            "index's number",
        )

    def state(self) -> State:
        """Read where the journal ends; O(log n) look-ups."""
        last_no = self._number("SELECT ifnull(max(sequence_no), -1) FROM block", "block's number")
        with reading(self.path, "a setting"):
            settings = self.settings()
            strand_id, mirrored = settings["strand_id"], int(settings.get(MIRRORED, 0))
        if last_no < 0:
            return State(catalog=self.catalog(), strand_id=strand_id)
        last = self.block(last_no)
        if last is None:
            raise damaged(self.path, f"block {last_no}")
        last_revision = "SELECT ifnull(max(no), 0) FROM revision"
        with reading(self.path, "the tree over the blocks"):
            peaks = load_peaks(last_no + 1, self.nodes)
        return State(
            size=last_no + 1,
            block_hash=node_of(last.nodes, 0),
            peaks=peaks,
            next_revision_no=self._number(last_revision, "revision's number") + 1,
            last_ms=last.timestamp_ms,
            catalog=self.catalog(),
            strand_id=strand_id,
            mirrored=mirrored,
        )

    def _number(self, sql: str, what: str) -> int:
        """Read the highest number of something; beyond all use it is damage."""
        number = self._value(sql, (), int, f"a {what}")
        if number > _MAX_NUMBER:
            raise damaged(self.path, f"the {what} {number}")
        return number

    def nodes(self, sequence_no: int) -> bytes:
        """Read the Merkle nodes that a block, which must be there, fills."""
        return self._of_block("nodes", sequence_no, bytes)

    def _of_block(self, column: str, sequence_no: int, kind: type[T]) -> T:
        sql = f"SELECT {column} FROM block WHERE sequence_no = ?"  # noqa: S608 - named here only
        return self._value(sql, (sequence_no,), kind, f"block {sequence_no}")

    # --- documents -------------------------------------------------------------------------

    def document(self, table_no: int, document_id: str, size: int) -> StoredRevision | None:
        """Read a document's newest revision that a snapshot of `size` blocks sees."""
        rows = self._revisions(_BY_ID, (table_no, document_id))
        return self._as_of(rows[0], size) if rows else None

    def iter_table(self, table_no: int, size: int) -> Iterator[StoredRevision]:
        """Iterate over the newest revision of each document of a table, deletes too."""
        return self._iter_chunks(lambda after: self._table_chunk(table_no, after), size)

    def _table_chunk(self, table_no: int, after: str) -> list[StoredRevision]:
        return self._revisions(_BY_TABLE, (table_no, after, CHUNK_ROWS))

    def iter_index(
        self, table_no: int, index_no: int, key: bytes, size: int
    ) -> Iterator[StoredRevision]:
        """
        Iterate over the documents that an index has under a key now, as a snapshot sees them.

        A document that had the key in the snapshot and was changed since may be missing;
        one that has it only since then may be there.
        """
        return self._iter_chunks(
            lambda after: self.index_chunk(table_no, index_no, key, after), size
        )

    def index_chunk(
        self, table_no: int, index_no: int, key: bytes, after: str
    ) -> list[StoredRevision]:
        """Read what an index has under a key now, the next CHUNK_ROWS after a document id."""
        return self._revisions(_BY_KEY, (table_no, index_no, stored_key(key), after, CHUNK_ROWS))

    def holds_documents(self, table_no: int) -> bool:
        """Tell whether a table ever had a document, deleted ones included."""
        return bool(self.query("SELECT 1 FROM document WHERE table_no = ? LIMIT 1", (table_no,)))

    def iter_document_ids(self, table_no: int) -> Iterator[str]:
        """Iterate over the ids of all documents that a table ever had, in their order."""
        after = ""
        while True:
            rows = self._rows(_IDS, (table_no, after, CHUNK_ROWS), _ID_TYPES, "document")
            for (document_id,) in rows:
                yield document_id
            if len(rows) < CHUNK_ROWS:
                return
            after = self._further(after, rows[-1][0])

    def iter_revisions(
        self, table_no: int, document_id: str, size: int
    ) -> Iterator[StoredRevision]:
        """Iterate over a document's revisions that a snapshot sees, the oldest first."""
        for (no,) in self.query(_CHAIN, (table_no, document_id, size)):
            yield self.revision(no)

    def revision(self, no: int) -> StoredRevision:
        """Read a revision by its number, which must be there."""
        rows = self._revisions(_BY_NO, (no,))
        if not rows:
            raise damaged(self.path, f"revision {no}")
        return rows[0]

    def check_document(self, no: int) -> str | None:
        """
        Say which document a revision is of, and of which block, when it cannot be decoded.

        Raises:
            LedgerFileError: the revision cannot be read at all.
        """
        revision = self.revision(no)
        try:
            if revision.data is not None:
                load_slice(revision.data).decode()
        except DecodeError:
            return f"document {revision.document_id} of block {revision.sequence_no}"
        return None

    def _iter_chunks(
        self, read: Callable[[str], list[StoredRevision]], size: int
    ) -> Iterator[StoredRevision]:
        after = ""
        while True:
            chunk = read(after)
            for newest in chunk:
                seen = self._as_of(newest, size)
                if seen is not None:
                    yield seen
            if len(chunk) < CHUNK_ROWS:
                return
            after = self._further(after, chunk[-1].document_id)

    def _further(self, after: str, last: str) -> str:
        """Go on after a chunk's last id; where ids do not rise it would never end."""
        if last <= after:
            raise damaged(self.path, f"document {last}")
        return last

    def _as_of(self, revision: StoredRevision, size: int) -> StoredRevision | None:
        while revision.sequence_no >= size:
            if revision.previous_no is None:
                return None
            if revision.previous_no >= revision.no:  # a circle, if it were followed
                raise damaged(self.path, f"revision {revision.no}")
            revision = self.revision(revision.previous_no)
        return revision

    # --- the journal -----------------------------------------------------------------------

    def block(self, sequence_no: int) -> StoredBlock | None:
        """Read a block; None when there is none of that number."""
        rows = self._blocks(sequence_no, sequence_no + 1)
        return rows[0] if rows else None

    def _blocks(self, start: int, stop: int) -> list[StoredBlock]:
        rows = self._rows(_BLOCKS, (start, stop), _BLOCK_TYPES, "block")
        for sequence_no, _, timestamp_ms, *_ in rows:
            if not 0 <= timestamp_ms <= _MAX_MS:
                raise damaged(self.path, f"block {sequence_no}")
        return list(map(StoredBlock._make, rows))

    def block_ms(self, sequence_no: int) -> int:
        """Read the time of a block, which must be there, in milliseconds since 1970 UTC."""
        time_ms = self._of_block("timestamp_ms", sequence_no, int)
        if not 0 <= time_ms <= _MAX_MS:
            raise damaged(self.path, f"block {sequence_no}")
        return time_ms

    def transaction_id(self, sequence_no: int) -> str:
        """Read the transaction of a block, which must be there."""
        return self._of_block("transaction_id", sequence_no, str)

    def first_block_at(self, time_ms: int, size: int) -> int:
        """
        Find the first of `size` blocks whose time is not before a moment; O(log n).

        Returns:
            Its number; `size` when all are earlier.
        """
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            if self.block_ms(middle) < time_ms:
                low = middle + 1
            else:
                high = middle
        return low

    def iter_blocks(self, start: int, size: int) -> Iterator[StoredBlock]:
        """Iterate over the blocks from `start` to before `size`."""
        start = max(start, 0)
        while start < size:
            stop = min(start + _CHUNK_BLOCKS, size)
            for number, block in zip_longest(range(start, stop), self._blocks(start, stop)):
                if block is None or block.sequence_no != number:
                    raise damaged(self.path, f"block {number}")
                yield block
            start = stop

    def block_revisions(self, block: StoredBlock) -> list[StoredRevision]:
        """Read the revisions of a block, in leaf order."""
        return self._revisions(_OF_BLOCK, (block.first_revision_no, block.sequence_no + 1))

"""What the tables hold, and what blocks should have put there, as values that compare equal."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.ion import IonType, to_slice, to_text
from qldb_stream.report import StoredRevision
from qldb_stream.sinks._relational._catalog import OWN, OWN_COLUMNS, WHOLE, Catalog, Table
from qldb_stream.sinks._relational._database import Database
from qldb_stream.sinks._relational._documents import rest_fields
from qldb_stream.sinks._relational._kinds import MISFIT, Kind, base_type, maybe_time_text
from qldb_stream.sinks._relational._names import quote
from qldb_stream.sinks._relational._plan import UNKNOWN_TABLE, WITH_DATA, Erasure

__all__ = ["expect_revisions", "expect_together", "plain", "read_current", "read_history"]

_MASKED: Final = [*OWN].index("qldb_masked")

_WINDOW_BLOCKS: Final = 1_000
"""Blocks whose revisions are read together, to be put in order."""


def expect_together(
    blocks: Iterable[Block],
    most: int,
    find_erased: Callable[[str, int, int], Collection[Erasure]],
) -> Iterator[StoredRevision]:
    """
    Expect the revisions of blocks, asking for the redactions of many at once.

    Args:
        blocks: in order, of any number of strands.
        most: how many blocks are asked for together.
        find_erased: gives what was redacted in a strand, from one number to another.
    """
    for window in _windows(blocks, most):
        first, last = window[0].address, window[-1].address
        erased = find_erased(first.strand_id, first.sequence_no, last.sequence_no)
        for block in window:
            yield from expect_revisions(block, erased)


def _windows(blocks: Iterable[Block], most: int) -> Iterator[list[Block]]:
    """Cut blocks into lists of one strand each."""
    window: list[Block] = []
    for block in blocks:
        is_other = window and window[0].address.strand_id != block.address.strand_id
        if is_other or len(window) == most:
            yield window
            window = []
        window.append(block)
    if window:
        yield window


def expect_revisions(block: Block, erased: Collection[Erasure]) -> Iterator[StoredRevision]:
    """Give what the history holds of a block, by document."""
    known = [revision for revision in block.revisions if revision.metadata is not None]
    for revision in sorted(known, key=lambda revision: revision.document_id or ""):
        yield _expect(block, revision, erased)


def _expect(block: Block, revision: Revision, erased: Collection[Erasure]) -> StoredRevision:
    metadata, address, kind = revision.metadata, block.address, revision.kind
    assert metadata is not None
    key = (address.strand_id, address.sequence_no, metadata.id, metadata.version)
    if key in erased and kind in WITH_DATA:
        kind = RevisionKind.REDACTED
    return StoredRevision(
        address.strand_id,
        address.sequence_no,
        (revision.table or UNKNOWN_TABLE).table_name,
        metadata.id,
        metadata.version,
        kind,
        revision.hash,
        hash_data(revision),
        plain(revision.data) if kind in WITH_DATA else None,
        revision.masked,
    )


def read_history(
    db: Database, catalog: Catalog, strand_id: str, first: int, last: int
) -> Iterator[StoredRevision]:
    """Read histories in the order of blocks, then of documents."""
    ((highest,),) = db.execute(
        f"SELECT MAX(sequence_no) FROM {db.meta('block')} WHERE strand_id = ?", (strand_id,)
    )
    end = -1 if highest is None else min(last, highest)
    starts = [*range(max(first, 0), end + 1, _WINDOW_BLOCKS)]
    windows = [(start, min(start + _WINDOW_BLOCKS - 1, end)) for start in starts]
    if last > end:  # what is there beyond the last block, somebody else has written
        windows.append((max(first, end + 1), last))
    for start, stop in windows:
        where = "qldb_strand_id = ? AND qldb_sequence_no BETWEEN ? AND ?"
        found = [
            _stored(db, table, row)
            for table in catalog.tables.values()
            for row in db.execute(
                _select(db, table, table.history, where), (strand_id, start, stop)
            )
        ]
        yield from sorted(found, key=lambda revision: (revision.sequence_no, revision.document_id))


def read_current(db: Database, catalog: Catalog, strand_id: str) -> Iterator[StoredRevision]:
    """Read the current state, table by table."""
    for table in catalog.tables.values():
        statement = _select(db, table, table.name, "qldb_strand_id = ?")
        for row in db.stream(f"{statement} ORDER BY qldb_document_id", (strand_id,)):
            yield _stored(db, table, row)


def _select(db: Database, table: Table, name: str, where: str) -> str:
    columns = ", ".join(map(quote, table.column_names))
    return f"SELECT {columns} FROM {db.data(name)} WHERE {where}"


def _stored(db: Database, table: Table, row: Any) -> StoredRevision:
    strand_id, sequence_no, document_id, version, kind_name, digest, data_hash = row[:7]
    kind = RevisionKind(kind_name)
    # What has no document by its kind, and yet something in its columns, is to be seen.
    has_data = kind in WITH_DATA or any(cell is not None for cell in row[OWN_COLUMNS - 1 :])
    return StoredRevision(
        strand_id,
        sequence_no,
        table.source_name,
        document_id,
        version,
        kind,
        bytes(digest),
        None if data_hash is None else bytes(data_hash),
        _document(db, table, row) if has_data else None,
        _masked(db, row[_MASKED]),
    )


def _masked(db: Database, cell: Any) -> tuple[str, ...]:
    """Read which fields are masked; what somebody else has put there counts as one."""
    try:
        found = () if cell is None else db.parse(Kind.JSON, cell)
    except ValueError:
        found = None
    if isinstance(found, (list, tuple)) and all(isinstance(path, str) for path in found):
        return tuple(found)
    return ("?",)


def _document(db: Database, table: Table, row: Any) -> Any:
    """Put a document together again: what its columns say, and what they do not."""
    rest = row[OWN_COLUMNS - 1]
    whole, fields = rest_fields(None if rest is None else bytes(rest))
    if whole:
        return plain(whole[0])
    cells = zip(table.columns, row[OWN_COLUMNS:], strict=True)
    found = {
        column.field: _plain_cell(column.kind, db.parse(column.kind, cell))
        for column, cell in cells
        if cell is not None
    }
    if table.is_one_column:
        return found.get(WHOLE.field)
    return found | {name: plain(value) for name, value in fields.items()}


def _plain_cell(kind: Kind, value: Any) -> Any:
    return base64.b64encode(value).decode() if kind is Kind.BYTES else value


# --- values --------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """
    Give a decoded value as plain Python that compares equal where columns say the same.

    Numbers are Decimals, moments text, bytes base64. What no column says is Ion text behind
    the word `ion`.
    """
    maker = _PLAIN.get(type(value))
    found = MISFIT if maker is None else maker(value)
    if found is MISFIT and base_type(value) is IonType.TIMESTAMP:
        found = maybe_time_text(value)
    # In a list, since there are symbols that say nothing where they stand alone.
    return ("ion", to_text(to_slice([value]))) if found is MISFIT else found


def _float(value: float) -> Any:
    return Decimal(repr(value)) if math.isfinite(value) else MISFIT


def _struct(value: Mapping[str, Any]) -> Any:
    if None in value:
        return MISFIT
    return {name: plain(member) for name, member in value.items()}


def _same(value: Any) -> Any:
    return value


_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = {
    type(None): _same,
    bool: _same,
    str: _same,
    int: Decimal,
    Decimal: _same,
    float: _float,
    datetime: maybe_time_text,
    bytes: lambda value: base64.b64encode(value).decode(),
    list: lambda values: [plain(value) for value in values],
    dict: _struct,
}

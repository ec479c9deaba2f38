"""
A planned run into the tables: history, current state, the chain of blocks, erasures.

Everything here runs inside a transaction that somebody else began and will commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from qldb_stream.events import RedactedRevision
from qldb_stream.sinks._relational._catalog import OWN, Catalog, Table
from qldb_stream.sinks._relational._database import Database
from qldb_stream.sinks._relational._meta import KEY
from qldb_stream.sinks._relational._names import quote
from qldb_stream.sinks._relational._plan import Erasure, RunPlan, TableRows

__all__ = ["delete_revisions", "erase", "find_erased", "rebuild_current", "write_plan"]

_BLOCK: Final = (
    "strand_id",
    "sequence_no",
    "block_hash",
    "previous_block_hash",
    "transaction_id",
    "block_timestamp",
)
_THE_REVISION: Final = (
    "qldb_strand_id = ? AND qldb_sequence_no = ? AND qldb_document_id = ? AND qldb_version = ?"
)


def write_plan(db: Database, catalog: Catalog, plan: RunPlan, strand_id: str) -> list[Table]:
    """Write what was planned; give the tables in which data were erased."""
    db.insert(db.meta("block"), _BLOCK, plan.blocks)
    for table_id, rows in plan.tables.items():
        table = catalog.tables[table_id]
        db.insert(db.data(table.history), table.column_names, rows.history)
        _write_current(db, table, rows, strand_id)
    touched: dict[str, Table] = {}
    for redacted_by, redacted in plan.redacted:
        touched.update({table.id: table for table in _redact(db, catalog, redacted, redacted_by)})
    return list(touched.values())


def _write_current(db: Database, table: Table, rows: TableRows, strand_id: str) -> None:
    name = db.data(table.name)
    gone = [(v, strand_id, d) for d, v in rows.gone.items() if d not in rows.born]
    if gone:
        db.execute_many(
            f"DELETE FROM {name} WHERE qldb_version <= ? AND qldb_strand_id = ? "
            "AND qldb_document_id = ?",
            gone,
        )
    born = [row for document_id, row in rows.current.items() if document_id in rows.born]
    if born:
        db.insert(name, table.column_names, born)
    if len(born) < len(rows.current):
        known = [row for document_id, row in rows.current.items() if document_id not in rows.born]
        db.upsert(name, table.column_names, KEY, known)


# --- erasing -------------------------------------------------------------------------------


def _redact(
    db: Database, catalog: Catalog, redacted: RedactedRevision, redacted_by: int
) -> list[Table]:
    """Note a redaction, and erase the revision where it is; give the tables."""
    address = redacted.block_address
    revision = (address.strand_id, address.sequence_no, redacted.document_id, redacted.version)
    _note(db, revision, redacted_by)
    tables = catalog.find(redacted.table_id)
    return [table for table in tables if erase(db, table, revision, None)]


def _note(db: Database, revision: Erasure, redacted_by: int | None) -> None:
    db.execute(
        f"INSERT INTO {db.meta('redaction')} "
        "(strand_id, sequence_no, document_id, version, redacted_by) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (strand_id, sequence_no, document_id, version) DO NOTHING",
        (*revision, redacted_by),
    )


def erase(
    db: Database, table: Table, revision: Erasure, data_hash: bytes | None, *, notes: bool = False
) -> bool:
    """
    Erase a revision's data in both tables; its hashes stay.

    Args:
        db: inside a transaction.
        table: where it may be.
        revision: which one.
        data_hash: H(data), for a revision that was kept without.
        notes: whether it is to be remembered, for when the revision comes again.

    Returns:
        Whether there were data.
    """
    if notes:
        _note(db, revision, None)
    has_data = f"{_THE_REVISION} AND qldb_kind IN ('insert', 'update')"
    history = db.data(table.history)
    if not db.execute(f"SELECT 1 FROM {history} WHERE {has_data}", revision):
        return False
    empty = ", ".join(f"{quote(column.name)} = NULL" for column in table.columns)
    change = (
        "SET qldb_kind = 'redacted', qldb_data_hash = COALESCE(qldb_data_hash, ?), "
        f"qldb_rest = NULL{', ' if empty else ''}{empty} WHERE {has_data}"
    )
    db.allow_changes(allowed=True)
    for name in (history, db.data(table.name)):
        db.execute(f"UPDATE {name} {change}", (data_hash, *revision))
    db.allow_changes(allowed=False)
    return True


def find_erased(db: Database, strand_id: str, first: int, last: int) -> frozenset[Erasure]:
    """Find what was redacted in a range of blocks."""
    rows = db.execute(
        f"SELECT strand_id, sequence_no, document_id, version FROM {db.meta('redaction')} "
        "WHERE strand_id = ? AND sequence_no BETWEEN ? AND ?",
        (strand_id, first, last),
    )
    return frozenset(tuple(row) for row in rows)


# --- writing anew --------------------------------------------------------------------------


def delete_revisions(
    db: Database, tables: Iterable[Table], strand_id: str, numbers: Sequence[int]
) -> dict[str, set[str]]:
    """Delete what histories hold of some blocks; give the documents there and in current rows."""
    touched: dict[str, set[str]] = {}
    db.allow_changes(allowed=True)
    for table in tables:
        history, current = db.data(table.history), db.data(table.name)
        for number in numbers:
            where = "WHERE qldb_strand_id = ? AND qldb_sequence_no = ?"
            # A current row without its history is none of ours, and goes when it is rebuilt.
            found = db.execute(
                f"SELECT qldb_document_id FROM {history} {where} "
                f"UNION SELECT qldb_document_id FROM {current} {where}",
                (strand_id, number, strand_id, number),
            )
            if found:
                touched.setdefault(table.id, set()).update(row[0] for row in found)
                db.execute(f"DELETE FROM {history} {where}", (strand_id, number))
    db.allow_changes(allowed=False)
    for number in numbers:
        db.execute(
            f"DELETE FROM {db.meta('block')} WHERE strand_id = ? AND sequence_no = ?",
            (strand_id, number),
        )
    return touched


def rebuild_current(db: Database, table: Table, strand_id: str, documents: Collection[str]) -> None:
    """Let the current state of some documents follow from their history."""
    name, history = db.data(table.name), db.data(table.history)
    columns = ", ".join([*OWN, *(quote(column.name) for column in table.columns)])
    one = "qldb_strand_id = ? AND qldb_document_id = ?"
    for document_id in documents:
        key = (strand_id, document_id)
        db.execute(f"DELETE FROM {name} WHERE {one}", key)
        db.execute(
            f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {history} WHERE {one} "
            "AND qldb_kind NOT IN ('delete', 'withheld') AND qldb_version = "
            f"(SELECT MAX(qldb_version) FROM {history} WHERE {one})",
            (*key, *key),
        )

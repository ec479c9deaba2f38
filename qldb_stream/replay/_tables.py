"""
Tables and indexes of the destination: the catalog's side of a replay.

Rules (design, "Replaying into a ledger"): CREATE TABLE binds to an existing empty
table of exactly that name. Index ids are never journaled, so DROP INDEX is applied
when the table has one index and is reported otherwise; an index that is there already
(kept, or the bound table's own) is taken for the one to create. UNDROP TABLE needs the
source's table id mapped; a table that never held a document has none, and is found
when it is the only one left.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import ReplayRefusedError
from qldb_stream.events import BlockAddress
from qldb_stream.partiql.ast import CreateIndex, CreateTable, DropIndex, DropTable, UndropTable
from qldb_stream.replay._catalog import (
    dropped_tables,
    indexed_fields,
    maybe_table,
    table_indexes,
)
from qldb_stream.replay._ddl import OWN_TABLES, quote, refusal
from qldb_stream.replay._operations import TableChange
from qldb_stream.replay._protocols import Destination, Transaction
from qldb_stream.replay._records import IDS_TABLE
from qldb_stream.replay._state import POSITION_TABLE, StrandState

_POSITIONS: Final = f"SELECT p.sequence_no FROM {POSITION_TABLE} AS p"  # noqa: S608 - a constant
_OWN_INDEXES: Final = ((POSITION_TABLE, "strand_id"), (IDS_TABLE, "source_id"))


def make_own_tables(txn: Transaction) -> None:
    """
    Make the two tables of a replay and their indexes where they are missing.

    The transaction is that of the first block: when the block is refused, none is left.
    """
    for table, field in _OWN_INDEXES:
        found = maybe_table(txn, table)
        if found is None:
            _create_table(txn, table)
        if found is None or field not in indexed_fields(found):
            txn.execute_statement(f"CREATE INDEX ON {quote(table)} ({quote(field)})")


def has_own_tables(txn: Transaction) -> bool:
    """Say whether a replay was ever begun in this destination."""
    return maybe_table(txn, POSITION_TABLE) is not None


def was_replayed(ledger: Destination) -> bool:
    """Say whether any block of a journal was ever replayed into a ledger."""
    return ledger.driver().execute_lambda(_has_position)


def _has_position(txn: Transaction) -> bool:
    return has_own_tables(txn) and any(txn.execute_statement(_POSITIONS))


def change_table(txn: Transaction, state: StrandState, change: TableChange) -> StrandState | str:
    """
    Repeat one DDL statement.

    Returns:
        The state after it; or, for a DROP INDEX that could not be mapped, the name of the
        table whose index was kept.

    Raises:
        ReplayRefusedError: the table to make exists with documents, or an UNDROP cannot
            be mapped.
    """
    match change:
        case CreateTable(name=name):
            bind_table(txn, state, name, may_create=True)
        case DropTable(name=name):
            _drop_table(txn, state, name)
        case CreateIndex(table=table, field=field):
            _create_index(txn, state, table, field)
        case DropIndex(table=table):
            return state if _drop_only_index(txn, table) else table
        case UndropTable(table_id=table_id):
            return _undrop_table(txn, state, table_id)
    return state


def bind_table(txn: Transaction, state: StrandState, name: str, *, may_create: bool) -> str:
    """
    Find or make the destination's empty table of a name.

    Returns:
        The destination's table id.

    Raises:
        ReplayRefusedError: it has documents already, or is missing and may not be made.
    """
    found = maybe_table(txn, name)
    if found is None:
        if not may_create:
            raise _refusal(state, f"the destination has no table {name}")
        return _create_table(txn, name)
    rows = txn.execute_statement(f"SELECT COUNT(*) AS documents FROM {quote(name)}")  # noqa: S608 - quoted
    if any(int(row["documents"]) for row in rows):
        problem = f"the destination has a table {name} with documents that are not this journal's"
        raise _refusal(state, problem)
    return str(found["tableId"])


def _create_table(txn: Transaction, name: str) -> str:
    (row,) = txn.execute_statement(f"CREATE TABLE {quote(name)}")
    return str(row["tableId"])


def _drop_table(txn: Transaction, state: StrandState, name: str) -> None:
    # A journal that starts later may drop a table that it never wrote to: nothing was made of it.
    if state.complete or maybe_table(txn, name) is not None:
        txn.execute_statement(f"DROP TABLE {quote(name)}")


def _create_index(txn: Transaction, state: StrandState, table: str, field: str) -> None:
    found = maybe_table(txn, table)
    if found is None and not state.complete:
        _create_table(txn, table)
    if found is None or field not in indexed_fields(found):
        txn.execute_statement(f"CREATE INDEX ON {quote(table)} ({quote(field)})")


def _drop_only_index(txn: Transaction, table: str) -> bool:
    found = maybe_table(txn, table)
    indexes = [] if found is None else list(table_indexes(found))
    if len(indexes) != 1:
        return False
    index_id = quote(str(indexes[0]["indexId"]))
    txn.execute_statement(f"DROP INDEX {index_id} ON {quote(table)} WITH (purge = true)")
    return True


def _undrop_table(txn: Transaction, state: StrandState, source_id: str) -> StrandState:
    destination_id = state.tables.get(source_id) or _only_unmapped(txn, state, source_id)
    txn.execute_statement(f"UNDROP TABLE {quote(destination_id)}")
    return state.with_table(source_id, destination_id)


def _only_unmapped(txn: Transaction, state: StrandState, source_id: str) -> str:
    """Find a dropped table that never held a document: the only one with no source id."""
    mapped = set(state.tables.values())
    left = [
        str(row["tableId"])
        for row in dropped_tables(txn)
        if str(row["tableId"]) not in mapped and not str(row["name"]).startswith(OWN_TABLES)
    ]
    if state.complete and len(left) == 1:
        return left[0]
    problem = f"UNDROP TABLE {source_id}: nothing says which dropped table of the destination it is"
    raise _refusal(state, problem)


def _refusal(state: StrandState, problem: str) -> ReplayRefusedError:
    position = state.position
    return refusal(BlockAddress(position.strand_id, position.sequence_no), problem)

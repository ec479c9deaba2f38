"""What the destination shows as current, beside what its journal last said."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, Final

from qldb_stream.ion import ion_hash
from qldb_stream.reconcile._differences import Difference
from qldb_stream.reconcile._notes import Newest, Notes
from qldb_stream.replay import OWN_TABLES, Driver, Transaction

_READ_TABLES: Final = (
    "SELECT VALUE t FROM information_schema.user_tables AS t WHERE t.status = 'ACTIVE'"
)


def compare_current(driver: Driver, notes: Notes) -> Iterator[tuple[int, list[Difference]]]:
    """
    Compare the current documents of all tables that were replayed.

    Yields:
        For each table how many documents were compared, and what is wrong with them; last
        what is wrong with the tables.
    """
    tables = driver.execute_lambda(_read_tables)
    for table in tables:
        yield driver.execute_lambda(partial(_compare_table, table=table, notes=notes))
    yield 0, list(_iter_misplaced(notes, {str(table["tableId"]) for table in tables}))


def _iter_misplaced(notes: Notes, active: Collection[str]) -> Iterator[Difference]:
    """Compare which tables are there with what the replay dropped; empty ones apart."""
    for table_id, name, strand_id in notes.iter_tables():
        is_expected = not notes.tables.is_dropped(table_id)
        if is_expected == (table_id in active):
            continue
        what = "the table is missing, with its documents"
        if not is_expected:
            what = "the table is there, which the source has dropped"
        yield Difference(what, strand_id, table=name, destination_id=table_id)


def _read_tables(txn: Transaction) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = list(txn.execute_statement(_READ_TABLES))
    return [row for row in rows if not str(row["name"]).startswith(OWN_TABLES)]


def _compare_table(
    txn: Transaction, table: Mapping[str, Any], notes: Notes
) -> tuple[int, list[Difference]]:
    name = str(table["name"])
    compared = 0
    found: list[Difference] = []
    rows = txn.execute_statement(f'SELECT id, d FROM "{name}" AS d BY id')  # noqa: S608 - a table's name
    for row in rows:
        newest = notes.see(str(row["id"]))
        if newest is None or newest.strand_id is None:
            continue  # somebody else's, which its block in the journal tells
        compared += 1
        if newest.data_hash != ion_hash(row["d"]):
            what = "the current document is not what the journal last said"
            found.append(_difference(what, newest))
    missing = "the document is missing from its table"
    found += [_difference(missing, newest) for newest in notes.iter_unseen(str(table["tableId"]))]
    return compared, found


def _difference(what: str, newest: Newest) -> Difference:
    return Difference(
        what,
        newest.strand_id,
        newest.sequence_no,
        newest.source_id,
        newest.table,
        destination_id=newest.destination_id,
    )

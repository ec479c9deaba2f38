"""What a destination says about its tables and indexes (facts 5.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from qldb_stream.replay._protocols import Transaction

_READ_TABLE: Final = (
    "SELECT VALUE t FROM information_schema.user_tables AS t "
    "WHERE t.name = ? AND t.status = 'ACTIVE'"
)
_READ_DROPPED: Final = (
    "SELECT VALUE t FROM information_schema.user_tables AS t WHERE t.status = 'INACTIVE'"
)


def maybe_table(txn: Transaction, name: str) -> Mapping[str, Any] | None:
    """Give the catalog's row of an active table, None when there is none."""
    for row in txn.execute_statement(_READ_TABLE, name):
        found: Mapping[str, Any] = row
        return found
    return None


def dropped_tables(txn: Transaction) -> Iterable[Mapping[str, Any]]:
    """Give the catalog's rows of all dropped tables."""
    return txn.execute_statement(_READ_DROPPED)


def table_indexes(table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the indexes of a catalog row."""
    return list(table.get("indexes") or ())


def indexed_fields(table: Mapping[str, Any]) -> set[str]:
    """Give the fields that a table's indexes are on; the catalog writes `[field]`."""
    return {str(index["expr"])[1:-1] for index in table_indexes(table)}

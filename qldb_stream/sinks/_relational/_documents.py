"""
Documents as cells of a table's columns, and what the columns do not say.

Each field of a document goes to its column. What its column cannot hold whole is written, as
binary Ion, into the row's `qldb_rest`: a struct of the fields that are not, or not wholly, in
columns, explicit nulls among them; or a list of one value, the whole document, where that is
no plain struct (another type, annotated, a name repeated or of unknown text). So nothing of a
document is lost, but how a number was spelled (int, decimal or float; 5 or 5.0), how many
decimal places a second had, and the order of fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from qldb_stream.ion import dumps, loads
from qldb_stream.sinks._relational._catalog import OWN_COLUMNS, WHOLE, Column, Draft, Table
from qldb_stream.sinks._relational._cells import Cell, Cells, Makers
from qldb_stream.sinks._relational._kinds import MISFIT, Kind, kind_of

__all__ = ["Layout", "ReplanError", "rest_bytes", "rest_fields"]

_CACHED_NULLS: Final = 1024
_NOTHING: Final[Mapping[str, Any]] = {}


class ReplanError(Exception):
    """A column has become JSON: rows that were made before it do not fit; begin again."""


class Layout:
    """
    Turns documents into cells for one table of a draft, which it adds columns to.

    Attributes:
        width: how many cells a row has by now, the sink's own included.
    """

    def __init__(self, draft: Draft, table: Table, cells: Cells, *, one_column: bool) -> None:
        self._draft = draft
        self._table_id = table.id
        self._cells = cells
        self._columns: dict[str, tuple[int, Makers, Column]] = {}
        self.width = OWN_COLUMNS
        self.fill: Callable[[list[Cell], Any], bytes | None] = (
            self._fill_one if one_column else self._fill_columns
        )
        for column in table.columns:
            self._take(column)

    def _take(self, column: Column) -> None:
        self._columns[column.field] = (self.width, self._cells.exact[column.kind], column)
        self.width += 1

    def _fill_one(self, row: list[Cell], data: Any) -> bytes | None:
        """Put a document into the one column; give what its JSON does not say."""
        index, makers, _column = self._columns[WHOLE.field]
        row += [None] * (self.width - len(row))
        make = makers.get(type(data))
        cell = MISFIT if make is None else make(data)
        if cell is not MISFIT:
            row[index] = cell
            return None
        row[index] = self._cells.json(data)
        return dumps([data])

    def _fill_columns(self, row: list[Cell], data: Any) -> bytes | None:
        """
        Put a document's fields into a row's columns; give the row's `qldb_rest`.

        Raises:
            ReplanError: a column had to become JSON.
        """
        row += [None] * (self.width - len(row))
        if type(data) is dict and None not in data:
            nulls, rest = self._fill_fields(row, data)
            if rest:
                return dumps({**dict.fromkeys(nulls), **rest})
            return _nulls(nulls) if nulls else None
        if isinstance(data, dict):
            self._fill_fields(row, {name: data[name] for name in data if name is not None})
        return dumps([data])

    def _fill_fields(
        self, row: list[Cell], data: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Give the names of null fields, and the fields that do not fit."""
        columns = self._columns
        nulls: tuple[str, ...] = ()
        rest: dict[str, Any] = {}
        for field, value in data.items():
            if value is None:
                nulls += (field,)
                continue
            found = columns.get(field)
            if found is not None:
                make = found[1].get(type(value))
                if make is not None:
                    cell = make(value)
                    if cell is not MISFIT:
                        row[found[0]] = cell
                        continue
            if not self._fill_odd(row, field, value):
                rest[field] = value
        return nulls, rest

    def _fill_odd(self, row: list[Cell], field: str, value: Any) -> bool:
        """Fill a cell for a value that its column, if there is any, does not take at once."""
        kind = kind_of(value)
        if kind is None:
            return False
        if field not in self._columns and not self._add(row, field, kind):
            return False
        index, makers, column = self._columns[field]
        if column.kind is not kind and column.kind is not Kind.JSON:
            self._draft.widen(self._table_id, column)
            raise ReplanError
        make = makers.get(type(value))
        cell = MISFIT if make is None else make(value)
        is_exact = cell is not MISFIT
        row[index] = cell if is_exact else self._cells.nearest(column.kind, value)
        return is_exact

    def _add(self, row: list[Cell], field: str, kind: Kind) -> bool:
        column = self._draft.add_column(self._table_id, field, kind)
        if column is None:
            return False
        self._take(column)
        row.append(None)
        return True


@lru_cache(maxsize=_CACHED_NULLS)
def _nulls(names: tuple[str, ...]) -> bytes:
    """Write the rest of a document that has nulls and nothing else beside its columns."""
    return dumps(dict.fromkeys(names))


def rest_bytes(rest: bytes | None, field: str, value: Any) -> bytes:
    """Add a field to what columns do not say, unless it is said already."""
    whole, fields = rest_fields(rest)
    if rest is not None and (whole or field in fields):
        return rest
    return dumps({**fields, field: value})


def rest_fields(rest: bytes | None) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Read a row's `qldb_rest`: a list of the whole document or of nothing, and fields."""
    if rest is None:
        return (), _NOTHING
    found = loads(rest)
    return (found, _NOTHING) if isinstance(found, list) else ((), found)

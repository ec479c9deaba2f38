"""
The columns of a table: the same proof columns everywhere, and one for each field of documents.

A field's column has its name. Where that is taken, by a proof column or by a field that
differs in capitals only (DuckDB and Spark tell no such columns apart), a number is put
behind it; the manifest keeps which is which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.ion import IonSlice, IonType, iter_fields
from qldb_stream.sinks.parquet._types import ColumnType, join, type_of, value_for

__all__ = ["MAX_COLUMNS", "PROOF_COLUMNS", "Column", "Columns"]

PROOF_COLUMNS: Final = (
    "strand_id",
    "sequence_no",
    "document_id",
    "version",
    "kind",
    "hash",
    "data_hash",
    "tx_id",
    "tx_time",
    "masked",
    "table_id",
    "data",
)
"""What each row has beside its document's fields."""

MAX_COLUMNS: Final = 1000
"""More fields have no columns; they are in `data`, where all are."""


@attrs.frozen
class Column:
    """A field of documents, its column's name and type."""

    field: str
    name: str
    type: ColumnType


class Columns:
    """The columns of one table for its documents' fields, in the order in which they came."""

    def __init__(self, columns: Mapping[str, Column] | None = None) -> None:
        self._by_field = dict(columns or {})
        # `table` is the partition's name, which readers of a folder make a column of.
        self._taken = {"table", *PROOF_COLUMNS, *(c.name.casefold() for c in self)}

    def __iter__(self) -> Iterator[Column]:
        return iter(self._by_field.values())

    def copy(self) -> Columns:
        """Give columns that can be widened apart from these."""
        return Columns(self._by_field)

    def widen(self, document: IonSlice) -> None:
        """Let the columns hold a document too; fields that only have nulls have none yet."""
        for field, value in _fields(document).items():
            known = self._by_field.get(field)
            found = join(None if known is None else known.type, type_of(value))
            if found is None or (known is not None and found == known.type):
                continue
            if known is not None:
                self._by_field[field] = attrs.evolve(known, type=found)
            elif len(self._by_field) < MAX_COLUMNS:
                self._by_field[field] = Column(field, self._name(field), found)

    def values(self, document: IonSlice | None) -> dict[str, Any]:
        """Give a document's values by column name; nulls and what has no column are left out."""
        if document is None:
            return {}
        found: dict[str, Any] = {}
        for field, value in _fields(document).items():
            column = self._by_field.get(field)
            if column is not None and not value.is_null:
                found[column.name] = value_for(value, column.type)
        return found

    def storages(self) -> dict[str, str]:
        """Give the Parquet type of each column by its name."""
        return {column.name: column.type.storage for column in self}

    def as_json(self) -> list[dict[str, Any]]:
        """Give what a manifest keeps of them."""
        return [{"field": c.field, "name": c.name, "type": c.type.as_json()} for c in self]

    @classmethod
    def from_json(cls, entries: Any) -> Columns:
        """Read what `as_json` gave; `KeyError`, `TypeError` or `ValueError` for anything else."""
        columns = [Column(e["field"], e["name"], ColumnType.from_json(e["type"])) for e in entries]
        return cls({column.field: column for column in columns})

    def _name(self, field: str) -> str:
        base = field or "field"
        name, number = base, 2
        while name.casefold() in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name.casefold())
        return name


def _fields(document: IonSlice) -> dict[str, IonSlice]:
    """Give a document's fields by name, the first of each; none where it is no struct."""
    if document.is_null or document.ion_type is not IonType.STRUCT:
        return {}
    found: dict[str, IonSlice] = {}
    try:
        for name, value in iter_fields(document):
            if name is not None:
                found.setdefault(name, value)
    except DecodeError:  # what is broken was refused before; see `_rows`
        raise AssertionError("a document that could be decoded") from None
    return found

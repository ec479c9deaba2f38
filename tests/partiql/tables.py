"""Tables in memory: the Sources protocol in its plainest form, and ways to execute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qldb_stream import ion
from qldb_stream.partiql import (
    Change,
    Context,
    InsertPlan,
    Lookup,
    ModifyPlan,
    SelectPlan,
    TableKind,
    TableRef,
    compile_statement,
    no_such_variable,
    parse_statement,
)

Rows = list[tuple[str | None, Any]]


class Tables:
    """Documents by table name; remembers what it was asked for."""

    def __init__(self, tables: Mapping[str, Rows]) -> None:
        self.tables = tables
        self.asked: list[tuple[TableKind, str, tuple[Lookup, ...], tuple[Any, ...]]] = []

    def iter_rows(
        self, table: TableRef, lookups: tuple[Lookup, ...], bounds: tuple[Any, ...]
    ) -> Iterable[tuple[str | None, Any]]:
        """Give every row, whatever the look-ups say; committed rows are made up."""
        self.asked.append((table.kind, table.name, lookups, bounds))
        if table.name not in self.tables:
            raise no_such_variable(table)
        rows = self.tables[table.name]
        if table.kind in (TableKind.USER, TableKind.SYSTEM):
            return rows
        return [
            (document_id, {"data": value, "metadata": {"id": document_id, "version": 0}})
            for document_id, value in rows
        ]


def sliced(*values: Any) -> Rows:
    """Number values as documents d1, d2, ... still in their bytes."""
    return [(f"d{place}", ion.to_slice(value)) for place, value in enumerate(values, start=1)]


def decode(value: Any) -> Any:
    """Decode every slice inside a value made of dicts and lists."""
    if isinstance(value, ion.IonSlice):
        return value.decode()
    if type(value) is dict:
        return {name: decode(member) for name, member in value.items()}
    if type(value) is list:
        return [decode(item) for item in value]
    return value


def rows(
    text: str, *parameters: Any, tables: Tables | None = None, extensions: bool = False
) -> list[Any]:
    """Execute a query; its rows, decoded."""
    plan = compile_statement(parse_statement(text, extensions=extensions))
    assert isinstance(plan, SelectPlan)
    context = Context(tables or Tables({}), parameters, "tx", "now")
    return [decode(row) for row in plan.iter_rows(context)]


def value_of(expression: str, *parameters: Any) -> Any:
    """Evaluate one expression by itself."""
    text = f"SELECT VALUE [{expression}] FROM << 0 >>"
    (row,) = rows(text, *parameters)
    return row[0]


def changes(text: str, tables: Tables, *parameters: Any) -> list[Change]:
    """Execute a statement that changes documents."""
    plan = compile_statement(parse_statement(text))
    assert isinstance(plan, ModifyPlan)
    return plan.changes(Context(tables, parameters))


def after(text: str, document: Any, *parameters: Any) -> Any:
    """Execute a statement on a table T of one document; what it becomes, decoded."""
    (change,) = changes(text, Tables({"T": sliced(document)}), *parameters)
    return decode(change.after)


def documents(text: str, *parameters: Any) -> list[Any]:
    """Execute an INSERT; the documents as they are handed to the ledger."""
    plan = compile_statement(parse_statement(text))
    assert isinstance(plan, InsertPlan)
    return plan.documents(Context(Tables({}), parameters))

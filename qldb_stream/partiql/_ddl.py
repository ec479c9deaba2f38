"""DDL among the statements of a journal, which may hold texts that this PartiQL does not know."""

from __future__ import annotations

from typing import Final, TypeAlias

from qldb_stream.errors import LedgerError
from qldb_stream.partiql._parse import parse_statement
from qldb_stream.partiql.ast import CreateIndex, CreateTable, DropIndex, DropTable, UndropTable
from qldb_stream.statements import first_keyword

__all__ = ["Ddl", "is_ddl", "maybe_ddl", "table_of_ddl"]

Ddl: TypeAlias = CreateTable | DropTable | UndropTable | CreateIndex | DropIndex
"""A DDL statement, as it was parsed."""

_WORDS: Final = frozenset({"CREATE", "DROP", "UNDROP"})


def is_ddl(text: str) -> bool:
    """Say whether a statement is DDL, by its first word alone."""
    return first_keyword(text) in _WORDS


def maybe_ddl(text: str) -> Ddl | None:
    """Parse a statement that is DDL; None for any other, and for DDL that cannot be read."""
    if not is_ddl(text):
        return None
    try:
        found = parse_statement(text).statement
    except LedgerError:
        return None
    assert isinstance(found, Ddl), "CREATE, DROP and UNDROP begin nothing else"
    return found


def table_of_ddl(change: Ddl) -> str | None:
    """Name the table that a DDL statement is about; None for UNDROP, which has its id."""
    match change:
        case CreateTable(name=name) | DropTable(name=name):
            return name
        case CreateIndex(table=table) | DropIndex(table=table):
            return table
        case _:
            return None

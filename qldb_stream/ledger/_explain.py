"""
How a statement would reach its documents, said without running it.

It mirrors what `_view` does with a plan's look-ups: the document id wins, then the first
indexed field, else the table is scanned (facts 5.7). That both agree is a test.
"""

from __future__ import annotations

import enum

import attrs

from qldb_stream.ledger._catalog import Catalog
from qldb_stream.ledger._prepared import prepare
from qldb_stream.partiql import LookupUse, SourceAccess, TableKind, TableRef, no_such_variable

__all__ = ["Access", "Explanation", "SourceExplanation", "explain_statement"]


class Access(enum.Enum):
    """The ways to the rows of a source, from the cheapest to the dearest."""

    COLLECTION = "COLLECTION"  # of a value: no document is read
    CATALOG = "CATALOG"  # information_schema.user_tables
    DOCUMENT_ID = "DOCUMENT_ID"
    INDEX = "INDEX"
    HISTORY = "HISTORY"  # of one document when a condition names its id, else of all
    SCAN = "SCAN"


@attrs.frozen
class SourceExplanation:
    """
    How one item of a FROM clause is reached.

    Attributes:
        name: its alias, or the name that stands for one.
        table: the table's name; None for what is no table.
        access: the way to its rows.
        field: the indexed field of access INDEX, else None.
        conditions: what the way uses, such as `vin =` or `id IN`.
        filters: how many conditions are checked on each row, those of the way among them.
        depth: 0 in the statement itself, 1 in a sub-query, and so on.
    """

    name: str
    table: str | None
    access: Access
    field: str | None
    conditions: tuple[str, ...]
    filters: int
    depth: int

    def __str__(self) -> str:
        way = self.access.value + ("" if self.field is None else f"({self.field})")
        target = f"{self.table} AS {self.name}" if self.table is not None else self.name
        uses = "".join(f", {condition} ..." for condition in self.conditions)
        return f"{'  ' * self.depth}{way} {target}{uses}; conditions: {self.filters}"


@attrs.frozen
class Explanation:
    """
    What a statement is, and how it reaches its sources.

    Attributes:
        statement: its kind, as `Select` or `CreateTable`.
        sources: in nesting order, the outermost loop first, a sub-query's behind its query's;
            none for statements that define tables or call a procedure.
    """

    statement: str
    sources: tuple[SourceExplanation, ...]

    def __str__(self) -> str:
        return "\n".join([self.statement, *(f"  {source}" for source in self.sources)])


def explain_statement(text: str, catalog: Catalog, *, extensions: bool = False) -> Explanation:
    """
    Say how a statement would reach its documents.

    Args:
        text: the statement; nothing of it is run, and its parameters are not needed.
        catalog: the tables and indexes that there are.
        extensions: whether what QLDB did not have is allowed.

    Raises:
        PartiqlParseError: the text is not PartiQL.
        PartiqlSemanticError: it names a table that is not there, or what cannot be.
        UnsupportedPartiqlError: QLDB did not have it, or this ledger does not yet.
    """
    prepared = prepare(text, extensions=extensions)
    sources = () if prepared.plan is None else prepared.plan.sources
    return Explanation(
        type(prepared.parsed.statement).__name__,
        tuple(_explain_source(source, catalog) for source in sources),
    )


def _explain_source(source: SourceAccess, catalog: Catalog) -> SourceExplanation:
    table = source.table
    if table is None:
        return _explained(source, None, Access.COLLECTION)
    if table.kind is TableKind.SYSTEM:
        if table.name != "user_tables":
            raise no_such_variable(table)
        return _explained(source, "information_schema.user_tables", Access.CATALOG)
    return _explain_table(source, table, catalog)


def _explain_table(source: SourceAccess, ref: TableRef, catalog: Catalog) -> SourceExplanation:
    table = catalog.find(ref)
    is_history = ref.kind is TableKind.HISTORY
    for lookup in source.lookups:
        if lookup.field is None:
            way = Access.HISTORY if is_history else Access.DOCUMENT_ID
            return _explained(source, table.name, way, lookup)
    if is_history:
        return _explained(source, table.name, Access.HISTORY)
    for lookup in source.lookups:
        if lookup.field is not None and table.maybe_index(lookup.field) is not None:
            return _explained(source, table.name, Access.INDEX, lookup)
    return _explained(source, table.name, Access.SCAN)


def _explained(
    source: SourceAccess, table: str | None, access: Access, used: LookupUse | None = None
) -> SourceExplanation:
    conditions = () if used is None else (f"{used.field or 'id'} {used.operator}",)
    field = None if used is None else used.field
    name, filters, depth = source.name, source.filters, source.depth
    return SourceExplanation(name, table, access, field, conditions, filters, depth)

"""
CREATE and DROP of tables and indexes (facts 5.1).

Each changes the transaction's own catalog; the journal gets it with the commit. Dropping a
table only makes it inactive. An index is built when its transaction commits, so it is
ONLINE as soon as anybody else sees it; the transaction that made it scans meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from qldb_stream.errors import StatementError
from qldb_stream.ledger._catalog import Index, Table
from qldb_stream.ledger._limits import Limits
from qldb_stream.ledger._view import View
from qldb_stream.partiql import ParsedStatement, TableKind, TableRef, ast, locate

__all__ = ["Numbers", "change_catalog", "check_tags"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED_PREFIX: Final = "_ql_"
_MAX_FIELD_CHARACTERS: Final = 128
# AWS's rules for tags of any resource.
_MAX_TAGS: Final = 50
_MAX_TAG_KEY: Final = 128
_MAX_TAG_VALUE: Final = 256

_Definition = ast.CreateTable | ast.DropTable | ast.UndropTable | ast.CreateIndex | ast.DropIndex


@attrs.frozen(eq=False)
class Numbers:
    """Where new tables and indexes get their ids and numbers, each given once."""

    new_id: Callable[[], str]
    table_no: Callable[[], int]
    index_no: Callable[[], int]


def check_tags(arguments: list[Any]) -> None:
    """
    Check the `aws_tags` of a CREATE TABLE; nothing when it has none.

    There is no AWS account to tag a table in, so tags are not kept: they are where the
    statement is, in the journal.

    Raises:
        StatementError: no struct of text, or more or longer tags than AWS allows.
    """
    for tags in arguments:
        members = list(tags.items()) if isinstance(tags, Mapping) else None
        if members is None or not all(map(_is_tag, members)) or len(members) > _MAX_TAGS:
            raise StatementError(
                f"aws_tags must be a struct of up to {_MAX_TAGS} texts: keys of 1 to "
                f"{_MAX_TAG_KEY} characters, values of 0 to {_MAX_TAG_VALUE}"
            )


def _is_tag(member: tuple[Any, Any]) -> bool:
    key, value = member[0], getattr(member[1], "text", member[1])  # facts 5.1 write symbols
    is_text = isinstance(key, str) and isinstance(value, str)
    return is_text and 1 <= len(key) <= _MAX_TAG_KEY and len(value) <= _MAX_TAG_VALUE


def change_catalog(
    view: View, parsed: ParsedStatement, numbers: Numbers, limits: Limits | None
) -> str:
    """
    Carry out a DDL statement on a transaction's view.

    Returns:
        The id of the table, 22 characters.

    Raises:
        PartiqlSemanticError: no such table.
        StatementError: a name that cannot be or is taken, no such index, a limit.
    """
    table = _define(view, parsed, numbers)
    if limits is not None:
        limits.check_tables(view.catalog.with_tables((table,)))
        # Counting tables reads all of them: one that is made meanwhile may be one too many.
        if isinstance(parsed.statement, ast.CreateTable | ast.UndropTable):
            view.reads.catalog = True
    view.put_table(table)
    return table.id


def _define(view: View, parsed: ParsedStatement, numbers: Numbers) -> Table:
    match parsed.statement:
        case ast.CreateTable(name=name):
            _check_name(view, name)
            return Table(numbers.table_no(), numbers.new_id(), name)
        case ast.DropTable(name=name, pos=pos):
            table = view.table(_ref(parsed, name, pos))
            return attrs.evolve(table, active=False)
        case ast.UndropTable(table_id=table_id, pos=pos):
            return _undrop(view, view.table(_ref(parsed, table_id, pos, is_id=True)))
        case ast.CreateIndex(table=name, field=field, pos=pos):
            table = view.table(_ref(parsed, name, pos))
            return _with_index(table, Index(numbers.index_no(), numbers.new_id(), field))
        case ast.DropIndex(index_id=index_id, table=name, pos=pos):
            return _without_index(view.table(_ref(parsed, name, pos)), index_id)
        case other:
            raise AssertionError(f"{type(other).__name__} does not change the catalog")


def _ref(parsed: ParsedStatement, name: str, pos: int, *, is_id: bool = False) -> TableRef:
    return TableRef(TableKind.USER, name, is_id, *locate(parsed.text, pos))


def _check_name(view: View, name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED_PREFIX):
        raise StatementError(
            "a table's name has 1 to 128 letters, digits and underscores, begins with no digit "
            f"and not with {_RESERVED_PREFIX}: {name}"
        )
    view.reads.names.add(name)
    if name in view.catalog.by_name:
        raise StatementError(f"Table with name: USER.{name} already exists")


def _undrop(view: View, table: Table) -> Table:
    if table.active:
        raise StatementError(f"Table with id: {table.id} is active")
    view.reads.names.add(table.name)
    if table.name in view.catalog.by_name:
        raise StatementError(f"Table with name: USER.{table.name} already exists")
    return attrs.evolve(table, active=True)


def _with_index(table: Table, index: Index) -> Table:
    if not 0 < len(index.field) <= _MAX_FIELD_CHARACTERS:
        raise StatementError(f"an indexed field's name has 1 to {_MAX_FIELD_CHARACTERS} characters")
    if table.maybe_index(index.field) is not None:
        raise StatementError(f"Index on USER.{table.name} ({index.field}) already exists")
    return attrs.evolve(table, indexes=(*table.indexes, index))


def _without_index(table: Table, index_id: str) -> Table:
    kept = tuple(index for index in table.indexes if index.id != index_id)
    if len(kept) == len(table.indexes):
        raise StatementError(f"No such index on USER.{table.name}: {index_id}")
    return attrs.evolve(table, indexes=kept)

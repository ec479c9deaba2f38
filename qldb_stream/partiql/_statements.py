"""Whole statements: what a text may be, from its first word to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from qldb_stream.partiql import _calls as _calls  # noqa: PLC0414 - registers its rows in PREFIX
from qldb_stream.partiql._clauses import refuse_clauses
from qldb_stream.partiql._cursor import Cursor
from qldb_stream.partiql._expressions import (
    PREFIX,
    parse_expression,
    parse_operand_path,
)
from qldb_stream.partiql._lexer import END, IDENT, QUOTED
from qldb_stream.partiql._queries import (
    parse_select,
    parse_source,
    parse_sources,
    parse_where,
)
from qldb_stream.partiql.ast import (
    Assignment,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    Expr,
    Identifier,
    Insert,
    InsertInto,
    Modify,
    Operation,
    Path,
    Remove,
    SetFields,
    Source,
    Statement,
    UndropTable,
)

# Statements of SQL that QLDB never had: named, not called a syntax error.
_REFUSED: Final = frozenset(
    {
        *("ALTER", "BEGIN", "COMMIT", "DECLARE", "EXECUTE", "FETCH"),
        *("GRANT", "REVOKE", "ROLLBACK", "SET", "VALUES", "WITH"),
    }
)
_REFUSED_WORDS: Final = frozenset({"merge", "replace", "upsert", "truncate", "explain"})


def parse_whole(text: str, *, extensions: bool) -> tuple[Statement, int, int]:
    """Read one statement; also how many parameters and tokens it has."""
    cursor = Cursor(text, extensions=extensions)
    reader = _STATEMENTS.get(cursor.kind)
    if reader is None:
        _refuse_statement(cursor)
    statement = reader(cursor)
    cursor.take(";")
    if cursor.kind != END:
        refuse_clauses(cursor)
        cursor.fail("unexpected token found", cursor.alias_hint())
    return statement, cursor.parameter_count, len(cursor.kinds)


def _refuse_statement(cursor: Cursor) -> NoReturn:
    """Raise for a text that is no statement: unsupported, or not even an expression."""
    pos = cursor.pos
    if cursor.kind in _REFUSED:
        cursor.refuse(cursor.kind)
    if cursor.kind == IDENT and cursor.peek() in (IDENT, "INTO", "TABLE"):
        word = cursor.values[0].lower()
        if word in _REFUSED_WORDS:
            cursor.refuse(word.upper())
    if cursor.kind not in PREFIX:
        cursor.fail("expected statement")
    parse_expression(cursor)
    if cursor.kind not in (END, ";"):
        cursor.fail("unexpected token found")
    cursor.refuse("an expression as a statement", pos)


# --- documents -----------------------------------------------------------------------------


def _parse_insert(cursor: Cursor) -> Statement:
    """Read `INSERT INTO table VALUE doc`, `<< docs >>` or `?` (facts 5.1)."""
    pos = cursor.pos
    cursor.advance()
    cursor.expect("INTO")
    table_pos, quoted = cursor.pos, cursor.kind == QUOTED
    table = Identifier(cursor.name("table"), quoted, pos=table_pos)
    if cursor.kind == ".":
        cursor.refuse("INSERT INTO a path without FROM")
    if cursor.kind == "VALUES":
        cursor.refuse("INSERT ... VALUES")
    single = cursor.take("VALUE")
    start = cursor.pos
    documents = parse_expression(cursor)
    if cursor.kind in ("VALUE", "VALUES"):
        cursor.refuse("INSERT with a column list", start)
    if cursor.kind == "AT":
        cursor.refuse("INSERT INTO a table ... AT")
    _refuse_after_insert(cursor)
    return Insert(table, documents, single, pos)


def _refuse_after_insert(cursor: Cursor) -> None:
    if cursor.kind == "ON":
        cursor.refuse("ON CONFLICT")
    if cursor.is_word("returning"):
        cursor.refuse("RETURNING")


def _parse_update(cursor: Cursor) -> Statement:
    """Read `UPDATE table [AS a] [BY id] op [WHERE cond]`."""
    pos = cursor.pos
    cursor.advance()
    source = _parse_table_source(cursor)
    operation = _parse_operation(cursor)
    where = parse_where(cursor)
    _refuse_after_insert(cursor)
    return Modify((source,), operation, where, pos=pos)


def _parse_from(cursor: Cursor) -> Statement:
    """Read `FROM sources [WHERE cond] op`."""
    pos = cursor.pos
    cursor.advance()
    sources = parse_sources(cursor)
    where = parse_where(cursor)
    if cursor.kind == "SELECT":
        cursor.refuse("FROM ... SELECT")
    return Modify(sources, _parse_operation(cursor), where, from_form=True, pos=pos)


def _parse_delete(cursor: Cursor) -> Statement:
    """Read `DELETE FROM table [AS a] [BY id] [WHERE cond]`."""
    pos = cursor.pos
    cursor.advance()
    cursor.expect("FROM")
    source = _parse_table_source(cursor)
    where = parse_where(cursor)
    _refuse_after_insert(cursor)
    return Delete(source, where, pos)


def _parse_table_source(cursor: Cursor) -> Source:
    """Read the one table that UPDATE and DELETE name."""
    if cursor.kind not in (IDENT, QUOTED):
        cursor.fail("expected identifier for table", cursor.reserved_hint())
    return parse_source(cursor)


def _parse_operation(cursor: Cursor) -> Operation:  # noqa: RET503 - cursor.fail never returns
    """Read SET, INSERT INTO or REMOVE."""
    pos = cursor.pos
    if cursor.take("SET"):
        assignments = [_parse_assignment(cursor)]
        while cursor.take(","):
            assignments.append(_parse_assignment(cursor))
        return SetFields(tuple(assignments), pos)
    if cursor.take("REMOVE"):
        return Remove(_parse_target(cursor), pos)
    if cursor.take("INSERT"):
        cursor.expect("INTO")
        target = _parse_target(cursor)
        cursor.expect("VALUE")
        value = parse_expression(cursor)
        key = parse_expression(cursor) if cursor.take("AT") else None
        return InsertInto(target, value, key, pos)
    if cursor.kind == "DELETE":
        cursor.refuse("FROM ... DELETE")
    cursor.fail("expected keyword set, insert or remove", cursor.alias_hint())


def _parse_assignment(cursor: Cursor) -> Assignment:
    pos = cursor.pos
    target = _parse_target(cursor)
    cursor.expect("=")
    return Assignment(target, parse_expression(cursor), pos)


def _parse_target(cursor: Cursor) -> Expr:
    """Read a name or a path whose root is a name."""
    pos = cursor.pos
    target = parse_operand_path(cursor)
    root = target.root if isinstance(target, Path) else target
    if not isinstance(root, Identifier):
        cursor.fail("expected a path that starts with a name", pos=pos)
    return target


# --- tables and indexes --------------------------------------------------------------------


def _parse_create(cursor: Cursor) -> Statement:
    """Read CREATE TABLE or CREATE INDEX."""
    pos = cursor.pos
    cursor.advance()
    if cursor.take("TABLE"):
        name = cursor.name("table")
        return CreateTable(name, _parse_tags(cursor), pos)
    if cursor.kind in ("UNIQUE", "VIEW", "SCHEMA"):
        cursor.refuse(f"CREATE {cursor.kind}")
    if not cursor.take("INDEX"):
        cursor.fail("expected keyword table or index")
    if cursor.kind in (IDENT, QUOTED):
        cursor.refuse("CREATE INDEX with a name")
    cursor.expect("ON")
    table = cursor.name("table")
    cursor.expect("(")
    field = cursor.name("indexed field")
    if cursor.kind == ",":
        cursor.refuse("index on several fields")
    if cursor.kind in (".", "["):
        cursor.refuse("index on a nested field")
    cursor.expect(")")
    return CreateIndex(table, field, pos)


def _parse_tags(cursor: Cursor) -> Expr | None:
    """Read `WITH (aws_tags = expr)` if it stands here."""
    if not cursor.take("WITH"):
        return None
    cursor.expect("(")
    if not cursor.is_word("aws_tags"):
        cursor.fail("expected aws_tags")
    cursor.advance()
    cursor.expect("=")
    tags = parse_expression(cursor)
    cursor.expect(")")
    return tags


def _parse_drop(cursor: Cursor) -> Statement:
    """Read DROP TABLE, or DROP INDEX with its mandatory purge (facts 5.1)."""
    pos = cursor.pos
    cursor.advance()
    if cursor.take("TABLE"):
        return DropTable(cursor.name("table"), pos)
    if not cursor.take("INDEX"):
        cursor.fail("expected keyword table or index")
    index_id = cursor.name("index")
    cursor.expect("ON")
    table = cursor.name("table")
    cursor.expect("WITH")
    cursor.expect("(")
    if cursor.kind != IDENT or cursor.values[cursor.place] != "purge":
        cursor.fail("expected purge", "`purge` is written in lower case")
    cursor.advance()
    cursor.expect("=")
    cursor.expect("TRUE")
    cursor.expect(")")
    return DropIndex(index_id, table, pos)


def _parse_undrop(cursor: Cursor) -> Statement:
    """Read `UNDROP TABLE "tableId"`."""
    pos = cursor.pos
    cursor.advance()
    cursor.expect("TABLE")
    return UndropTable(cursor.name("table id"), pos)


def _parse_exec(cursor: Cursor) -> Statement:
    """Read `EXEC procedure a, b, c`; the name is not case-sensitive."""
    pos = cursor.pos
    cursor.advance()
    procedure = cursor.name("stored procedure").lower()
    arguments = () if cursor.kind in (END, ";") else _parse_arguments(cursor)
    return Exec(procedure, arguments, pos)


def _parse_arguments(cursor: Cursor) -> tuple[Expr, ...]:
    """Read expressions between commas."""
    arguments = [parse_expression(cursor)]
    while cursor.take(","):
        arguments.append(parse_expression(cursor))
    return tuple(arguments)


_STATEMENTS: Final[dict[str, Callable[[Cursor], Statement]]] = {
    "SELECT": parse_select,
    "INSERT": _parse_insert,
    "UPDATE": _parse_update,
    "FROM": _parse_from,
    "DELETE": _parse_delete,
    "CREATE": _parse_create,
    "DROP": _parse_drop,
    "UNDROP": _parse_undrop,
    "EXEC": _parse_exec,
}

"""A tree back to text, for round trips: every compound operand in parentheses."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from qldb_stream.partiql import MISSING
from qldb_stream.partiql.ast import (
    Aggregate,
    BagExpr,
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Clauses,
    CreateIndex,
    CreateTable,
    Delete,
    DropIndex,
    DropTable,
    Exec,
    FieldStep,
    GroupKey,
    History,
    Identifier,
    In,
    IndexStep,
    Insert,
    InsertInto,
    IonLiteral,
    Is,
    Like,
    ListExpr,
    Literal,
    Logical,
    Modify,
    Node,
    Parameter,
    Path,
    Remove,
    Select,
    SelectAll,
    SelectItem,
    SetFields,
    SortKey,
    Source,
    StructExpr,
    Unary,
    UndropTable,
    WildcardStep,
)


def print_node(node: Any) -> str:
    """Write any node as text that parses to it again."""
    return _PRINTERS[type(node)](node)


def _inner(node: Node) -> str:
    """Write an operand; what could fall apart goes into parentheses."""
    text = print_node(node)
    loose = isinstance(node, Unary | Binary | Logical | In | Is | Between | Like | Select)
    return f"({text})" if loose else text


def _list(nodes: tuple[Any, ...]) -> str:
    return ", ".join(_inner(node) for node in nodes)


def _name(name: str, *, quoted: bool) -> str:
    return '"' + name.replace('"', '""') + '"' if quoted else name


def _literal(node: Literal) -> str:
    value = node.value
    if value is MISSING:
        return "MISSING"
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    text = str(value)
    return f"{text}e0" if isinstance(value, Decimal) and text.isdigit() else text


def _identifier(node: Identifier) -> str:
    return ("@" if node.lexical else "") + _name(node.name, quoted=node.case_sensitive)


def _path(node: Path) -> str:
    # Without parentheses a path's steps and those of the path in it would become one.
    inside = isinstance(node.root, Path)
    root = f"({print_node(node.root)})" if inside else _inner(node.root)
    return root + "".join(print_node(step) for step in node.steps)


def _struct(node: StructExpr) -> str:
    members = (f"{_inner(key)}: {_inner(value)}" for key, value in node.members)
    return "{" + ", ".join(members) + "}"


def _not(node: Any) -> str:
    return " NOT" if node.negated else ""


def _like(node: Like) -> str:
    escape = "" if node.escape is None else f" ESCAPE {_inner(node.escape)}"
    return f"{_inner(node.value)}{_not(node)} LIKE {_inner(node.pattern)}{escape}"


def _call(node: Call) -> str:
    if node.name == "TRIM":
        chars = f"{_inner(node.arguments[1])} " if len(node.arguments) > 1 else ""
        return f"TRIM({node.keyword} {chars}FROM {_inner(node.arguments[0])})"
    if node.name == "EXTRACT":
        return f"EXTRACT({node.keyword} FROM {_inner(node.arguments[0])})"
    keyword = f"{node.keyword}, " if node.keyword else ""
    return f"{node.name}({keyword}{_list(node.arguments)})"


def _history(node: History) -> str:
    table = "'" + node.table.replace("'", "''") + "'" if node.is_id else _quoted(node.table)
    return "history(" + ", ".join([table, *(_inner(bound) for bound in node.bounds)]) + ")"


def _quoted(name: str) -> str:
    return _name(name, quoted=True)


def _source(node: Source) -> str:
    parts = [_inner(node.item)]
    for word, name in (("AS", node.alias), ("AT", node.at), ("BY", node.by)):
        if name is not None:
            parts.append(f"{word} {_quoted(name)}")
    if node.condition is not None:
        parts.append(f"ON {_inner(node.condition)}")
    return " ".join(parts)


def _sources(sources: tuple[Source, ...]) -> str:
    text = print_node(sources[0])
    for source in sources[1:]:
        text += (" JOIN " if source.condition is not None else ", ") + print_node(source)
    return text


def _where(where: Node | None) -> str:
    return "" if where is None else f" WHERE {_inner(where)}"


def _select(node: Select) -> str:
    if node.value is not None:
        projection = f"VALUE {_inner(node.value)}"
    else:
        projection = ", ".join(print_node(item) for item in node.items) or "*"
    clauses = node.clauses or Clauses()
    distinct = "DISTINCT " if clauses.distinct else ""
    before = f"SELECT {distinct}{projection} FROM {_sources(node.sources)}{_where(node.where)}"
    return before + _clauses(clauses)


def _clauses(node: Clauses) -> str:
    parts = [""]
    if node.group_by:
        parts.append("GROUP BY " + ", ".join(print_node(key) for key in node.group_by))
    if node.group_as is not None:
        parts.append(f"GROUP AS {_quoted(node.group_as)}")
    if node.having is not None:
        parts.append(f"HAVING {_inner(node.having)}")
    if node.order_by:
        parts.append("ORDER BY " + ", ".join(print_node(key) for key in node.order_by))
    for word, count in (("LIMIT", node.limit), ("OFFSET", node.offset)):
        if count is not None:
            parts.append(f"{word} {_inner(count)}")
    return " ".join(parts)


def _group_key(node: GroupKey) -> str:
    return _inner(node.value) + ("" if node.alias is None else f" AS {_quoted(node.alias)}")


def _sort_key(node: SortKey) -> str:
    nulls = {None: "", True: " NULLS FIRST", False: " NULLS LAST"}[node.nulls_first]
    return _inner(node.value) + (" DESC" if node.descending else "") + nulls


def _case(node: Case) -> str:
    operand = "" if node.operand is None else f" {_inner(node.operand)}"
    branches = "".join(
        f" WHEN {_inner(condition)} THEN {_inner(value)}" for condition, value in node.branches
    )
    otherwise = "" if node.otherwise is None else f" ELSE {_inner(node.otherwise)}"
    return f"CASE{operand}{branches}{otherwise} END"


def _select_item(node: SelectItem) -> str:
    return _inner(node.value) + ("" if node.alias is None else f" AS {_quoted(node.alias)}")


def _insert(node: Insert) -> str:
    word = " VALUE" if node.single else ""
    return f"INSERT INTO {print_node(node.table)}{word} {_inner(node.documents)}"


def _modify(node: Modify) -> str:
    operation, where = print_node(node.operation), _where(node.where)
    if node.from_form:
        return f"FROM {_sources(node.sources)}{where} {operation}"
    return f"UPDATE {_sources(node.sources)} {operation}{where}"


def _delete(node: Delete) -> str:
    return f"DELETE FROM {print_node(node.source)}{_where(node.where)}"


def _set(node: SetFields) -> str:
    return "SET " + ", ".join(
        f"{print_node(part.target)} = {_inner(part.value)}" for part in node.assignments
    )


def _insert_into(node: InsertInto) -> str:
    key = "" if node.key is None else f" AT {_inner(node.key)}"
    return f"INSERT INTO {print_node(node.target)} VALUE {_inner(node.value)}{key}"


def _create_table(node: CreateTable) -> str:
    tags = "" if node.tags is None else f" WITH (aws_tags = {_inner(node.tags)})"
    return f"CREATE TABLE {_quoted(node.name)}{tags}"


def _aggregate(node: Aggregate) -> str:
    distinct = "DISTINCT " if node.distinct else ""
    return f"{node.name}({distinct}{'*' if node.argument is None else _inner(node.argument)})"


def _between(node: Between) -> str:
    ends = f"{_inner(node.low)} AND {_inner(node.high)}"
    return f"{_inner(node.value)}{_not(node)} BETWEEN {ends}"


def _in(node: In) -> str:
    return f"{_inner(node.value)}{_not(node)} IN {print_node(node.collection)}"


_PRINTERS: dict[type, Callable[[Any], str]] = {
    Aggregate: _aggregate,
    BagExpr: lambda node: f"<< {_list(node.items)} >>",
    Between: _between,
    Binary: lambda node: f"{_inner(node.left)} {node.operator} {_inner(node.right)}",
    Call: _call,
    Case: _case,
    Cast: lambda node: f"CAST({_inner(node.value)} AS {node.type_name})",
    CreateIndex: lambda node: f"CREATE INDEX ON {_quoted(node.table)} ({_quoted(node.field)})",
    CreateTable: _create_table,
    Delete: _delete,
    DropIndex: lambda node: (
        f"DROP INDEX {_quoted(node.index_id)} ON {_quoted(node.table)} WITH (purge = true)"
    ),
    DropTable: lambda node: f"DROP TABLE {_quoted(node.name)}",
    Exec: lambda node: f"EXEC {_quoted(node.procedure)} {_list(node.arguments)}",
    FieldStep: lambda node: "." + _name(node.name, quoted=node.case_sensitive),
    GroupKey: _group_key,
    History: _history,
    Identifier: _identifier,
    In: _in,
    IndexStep: lambda node: f"[{_inner(node.index)}]",
    Insert: _insert,
    InsertInto: _insert_into,
    IonLiteral: lambda node: f"`{node.text}`",
    Is: lambda node: f"{_inner(node.value)} IS{_not(node)} {node.type_name}",
    Like: _like,
    ListExpr: lambda node: f"[{_list(node.items)}]",
    Literal: _literal,
    Logical: lambda node: f" {node.operator} ".join(_inner(part) for part in node.operands),
    Modify: _modify,
    Parameter: lambda _: "?",
    Path: _path,
    Remove: lambda node: f"REMOVE {print_node(node.target)}",
    Select: _select,
    SelectAll: lambda node: f"{_inner(node.value)}.*",
    SelectItem: _select_item,
    SetFields: _set,
    SortKey: _sort_key,
    Source: _source,
    StructExpr: _struct,
    Unary: lambda node: f"{node.operator} {_inner(node.operand)}",
    UndropTable: lambda node: f"UNDROP TABLE {_quoted(node.table_id)}",
    WildcardStep: lambda node: ".*" if node.fields else "[*]",
}

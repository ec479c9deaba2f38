from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any

from hypothesis import given, strategies as st

from qldb_stream import ion
from qldb_stream.errors import LedgerError
from qldb_stream.partiql import (
    Context,
    InsertPlan,
    Lookup,
    ModifyPlan,
    SelectPlan,
    TableRef,
    compile_statement,
    index_key,
    index_key_of,
    parse_statement,
)
from qldb_stream.partiql._values import is_equal, is_unknown
from qldb_stream.partiql._words import RESERVED_WORDS
from qldb_stream.partiql.ast import (
    Delete,
    Expr,
    Insert,
    Modify,
    Select,
    SelectItem,
    Source,
    Statement,
)
from qldb_stream.testing.strategies.ion_values import ion_documents, ion_values
from tests.partiql.printing import print_node
from tests.partiql.tables import Tables, changes, sliced
from tests.partiql.trees import FIELDS, expressions, statements, wildcard_paths

PUNCTUATION = ["<<", ">>", "<=", "<>", "||", "!=", *"=<>+-*/%()[]{},:;?@.'\"`", "--", "/*", "*/"]
WORDS = [*sorted(RESERVED_WORDS), *"aT1?", "history", "1.5", "'x'", "`1`", '"q"', "aws_tags"]
soups = st.lists(st.sampled_from(PUNCTUATION + WORDS) | st.text(max_size=3), max_size=30).map(
    " ".join
)


@given(statements() | expressions().map(lambda value: Select((), value, (Source(value),))))
def test_a_printed_tree_parses_to_itself(tree: Statement) -> None:
    """Text made of a tree parses to that tree."""
    assert tree == parse_statement(print_node(tree), extensions=True).statement


@given(wildcard_paths())
def test_a_printed_wildcard_parses_to_itself(path: Expr) -> None:
    """A wildcard inside a path is read as one."""
    tree = Select((), path, (Source(path),))
    assert tree == parse_statement(print_node(tree), extensions=True).statement


def test_public_statements_survive_printing(vectors: FilePath) -> None:
    """A public statement, printed from its tree, still means the same."""
    for line in (vectors / "partiql" / "statements.jsonl").read_text().splitlines():
        parsed = parse_statement(json.loads(line))
        assert parsed.statement == parse_statement(print_node(parsed.statement)).statement


def run(text: str, tables: Tables) -> list[Any]:
    """Execute whatever the text is; the values that come out, encoded."""
    parsed = parse_statement(text, extensions=True)
    if not isinstance(parsed.statement, Select | Insert | Modify | Delete):
        return []
    plan = compile_statement(parsed)
    parameters = tuple(ion.to_slice(place) for place in range(parsed.parameter_count))
    context = Context(tables, parameters, "tx", None)
    if isinstance(plan, SelectPlan):
        return [ion.dumps(row) for row in plan.iter_rows(context)]
    if isinstance(plan, InsertPlan):
        return [ion.dumps(document) for document in plan.documents(context)]
    return [ion.dumps(change.after) for change in plan.changes(context)]


@given(st.text() | soups)
def test_random_text_raises_only_our_errors(text: str) -> None:
    """Whatever the text, the only errors are the ledger's."""
    tables = Tables({"T": sliced({"a": 1}), "a": sliced({"a": [1, {"b": None}]})})
    with contextlib.suppress(LedgerError):
        run(text, tables)


@given(statements(), st.lists(ion_documents(max_leaves=5), max_size=2))
def test_any_statement_gives_ion_or_our_errors(tree: Statement, documents: list[Any]) -> None:
    """Whatever a statement meets, rows and documents can be written, or an error is ours."""
    tables = Tables({name: sliced(*documents) for name in FIELDS})
    with contextlib.suppress(LedgerError):
        run(print_node(tree), tables)


# --- values ----------------------------------------------------------------------------------


@given(ion_values(), ion_values())
def test_equality_is_the_index_key(left: Any, right: Any) -> None:
    """Known values are equal exactly when their index keys are."""
    if is_unknown(left):
        assert index_key(left) is None
    elif not is_unknown(right):
        assert is_equal(left, right) is (index_key(left) == index_key(right))
        assert is_equal(left, left)


@given(ion_values())
def test_every_value_is_found_by_equality(value: Any) -> None:
    """A stored value of any type is found with itself as parameter, unless it is NULL."""
    given_value = ion.to_slice(value)
    tables = Tables({"T": sliced({"f": given_value})})
    plan = compile_statement(parse_statement("SELECT VALUE t.f FROM T AS t WHERE t.f = ?"))
    assert isinstance(plan, SelectPlan)
    rows = plan.iter_rows(Context(tables, (given_value,)))
    found = [ion.to_slice(row).hash() for row in rows]  # a bare blob would be read as Ion
    assert ([] if is_unknown(value) else [given_value.hash()]) == found
    (_, document) = tables.tables["T"][0]
    assert index_key(given_value) == index_key_of(document, "F")


# --- documents -------------------------------------------------------------------------------


@given(ion_documents(), ion_values())
def test_what_is_set_and_removed_leaves_no_trace(document: dict[str, Any], value: Any) -> None:
    """SET of a new member, then REMOVE of it, gives the document's very value."""
    name = "a name that no document has"
    tables = Tables({"T": sliced(document)})
    (added,) = changes(f'UPDATE T AS t SET t."{name}" = ?', tables, value)
    tables = Tables({"T": [("d1", ion.to_slice(added.after))]})
    (removed,) = changes(f'UPDATE T AS t REMOVE t."{name}"', tables)
    assert ion.ion_hash(document) == ion.ion_hash(removed.after)


@given(ion_documents(), st.data())
def test_setting_a_member_to_itself_changes_nothing(document: dict[str, Any], data: Any) -> None:
    """A member set to its own value leaves the document's hash and field order as they were."""
    names = [name for name in document if name]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    quoted = '"' + name.replace('"', '""') + '"'
    tables = Tables({"T": sliced(document)})
    text = f"UPDATE T AS t SET t.{quoted} = t.{quoted}"
    (change,) = changes(text, tables)
    slices = ion.to_slice(document), ion.to_slice(change.after)
    assert slices[0].hash() == slices[1].hash()
    orders = [[field for field, _ in ion.iter_fields(each)] for each in slices]
    assert orders[0] == orders[1]


# --- look-ups --------------------------------------------------------------------------------


class Indexed(Tables):
    """Tables that leave out every row that the look-ups rule out."""

    def iter_rows(
        self, table: TableRef, lookups: tuple[Lookup, ...], bounds: tuple[Any, ...]
    ) -> Iterable[tuple[str | None, Any]]:
        """Give the rows that fulfil all look-ups."""
        for document_id, value in super().iter_rows(table, lookups, bounds):
            if all(_fits(document_id, value, lookup) for lookup in lookups):
                yield document_id, value


def _fits(document_id: str | None, value: Any, lookup: Lookup) -> bool:
    """Tell whether a row has one of the values."""
    key = index_key(document_id) if lookup.field is None else index_key_of(value, lookup.field)
    return key is not None and key in {index_key(each) for each in lookup.values}


small_documents = st.fixed_dictionaries(
    {},
    optional={"a": st.integers(0, 2), "b": st.integers(0, 2) | st.none(), "A": st.integers(0, 2)},
)
operands = st.sampled_from(
    [
        "t.a",
        "t.A",
        't."a"',
        "t.b",
        "u.a",
        "u.b",
        "d",
        "0",
        "1.0",
        "2",
        "'d1'",
        "null",
        "t.b + 1",
        "a",
    ]
)
simple_conditions = st.one_of(
    st.tuples(operands, st.sampled_from([" = ", " <> ", " < "]), operands).map("".join),
    st.tuples(operands, st.lists(operands, min_size=1, max_size=3).map(", ".join)).map(
        lambda both: f"{both[0]} IN ({both[1]})"
    ),
    operands.map(lambda operand: f"{operand} IN [1, 2]"),
)
where_clauses = st.recursive(
    simple_conditions,
    lambda inner: st.tuples(inner, st.sampled_from([" AND ", " AND ", " OR "]), inner).map(
        lambda parts: "(" + "".join(parts) + ")"
    ),
    max_leaves=4,
)


@given(
    st.lists(small_documents, max_size=4),
    st.lists(small_documents, max_size=3),
    where_clauses,
)
def test_look_ups_never_lose_a_row(
    left: list[dict[str, Any]], right: list[dict[str, Any]], where: str
) -> None:
    """Tables that follow the look-ups give the rows that tables without any index give."""
    text = f"SELECT d, t.*, u.* FROM T AS t BY d, U AS u WHERE {where}"
    plan = compile_statement(parse_statement(text))
    assert isinstance(plan, SelectPlan)
    content = {"T": sliced(*left), "U": sliced(*right)}
    plain, indexed = (
        [ion.ion_hash(row) for row in plan.iter_rows(Context(tables))]
        for tables in (Tables(content), Indexed(content))
    )
    assert plain == indexed


def test_modify_uses_the_same_look_ups() -> None:
    """An UPDATE over tables that follow the look-ups changes the same documents."""
    plan = compile_statement(
        parse_statement("UPDATE T AS t BY d SET x = 1 WHERE d IN ('d2', 'd9')")
    )
    assert isinstance(plan, ModifyPlan)
    tables = Indexed({"T": sliced({"a": 1}, {"a": 2})})
    assert ["d2"] == [change.document_id for change in plan.changes(Context(tables))]


def test_columns_of_a_printed_query() -> None:
    """The printer keeps aliases: what it prints is no weaker than what it was given."""
    tree = Select((SelectItem(parse_value("a"), "x"),), None, (Source(parse_value("T")),))
    assert 'SELECT a AS "x" FROM T' == print_node(tree)


def parse_value(text: str) -> Expr:
    """Parse an expression."""
    select = parse_statement(f"SELECT VALUE {text} FROM T").statement
    assert isinstance(select, Select)
    assert select.value is not None
    return select.value

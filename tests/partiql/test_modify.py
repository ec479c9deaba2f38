from __future__ import annotations

from typing import Any

import pytest
from amazon.ion import simpleion

from qldb_stream import ion
from qldb_stream.errors import (
    PartiqlEvaluationError,
    PartiqlSemanticError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql import (
    Context,
    InsertPlan,
    Lookup,
    LookupUse,
    ModifyPlan,
    SourceAccess,
    TableKind,
    compile_statement,
    evaluate_arguments,
    parse_statement,
)
from tests.partiql.tables import Tables, after, changes, decode, documents, sliced

DOCUMENT = {"a": 1, "b": {"c": 2, "l": [1, 2]}, "z": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UPDATE T SET a = 5", {"a": 5, "b": {"c": 2, "l": [1, 2]}, "z": None}),
        ("UPDATE T SET A = 5", {"a": 5, "b": {"c": 2, "l": [1, 2]}, "z": None}),
        ('UPDATE T SET "A" = 5', {"a": 1, "b": {"c": 2, "l": [1, 2]}, "z": None, "A": 5}),
        ("UPDATE T AS t SET t.n = 5", {"a": 1, "b": {"c": 2, "l": [1, 2]}, "z": None, "n": 5}),
        ("UPDATE T AS t SET t.b.c = 5", {"a": 1, "b": {"c": 5, "l": [1, 2]}, "z": None}),
        ("UPDATE T AS t SET t.b.l[1] = 5", {"a": 1, "b": {"c": 2, "l": [1, 5]}, "z": None}),
        ("UPDATE T AS t SET t['a'] = 5", {"a": 5, "b": {"c": 2, "l": [1, 2]}, "z": None}),
        (
            "UPDATE T AS t SET t.a = t.b.c, t.b.c = t.a",
            {"a": 2, "b": {"c": 1, "l": [1, 2]}, "z": None},
        ),
        ("UPDATE T AS t SET t.a = << 1 >>", {"a": [1], "b": {"c": 2, "l": [1, 2]}, "z": None}),
        ("UPDATE T AS t SET t = {'x': t.a}", {"x": 1}),
        ("UPDATE T AS t SET t = {'x': 1}, t.y = 2", {"x": 1, "y": 2}),
        ("UPDATE T AS t REMOVE t.b", {"a": 1, "z": None}),
        ("UPDATE T AS t REMOVE t.b.l[0]", {"a": 1, "b": {"c": 2, "l": [2]}, "z": None}),
        ("FROM T AS t REMOVE t.B.C", {"a": 1, "b": {"l": [1, 2]}, "z": None}),
        ("FROM T AS t REMOVE t", None),
        ("DELETE FROM T", None),
        (
            "UPDATE T AS t SET t.b.l = [{'x': 1}], t.b.l[0].y = 2",
            {"a": 1, "b": {"c": 2, "l": [{"x": 1, "y": 2}]}, "z": None},
        ),
        (
            "UPDATE T AS t INSERT INTO t['b']['l'] VALUE 3",
            {"a": 1, "b": {"c": 2, "l": [1, 2, 3]}, "z": None},
        ),
        ("FROM T AS t WHERE t.a = 1 SET t.a = 2", {"a": 2, "b": {"c": 2, "l": [1, 2]}, "z": None}),
        (
            "FROM T AS t INSERT INTO t.b.l VALUE 3",
            {"a": 1, "b": {"c": 2, "l": [1, 2, 3]}, "z": None},
        ),
        (
            "FROM T AS t INSERT INTO t.b.l VALUE 3 AT 0",
            {"a": 1, "b": {"c": 2, "l": [3, 1, 2]}, "z": None},
        ),
        (
            "FROM T AS t INSERT INTO t.b.l VALUE 3 AT 2",
            {"a": 1, "b": {"c": 2, "l": [1, 2, 3]}, "z": None},
        ),
        (
            "FROM T AS t INSERT INTO t.b VALUE 3 AT 'd'",
            {"a": 1, "b": {"c": 2, "l": [1, 2], "d": 3}, "z": None},
        ),
        (
            "FROM T AS t INSERT INTO t VALUE 3 AT 'd'",
            {"a": 1, "b": {"c": 2, "l": [1, 2]}, "z": None, "d": 3},
        ),
        (
            "UPDATE T INSERT INTO b.l VALUE << 3 >>",
            {"a": 1, "b": {"c": 2, "l": [1, 2, [3]]}, "z": None},
        ),
    ],
)
def test_change(text: str, expected: Any) -> None:
    """Each operation makes of a document what facts 5.1 say, and keeps the fields' order."""
    found = after(text, DOCUMENT)
    assert expected == found
    if expected is not None:
        assert list(expected) == list(found)


FAITHFUL = (
    'x::{a: 1, s: sym, n: null.int, d: 1.50, t: 2017-01T, e: (1 y::2), c: {{"c"}},'
    " r: 1, r: 2, l: y::[1, 2], m: z::{p: 1, q: 2.0}, f: 1e0, o: 2017-01-01T00:00:00.1-00:00}"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UPDATE T AS t SET t.a = 2", FAITHFUL.replace("a: 1,", "a: 2,")),
        ("UPDATE T AS t SET t.m.p = 2", FAITHFUL.replace("p: 1", "p: 2")),
        ("UPDATE T AS t SET t.l[0] = 2", FAITHFUL.replace("y::[1, 2]", "y::[2, 2]")),
        ("UPDATE T AS t SET t.e[0] = 2", FAITHFUL.replace("(1 y", "(2 y")),
        ("UPDATE T AS t REMOVE t.r", FAITHFUL.replace("r: 1, r: 2, ", "")),
        ("UPDATE T AS t SET t.r = 3", FAITHFUL.replace("r: 1, r: 2", "r: 3")),
        ("UPDATE T AS t REMOVE t.m.q", FAITHFUL.replace(", q: 2.0", "")),
        ("UPDATE T AS t INSERT INTO t.l VALUE 3", FAITHFUL.replace("y::[1, 2]", "y::[1, 2, 3]")),
        (
            "UPDATE T AS t INSERT INTO t.m VALUE 3 AT 'r'",
            FAITHFUL.replace("q: 2.0", "q: 2.0, r: 3"),
        ),
    ],
)
def test_what_is_not_touched_stays(text: str, expected: str) -> None:
    """Types, annotations, typed nulls, symbols, precision beside the path are unaltered."""
    (before,) = ion.iter_text(FAITHFUL)
    (wanted,) = ion.iter_text(expected)
    (change,) = changes(text, Tables({"T": [("d", before)]}))
    assert wanted.hash() == ion.ion_hash(change.after)
    (again,) = ion.iter_text(FAITHFUL)
    assert again.to_bytes() == before.to_bytes()


def test_path_through_a_list() -> None:
    """INSERT INTO and REMOVE find their way through elements of lists."""
    document = {"l": [{"x": 1, "n": [1]}]}
    assert {"l": [{"n": [1]}]} == after("FROM T AS t REMOVE t.l[0].x", document)
    expected = {"l": [{"x": 1, "n": [1, 2]}]}
    assert expected == after("FROM T AS t INSERT INTO t.l[0].n VALUE 2", document)


def test_whole_document_parameter_passes_untouched() -> None:
    """`SET d = ?` and `INSERT INTO T ?` hand over the very slice that was given."""
    given = ion.to_slice({"x": 1})
    tables = Tables({"T": sliced(DOCUMENT)})
    (change,) = changes("UPDATE T AS d BY id SET d = ? WHERE id = ?", tables, given, "d1")
    assert given is change.after
    assert change.before is tables.tables["T"][0][1]
    assert [(TableKind.USER, "T", (Lookup(None, ("d1",)),), ())] == tables.asked
    assert given is documents("INSERT INTO T ?", given)[0]


def test_parameter_inside_a_constructor_stays_a_slice() -> None:
    """A parameter that becomes part of a document is not decoded on the way."""
    given = ion.to_slice({"x": 1})
    (document,) = documents("INSERT INTO T VALUE {'a': ?, 'l': [?]}", given, given)
    assert given is document["a"]
    assert given is document["l"][0]


def test_assignments_are_counted() -> None:
    """A change says how often its statement is listed: once per assignment (facts 2.3)."""
    tables = Tables({"T": sliced({"a": 1}, {"a": 2})})
    found = changes("UPDATE T SET b = 1, c = 2", tables)
    assert [("d1", 2), ("d2", 2)] == [(each.document_id, each.assignments) for each in found]
    assert [1, 1] == [each.assignments for each in changes("DELETE FROM T", tables)]


def test_a_document_that_matches_twice_changes_twice() -> None:
    """In a FROM over a nested collection each match adds its edit to the document."""
    tables = Tables({"T": sliced({"l": [1, 2], "n": []})})
    (change,) = changes("FROM T AS t, t.l AS x INSERT INTO t.n VALUE x", tables)
    assert {"l": [1, 2], "n": [1, 2]} == decode(change.after)
    assert 2 == change.assignments
    (deleted,) = changes("FROM T AS t, t.l AS x REMOVE t", tables)
    assert deleted.after is None


def test_where_reads_the_document_as_it_was() -> None:
    """All rows are matched before one is changed."""
    tables = Tables({"T": sliced({"a": 1}, {"a": 2})})
    found = changes("UPDATE T SET a = a + 1 WHERE a < 2", tables)
    assert [{"a": 2}] == [decode(change.after) for change in found]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "UPDATE T AS t SET t.x.y = 1",
            "the remaining path was not found: DocumentPath(path=[Field(name=x), Field(name=y)])",
        ),
        ("UPDATE T AS t SET t.a.y = 1", "DocumentPath(path=[Field(name=y)])"),
        ("UPDATE T AS t SET t.b.l[5] = 1", "DocumentPath(path=[Index(index=5)])"),
        ("UPDATE T AS t SET t.a[0] = 1", "DocumentPath(path=[Index(index=0)])"),
        ("UPDATE T AS t REMOVE t.x", "DocumentPath(path=[Field(name=x)])"),
        ("UPDATE T AS t REMOVE t.x.y", "DocumentPath(path=[Field(name=x), Field(name=y)])"),
        ("UPDATE T AS t REMOVE t.b.l[2]", "DocumentPath(path=[Index(index=2)])"),
        ("UPDATE T AS t REMOVE t.b.l[2].x", "DocumentPath(path=[Index(index=2), Field(name=x)])"),
        ("UPDATE T AS t INSERT INTO t.b.l VALUE 1 AT 3", "DocumentPath(path=[Index(index=3)])"),
        ("UPDATE T AS t INSERT INTO t.b.l VALUE 1 AT 'x'", "DocumentPath(path=[Field(name=x)])"),
        ("UPDATE T AS t INSERT INTO t.b VALUE 1", "INSERT INTO a struct needs AT"),
        ("UPDATE T AS t INSERT INTO t.b VALUE 1 AT 'c'", "the member exists already"),
        (
            "UPDATE T AS t INSERT INTO t.a VALUE 1",
            "INSERT INTO expects a list or a struct, found int",
        ),
        ("UPDATE T AS t INSERT INTO t.b.l VALUE t.x", "INSERT INTO needs a value, found missing"),
        (
            "UPDATE T AS t INSERT INTO t.b.l VALUE 1 AT true",
            "expected an ordinal or a name, found bool",
        ),
        ("UPDATE T AS t SET t.a = t.x", "SET needs a value, found missing"),
        ("UPDATE T AS t SET t = 5", "a document must be a struct, found int"),
        ("UPDATE T AS t SET t = null", "a document must be a struct, found null"),
        ("UPDATE T AS t SET t.b.l[?] = 5", "expected an ordinal or a name, found null"),
    ],
)
def test_change_that_fails(text: str, problem: str) -> None:
    """A path that leads nowhere or a value that does not fit is a located error."""
    parameters = [None] * text.count("?")
    with pytest.raises(PartiqlEvaluationError) as caught:
        after(text, DOCUMENT, *parameters)
    assert problem in caught.value.problem
    assert "at line 1, column" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("UPDATE _ql_committed_T SET a = 1", "only the default view of a table can be changed"),
        ("DELETE FROM information_schema.user_tables", "only the default view of a table"),
        ("FROM history(T) AS h REMOVE h.a", "only the default view of a table"),
        ("INSERT INTO _ql_committed_T ?", "only the default view of a table can be changed"),
        ("FROM << 1 >> AS x SET x.a = 1", "only the documents of a table can be changed"),
        ("FROM T AS t, U AS u SET t.a = 1", "a statement can change one table only"),
        ("UPDATE T AS t BY d SET d = 1", "'d' cannot be changed"),
    ],
)
def test_statement_that_makes_no_sense(text: str, problem: str) -> None:
    """DML is for the user view of one table (facts 5.1)."""
    with pytest.raises(PartiqlSemanticError) as caught:
        compile_statement(parse_statement(text))
    assert problem in caught.value.problem


def test_operation_not_supported() -> None:
    """What an operation cannot do is refused by name when it is compiled."""
    with pytest.raises(UnsupportedPartiqlError) as caught:
        compile_statement(parse_statement("UPDATE T AS t SET t.l[*].a = 1"))
    assert "a wildcard in a path" == caught.value.feature


NESTED: dict[str, Any] = {
    "l": [{"n": 1, "m": [1, 2, 3]}, {"n": 2, "m": []}, {"n": 3, "m": [4]}],
    "s": {"n": 5},
}
LAST_EMPTIED = [*NESTED["l"][:2], {"n": 3, "m": []}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FROM T AS t, @t.l AS x WHERE x.n > 1 SET x.n = x.n * 10",
            {"l": [{"n": 1, "m": [1, 2, 3]}, {"n": 20, "m": []}, {"n": 30, "m": [4]}]},
        ),
        (
            "FROM T AS t, t.l AS x AT i WHERE i = 1 SET x = i, t.s.n = i",
            {"l": [{"n": 1, "m": [1, 2, 3]}, 1, {"n": 3, "m": [4]}], "s": {"n": 1}},
        ),
        ("FROM T AS t, @t.l AS x WHERE x.n < 3 REMOVE x", {"l": [{"n": 3, "m": [4]}]}),
        (
            "FROM T AS t, @t.l AS x, @x.m AS y WHERE y <> 2 REMOVE y",
            {"l": [{"n": 1, "m": [2]}, {"n": 2, "m": []}, {"n": 3, "m": []}]},
        ),
        (
            "FROM T AS t, @t.l AS x, @x.m AS y WHERE y < 3 REMOVE x.n",
            {"l": [{"m": [1, 2, 3]}, {"n": 2, "m": []}, {"n": 3, "m": [4]}]},
        ),
        (
            "FROM T AS t, @t.l AS x WHERE x.n = 2 INSERT INTO x.m VALUE 'new'",
            {"l": [{"n": 1, "m": [1, 2, 3]}, {"n": 2, "m": ["new"]}, {"n": 3, "m": [4]}]},
        ),
        ("FROM T AS t, @t.s AS x SET x.n = 6", {"s": {"n": 6}}),
        ("FROM T AS t, @t.l[2].m AS y REMOVE t.l[2].m[0]", {"l": LAST_EMPTIED}),
    ],
)
def test_elements_are_changed_by_their_alias(text: str, expected: dict[str, Any]) -> None:
    """In a FROM over nested collections an alias means the very element it is bound to."""
    assert {**NESTED, **expected} == after(text, NESTED)


def test_an_alias_of_no_document_cannot_be_changed() -> None:
    """What a FROM ranges over without it being part of a document stays as it is."""
    for source in ("<< {'a': 1} >>", "(SELECT VALUE y FROM t.l AS y)"):
        with pytest.raises(PartiqlSemanticError, match="'x' cannot be changed"):
            compile_statement(parse_statement(f"FROM T AS t, {source} AS x SET x.a = 1"))


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("INSERT INTO T VALUE {'a': 1}", (), [{"a": 1}]),
        ("INSERT INTO T VALUE ?", ({"a": 1},), [{"a": 1}]),
        ("INSERT INTO T ?", ({"a": 1},), [{"a": 1}]),
        ("INSERT INTO T ?", ([{"a": 1}, {"b": 2}],), [{"a": 1}, {"b": 2}]),
        ("INSERT INTO T ?", (ion.to_slice([{"a": 1}, {"b": 2}]),), [{"a": 1}, {"b": 2}]),
        ("INSERT INTO T << ?, {'b': ?} >>", ({"a": 1}, 2), [{"a": 1}, {"b": 2}]),
        ("INSERT INTO T [{'a': 1}]", (), [{"a": 1}]),
        ("INSERT INTO T << >>", (), []),
        ("INSERT INTO T `{a: 1}`", (), [{"a": 1}]),
    ],
)
def test_documents_of_an_insert(text: str, parameters: tuple[Any, ...], expected: Any) -> None:
    """VALUE takes one document; without it a struct, a list or a bag of them will do."""
    assert expected == [decode(document) for document in documents(text, *parameters)]


@pytest.mark.parametrize(
    "text", ["INSERT INTO T VALUE ?", "INSERT INTO T << ? >>", "INSERT INTO T ?"]
)
@pytest.mark.parametrize("value", [1, None, "a", [[1]]])
def test_documents_are_structs(text: str, value: Any) -> None:
    """What is no struct cannot be inserted (facts 5.1)."""
    with pytest.raises(PartiqlEvaluationError, match="a document must be a struct"):
        documents(text, value)


def test_insert_names_its_table() -> None:
    """An INSERT plan knows the table, as written, and where it stands."""
    plan = compile_statement(parse_statement('INSERT INTO "T" ?'))
    assert isinstance(plan, InsertPlan)
    assert ("T", 1, 13) == (plan.table.name, plan.table.line, plan.table.column)


def test_modify_names_its_table_and_look_ups() -> None:
    """An UPDATE plan says which table it changes and what it looks up."""
    plan = compile_statement(parse_statement("UPDATE T AS t SET t.a = 1 WHERE t.b = ?"))
    assert isinstance(plan, ModifyPlan)
    assert "T" == plan.table.name
    assert (SourceAccess("t", plan.table, (LookupUse("b", "="),), 1, 0),) == plan.sources


def test_arguments_of_exec() -> None:
    """The arguments of a procedure are evaluated, parameters decoded."""
    parsed = parse_statement("EXEC REDACT_REVISION `{sequenceNo: 5}`, 'table', ?")
    context = Context(Tables({}), (ion.to_slice("document"),))
    assert [{"sequenceNo": 5}, "table", "document"] == evaluate_arguments(parsed, context)


def test_ddl_is_not_compiled() -> None:
    """Asking for a plan of a statement that has none is our own bug."""
    with pytest.raises(AssertionError):
        compile_statement(parse_statement("CREATE TABLE T"))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("SET t.a = 3", "{a: 3, b: 0}"),
        ("REMOVE t.a", "{b: 0}"),
        ("SET t.b = t.a", "{a: 1, a: 2, b: 1}"),
    ],
)
def test_a_repeated_name_is_set_and_removed_as_one(operation: str, expected: str) -> None:
    """SET leaves one member of the name, REMOVE none; a path reads the first."""
    document = simpleion.loads("{a: 1, a: 2, b: 0}")
    changed = after(f"FROM T AS t {operation}", document)
    assert ion.ion_hash(simpleion.loads(expected)) == ion.ion_hash(changed)

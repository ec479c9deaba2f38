from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qldb_stream import ion
from qldb_stream.errors import PartiqlEvaluationError, PartiqlSemanticError
from qldb_stream.partiql import (
    Context,
    Lookup,
    SelectPlan,
    TableKind,
    compile_statement,
    parse_statement,
)
from tests.partiql.tables import Tables, rows, sliced

CAR = {"VIN": "1", "Owner": {"Id": "p1"}, "Tags": ["new", "red"], "Price": 10}
VAN = {"VIN": "2", "Owner": {"Id": "p2"}, "Tags": [], "Price": Decimal("2.50")}
BUS = {"VIN": "3"}


@pytest.fixture
def tables() -> Tables:
    """Three vehicles, two people."""
    return Tables(
        {
            "Vehicle": sliced(CAR, VAN, BUS),
            "Person": sliced({"Id": "p1", "Name": "Ann"}, {"Id": "p2", "Name": "Bob"}),
            "Numbers": sliced(*({"n": n} for n in (1, 2, 3, None)), {"x": 1}),
            "user_tables": [(None, {"name": "Vehicle", "status": "ACTIVE", "indexes": []})],
        }
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM Vehicle WHERE VIN = '1'", [CAR]),
        ("SELECT * FROM Vehicle AS v WHERE v.vin = '1'", [CAR]),
        ("SELECT * FROM Vehicle AS v WHERE v.\"vin\" = '1'", []),
        ("SELECT VALUE v FROM Vehicle AS v WHERE v.VIN = '3'", [BUS]),
        ("SELECT VALUE VIN FROM Vehicle", ["1", "2", "3"]),
        ("SELECT VALUE Price FROM Vehicle", [10, Decimal("2.50"), None]),
        ("SELECT VIN, Price FROM Vehicle WHERE VIN = '3'", [{"VIN": "3"}]),
        ("SELECT VIN AS a, Price b FROM Vehicle WHERE VIN = '1'", [{"a": "1", "b": 10}]),
        ("SELECT v.Owner.Id FROM Vehicle AS v WHERE VIN = '1'", [{"Id": "p1"}]),
        ("SELECT v['Owner']['Id'] FROM Vehicle AS v WHERE VIN = '1'", [{"Id": "p1"}]),
        ("SELECT Tags[0], 1 + 1 FROM Vehicle WHERE VIN = '1'", [{"_1": "new", "_2": 2}]),
        ("SELECT d, v.* FROM Vehicle AS v BY d WHERE VIN = '3'", [{"d": "d3", "VIN": "3"}]),
        ("SELECT d FROM Vehicle BY d WHERE d IN ('d1', 'd3')", [{"d": "d1"}, {"d": "d3"}]),
        ("SELECT VIN FROM Vehicle WHERE Price > 2 AND Price < 5", [{"VIN": "2"}]),
        ("SELECT VIN FROM Vehicle WHERE Price IS MISSING", [{"VIN": "3"}]),
        ("SELECT VIN FROM Vehicle WHERE NOT Price IS MISSING AND VIN <> '1'", [{"VIN": "2"}]),
        ("SELECT VIN FROM Vehicle WHERE null", []),
        ("SELECT VIN FROM Vehicle WHERE 'new' IN Tags", [{"VIN": "1"}]),
        ("SELECT t FROM Vehicle AS v, @v.Tags AS t", [{"t": "new"}, {"t": "red"}]),
        (
            "SELECT v.VIN, t, i FROM Vehicle AS v, v.Tags AS t AT i WHERE i = 1",
            [{"VIN": "1", "t": "red", "i": 1}],
        ),
        ("SELECT VALUE o.Id FROM Vehicle AS v, v.Owner AS o", ["p1", "p2"]),
        (
            "SELECT v.VIN, p.Name FROM Vehicle AS v JOIN Person AS p ON v.Owner.Id = p.Id",
            [{"VIN": "1", "Name": "Ann"}, {"VIN": "2", "Name": "Bob"}],
        ),
        (
            "SELECT VIN, Name FROM Vehicle v, Person p WHERE v.Owner.Id = p.Id AND Name = 'Bob'",
            [{"VIN": "2", "Name": "Bob"}],
        ),
        ("SELECT VALUE a.VIN FROM Vehicle, Vehicle AS a WHERE Vehicle.VIN = '1'", ["1", "2", "3"]),
        ("SELECT VALUE x.VIN FROM (SELECT * FROM Vehicle) AS x WHERE x.VIN = '2'", ["2"]),
        ("SELECT VALUE x FROM << 1, 2 >> AS x", [1, 2]),
        ("SELECT VALUE x FROM [1, 2] AS x AT i WHERE i = 1", [2]),
        ("SELECT VALUE x FROM `(a b)` AS x AT i WHERE i = 0", ["a"]),
        ("SELECT * FROM << 1 >>", [{"_1": 1}]),
        ("SELECT * FROM << {'a': 1} >>", [{"a": 1}]),
        ("SELECT x.* FROM << 1 >> AS x", [{"_1": 1}]),
        ("SELECT 1 AS a, 2 AS b FROM 5", [{"a": 1, "b": 2}]),
        ("SELECT a.*, b.* FROM {'x': 1} AS a, {'y': 2} AS b", [{"x": 1, "y": 2}]),
        ("SELECT * FROM {'x': 1} AS a, {'y': 2} AS b, 3 AS c", [{"x": 1, "y": 2, "_3": 3}]),
        ("SELECT x.y FROM << {'y': << 1 >>} >> AS x", [{"y": [1]}]),
        ("SELECT z FROM {'x': 1} AS a, {'y': 2} AS b", [{}]),
        ("SELECT a.*, a.z, a.z.* FROM {'x': 1} AS a", [{"x": 1}]),
        ("SELECT x[1 + 0] FROM << [5, 6] >> AS x", [{"_1": 6}]),
        ("SELECT VALUE VEHICLE.VIN FROM Vehicle AS Vehicle WHERE vehicle.VIN = '3'", ["3"]),
        ("SELECT VALUE d FROM Vehicle AS v AT i BY d WHERE i IS MISSING AND d = 'd2'", ["d2"]),
        ("SELECT VALUE w.VIN FROM Vehicle AS v, v AS w WHERE w.VIN = '3'", ["3"]),
        (
            "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'ACTIVE'",
            ["Vehicle"],
        ),
        ("SELECT VALUE indexes[0] FROM INFORMATION_SCHEMA.USER_TABLES", [None]),
        ("SELECT VALUE metadata.id FROM _ql_committed_Vehicle WHERE data.VIN = '2'", ["d2"]),
        (
            "SELECT data.VIN, metadata.version FROM _ql_committed_Vehicle AS c BY d WHERE d = 'd1'",
            [{"VIN": "1", "version": 0}],
        ),
        ("SELECT VALUE h.data.VIN FROM history(Vehicle) AS h WHERE h.metadata.id = 'd3'", ["3"]),
    ],
)
def test_query(text: str, expected: list[Any], tables: Tables) -> None:
    """Each form of query gives the rows that facts 5.1 to 5.4 promise."""
    found = rows(text, tables=tables)
    texts = [getattr(row, "text", row) for row in found]
    assert expected == texts


def test_sub_query_per_row(tables: Tables) -> None:
    """A sub-query sees the row of the query around it."""
    text = "SELECT VALUE (SELECT VALUE t FROM v.Tags AS t) FROM Vehicle AS v"
    assert [["new", "red"], [], []] == rows(text, tables=tables)


def test_condition_must_be_a_boolean(tables: Tables) -> None:
    """A WHERE clause that gives a number fails, located."""
    with pytest.raises(PartiqlEvaluationError, match="expected a boolean, found int"):
        rows("SELECT VIN FROM Vehicle WHERE Price", tables=tables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT COUNT(*) FROM Numbers", {"_1": 5}),
        ("SELECT COUNT(n) AS c FROM Numbers", {"c": 3}),
        ("SELECT COUNT(*) FROM Numbers WHERE n > 100", {"_1": 0}),
        ("SELECT SUM(n), MIN(n), MAX(n) FROM Numbers", {"_1": 6, "_2": 1, "_3": 3}),
        ("SELECT AVG(n) FROM Numbers", {"_1": Decimal(2)}),
        ("SELECT SUM(n) FROM Numbers WHERE n > 100", {"_1": None}),
        ("SELECT SUM(n) + 1 AS s, 'x' FROM Numbers", {"s": 7, "_2": "x"}),
        ("SELECT SUM(n * 1.5) FROM Numbers", {"_1": Decimal("9.0")}),
        ("SELECT SUM(x) FROM << `1e0` >> AS x", {"_1": Decimal("1.0")}),
        ("SELECT SUM(x) FROM << `1e0`, 2 >> AS x", {"_1": Decimal("3.0")}),
        ("SELECT AVG(x) FROM << `0.5e0` >> AS x", {"_1": Decimal("0.5")}),
        ("SELECT MAX(x), MIN(x) FROM << 1, `2e0`, 1.5 >> AS x", {"_1": 2.0, "_2": 1}),
    ],
)
def test_aggregates(text: str, expected: Any, tables: Tables) -> None:
    """Aggregates pass over NULL and MISSING and give exactly one row (facts 5.2, 5.5)."""
    (row,) = rows(text, tables=tables)
    assert expected == row
    assert [type(value) for value in expected.values()] == [type(value) for value in row.values()]


def test_select_value_of_an_aggregate(tables: Tables) -> None:
    """SELECT VALUE takes an aggregate too."""
    assert [5] == rows("SELECT VALUE COUNT(*) FROM Numbers", tables=tables)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT SUM(x) FROM << 'a' >> AS x", "expected a number, found string"),
        ("SELECT AVG(x) FROM << `nan` >> AS x", "number out of range"),
    ],
)
def test_aggregates_take_numbers(text: str, problem: str) -> None:
    """Only numbers that a decimal can hold are summed."""
    with pytest.raises(PartiqlEvaluationError) as caught:
        rows(text)
    assert PartiqlEvaluationError(1, 8, problem) == caught.value


def test_unknown_table(tables: Tables) -> None:
    """A table that does not exist is reported in the service's words, where it stands."""
    with pytest.raises(PartiqlSemanticError) as caught:
        rows("SELECT * FROM Vehicles", tables=tables)
    expected = (
        "Semantic Error: at line 1, column 15: "
        "No such variable named 'Vehicles'; No such variable named 'Vehicles'"
    )
    assert expected == str(caught.value)


def test_whole_documents_are_passed_on_in_their_bytes(tables: Tables) -> None:
    """`SELECT *` and `SELECT VALUE alias` give the very slice that the storage gave."""
    for text in (
        "SELECT * FROM Vehicle AS v WHERE v.VIN = '1'",
        "SELECT VALUE v FROM Vehicle AS v",
    ):
        plan = compile_statement(parse_statement(text))
        assert isinstance(plan, SelectPlan)
        first = next(iter(plan.iter_rows(Context(tables))))
        assert first is tables.tables["Vehicle"][0][1]


def test_repeated_column_names_are_kept() -> None:
    """Two columns of one name are two members of the row."""
    (row,) = rows("SELECT a.x, b.x FROM {'x': 1} AS a, {'x': 2} AS b")
    assert [("x", 1), ("x", 2)] == list(row.items())


def test_plans_are_reusable(tables: Tables) -> None:
    """One plan executed twice, even interleaved, answers twice the same."""
    plan = compile_statement(parse_statement("SELECT VALUE VIN FROM Vehicle"))
    assert isinstance(plan, SelectPlan)
    first, second = plan.iter_rows(Context(tables)), plan.iter_rows(Context(tables))
    assert [("1", "1"), ("2", "2"), ("3", "3")] == list(zip(first, second, strict=True))


def test_rows_do_not_change_what_the_storage_gave() -> None:
    """Looking inside a row leaves the caller's struct as it was."""
    data = ion.to_slice({"a": 1})
    row = {"data": data, "metadata": {"id": "d"}}
    tables = Tables({"T": [("d", row)]})
    assert [1] == rows("SELECT VALUE t.data.a FROM T AS t WHERE t.data.a = 1", tables=tables)
    assert row["data"] is data


# --- look-ups --------------------------------------------------------------------------------


def asked(text: str, *parameters: Any) -> list[tuple[str, tuple[Lookup, ...]]]:
    """Execute a query on two tables; the tables and look-ups that were asked for."""
    tables = Tables({"T": sliced({"a": 1, "b": 5}), "U": sliced({"a": 1})})
    rows(text, *parameters, tables=tables)
    return [(name, lookups) for _, name, lookups, _ in tables.asked]


@pytest.mark.parametrize(
    ("where", "lookups"),
    [
        ("a = ?", (Lookup("a", (1,)),)),
        ("? = t.a", (Lookup("a", (1,)),)),
        ('t."a" = ?', (Lookup("a", (1,)),)),
        ("t.a = ? AND t.b > 2", (Lookup("a", (1,)),)),
        ("t.b > 2 AND (t.c = 3 AND t.a = ?)", (Lookup("c", (3,)), Lookup("a", (1,)))),
        ("t.a IN (?, 2, null)", (Lookup("a", (1, 2)),)),
        ("t.a IN [?, 2]", (Lookup("a", (1, 2)),)),
        ("t.a IN << ?, 2 >>", (Lookup("a", (1, 2)),)),
        ("d = ?", (Lookup(None, (1,)),)),
        ("d IN ('x', ?)", (Lookup(None, ("x", 1)),)),
        ("t.a = null AND ? = 1", (Lookup("a", ()),)),
        ("t.a = 1 + ?", (Lookup("a", (2,)),)),
        ("t.a = ? OR t.b = 1", ()),
        ("NOT t.a = ?", ()),
        ("t.a <> ?", ()),
        ("t.a < ?", ()),
        ("t.a BETWEEN ? AND 2", ()),
        ("t.a NOT IN (?)", ()),
        ("t.a IN 5 AND ? = 1", ()),
        ("t.a = t.b AND ? = 1", ()),
        ("t.a = b AND ? = 1", ()),
        ("t.a.b = ?", ()),
        ("t.a[0] = ?", ()),
        ("t.a + 1 = ?", ()),
        ("t = ?", ()),
        ("t.a = (SELECT VALUE x FROM << ? >> AS x)", ()),
    ],
)
def test_lookups_of_a_where_clause(where: str, lookups: tuple[Lookup, ...]) -> None:
    """Only AND-ed `=` and IN on a field or the id are offered to an index (facts 5.7)."""
    text = f"SELECT * FROM T AS t BY d WHERE {where}"
    assert [("T", lookups)] == asked(text, 1)


@pytest.mark.parametrize(
    ("text", "kind", "lookups"),
    [
        (
            "SELECT * FROM _ql_committed_T WHERE data.a = 1",
            TableKind.COMMITTED,
            (Lookup("a", (1,)),),
        ),
        (
            "SELECT * FROM _ql_committed_T AS t WHERE t.data.a = 1",
            TableKind.COMMITTED,
            (Lookup("a", (1,)),),
        ),
        (
            "SELECT * FROM _ql_committed_T WHERE metadata.id = 'd'",
            TableKind.COMMITTED,
            (Lookup(None, ("d",)),),
        ),
        ("SELECT * FROM _ql_committed_T WHERE a = 1", TableKind.COMMITTED, ()),
        ("SELECT * FROM _ql_committed_T WHERE metadata.version = 1", TableKind.COMMITTED, ()),
        (
            "SELECT * FROM history(T) AS h WHERE h.metadata.id = 'd'",
            TableKind.HISTORY,
            (Lookup(None, ("d",)),),
        ),
        ("SELECT * FROM history(T) AS h WHERE h.data.a = 1", TableKind.HISTORY, ()),
    ],
)
def test_lookups_of_other_views(text: str, kind: TableKind, lookups: tuple[Lookup, ...]) -> None:
    """In the committed view a field is under `data`; history knows document ids only."""
    tables = Tables({"T": sliced({"a": 1})})
    rows(text, tables=tables)
    assert [(kind, "T", lookups, ())] == tables.asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a.n AS x, b.n AS y FROM A AS a, A AS b", 4),
        ("SELECT a.n AS x, b.n AS y FROM A AS a JOIN A AS b ON b.n = a.n", 2),
        ("SELECT a.n AS x FROM A AS a, A AS b, A AS c WHERE c.n = b.n", 4),
        ("SELECT a.n AS x FROM A AS a WHERE EXISTS (SELECT b.n FROM A AS b WHERE b.n <> a.n)", 2),
        ("SELECT a.n AS x FROM A AS a, a AS b", 2),
        ("SELECT a.n AS x FROM A AS a, @A AS b", 2),
        ("SELECT x FROM A AS a, A.l AS x", 4),
        ("SELECT b.n AS x FROM A, A AS b", 4),
    ],
)
def test_a_table_joined_with_itself(text: str, expected: int) -> None:
    """A name that stands alone is the table, unless an alias is spelled exactly so."""
    tables = Tables({"A": sliced({"n": 1, "l": [1, 2]}, {"n": 2, "l": [3, 4]})})
    assert expected == len(rows(text, tables=tables))


def test_joins_become_look_ups() -> None:
    """The inner table is asked once per outer row, with that row's value."""
    tables = Tables({"T": sliced({"a": 1}, {"a": 2}), "U": sliced({"b": 1}, {"b": 2})})
    text = "SELECT VALUE u.b FROM T AS t JOIN U AS u ON u.b = t.a"
    assert [1, 2] == rows(text, tables=tables)
    expected = [("T", ()), ("U", (Lookup("b", (1,)),)), ("U", (Lookup("b", (2,)),))]
    assert expected == [(name, lookups) for _, name, lookups, _ in tables.asked]


def test_a_condition_is_checked_as_soon_as_it_can_be() -> None:
    """A row that a condition on the first source rules out costs nothing further right."""
    expected = [("T", (Lookup("a", (2,)),))]
    assert expected == asked("SELECT * FROM T AS t, U AS u WHERE t.a = 2")


def test_unqualified_names_of_a_join_are_no_look_ups() -> None:
    """A name that could be a field of either table is not offered to an index."""
    assert [("T", ()), ("U", ())] == asked("SELECT * FROM T AS t, U AS u WHERE a = 1")


def test_history_bounds_are_evaluated() -> None:
    """history() hands its start and end over; a 'tableId' is marked as one."""
    tables = Tables({"T": sliced({"a": 1})})
    rows("SELECT * FROM history('T', ?, 2) AS h", 1, tables=tables)
    assert [(TableKind.HISTORY, "T", (), (1, 2))] == tables.asked
    plan = compile_statement(parse_statement("SELECT * FROM history('T') AS h"))
    assert isinstance(plan, SelectPlan)
    assert plan.sources[0].table is not None
    assert plan.sources[0].table.is_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "SELECT * FROM T AS t BY d, U AS u WHERE d = ? AND u.a = t.b AND u.c > 1",
            [("t", "T", [(None, "=")], 1, 0), ("u", "U", [("a", "=")], 2, 0)],
        ),
        (
            "SELECT * FROM T AS t, @t.l AS x WHERE t.a IN ? AND x = 1",
            [("t", "T", [("a", "IN")], 1, 0), ("x", None, [], 1, 0)],
        ),
        (
            "SELECT (SELECT VALUE y FROM x.l AS y) FROM (SELECT * FROM T WHERE a IN (1)) AS x, U",
            [
                ("x", None, [], 0, 0),
                ("U", "U", [], 0, 0),
                ("T", "T", [("a", "IN")], 1, 1),
                ("y", None, [], 0, 1),
            ],
        ),
        ("INSERT INTO T (SELECT VALUE u FROM U AS u)", [("u", "U", [], 0, 1)]),
        ("DELETE FROM T WHERE a = 1", [("T", "T", [("a", "=")], 1, 0)]),
    ],
)
def test_plan_says_how_sources_are_reached(text: str, expected: list[Any]) -> None:
    """A plan lists its sources in nesting order, those of sub-queries behind their query's."""
    found = [
        (
            source.name,
            None if source.table is None else source.table.name,
            [(lookup.field, lookup.operator) for lookup in source.lookups],
            source.filters,
            source.depth,
        )
        for source in compile_statement(parse_statement(text)).sources
    ]
    assert expected == found

"""What QLDB did not have and `extensions` allow: order, groups, limits, CASE."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream import ion
from qldb_stream.errors import (
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql import index_key, parse_statement
from qldb_stream.partiql._order import sort_key
from qldb_stream.partiql._values import is_equal, is_unknown
from qldb_stream.partiql.ast import Case, Clauses, GroupKey, Identifier, Literal, Select, SortKey
from qldb_stream.testing.strategies.ion_values import ion_values
from tests.partiql.tables import Tables, rows, sliced

CARS = Tables(
    {
        "Car": sliced(
            {"vin": "A", "make": "Audi", "age": 2012, "price": 5},
            {"vin": "B", "make": "BMW", "age": 2011, "price": 7.5},
            {"vin": "C", "make": "Audi", "age": 2011},
            {"vin": "D", "make": None, "age": 2013, "price": 5},
            {"vin": "E", "age": 2010, "price": None},
        ),
        "Person": sliced({"name": "Ann", "cars": ["A", "B"]}, {"name": "Bob", "cars": ["D"]}),
    }
)


def extended(text: str, *parameters: Any, tables: Tables = CARS) -> list[Any]:
    """Execute a query with extensions on."""
    return rows(text, *parameters, tables=tables, extensions=True)


@pytest.mark.parametrize(
    ("tail", "vins"),
    [
        ("ORDER BY c.vin DESC", "EDCBA"),
        ("ORDER BY vin", "ABCDE"),
        ("ORDER BY c.age, c.vin DESC", "ECBAD"),
        ("ORDER BY c.age DESC, c.vin ASC", "DABCE"),
        ("ORDER BY c.age DESC, c.vin LIMIT 2", "DA"),
        ("ORDER BY c.make", "ACBDE"),
        ("ORDER BY c.make DESC", "DEBAC"),
        ("ORDER BY c.make NULLS FIRST, c.vin DESC", "EDCAB"),
        ("ORDER BY c.make DESC NULLS LAST LIMIT 4", "BACD"),
        ("ORDER BY c.price, c.vin DESC", "DABEC"),
        ("ORDER BY - c.age", "DABCE"),
        ("ORDER BY c.vin LIMIT 2 OFFSET 1", "BC"),
        ("ORDER BY c.vin OFFSET 3", "DE"),
        ("LIMIT 2", "AB"),
        ("LIMIT 0", ""),
        ("LIMIT ?", "ABC"),
        ("LIMIT 1 + 1 OFFSET 2", "CD"),
        ("OFFSET 4", "E"),
        ("OFFSET 9", ""),
        ("LIMIT 99999999999999999999999 OFFSET 99999999999999999999999", ""),
        ("WHERE c.age > 2010 ORDER BY c.vin LIMIT 1", "A"),
    ],
)
def test_rows_in_order(tail: str, vins: str) -> None:
    """ORDER BY, LIMIT and OFFSET; rows whose keys are equal stay as they came."""
    parameters = [3] * tail.count("?")
    assert list(vins) == extended(f"SELECT VALUE c.vin FROM Car AS c {tail}", *parameters)


def test_a_column_can_be_ordered_by() -> None:
    """The name of a column means the column, also where a field has that name."""
    text = "SELECT c.vin AS age, c.age * 2 AS twice FROM Car AS c ORDER BY {} LIMIT 1"
    assert [{"age": "E", "twice": 4020}] == extended(text.format("twice"))
    assert [{"age": "A", "twice": 4024}] == extended(text.format("age"))
    assert ["E"] == extended("SELECT VALUE vin FROM Car ORDER BY age LIMIT 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "SELECT make, COUNT(*) AS n FROM Car GROUP BY make",
            [{"make": "Audi", "n": 2}, {"make": "BMW", "n": 1}, {"make": None, "n": 2}],
        ),
        (
            "SELECT c.make m, SUM(price) s FROM Car c WHERE price > 0 GROUP BY make ORDER BY s",
            [{"m": "Audi", "s": 5}, {"m": None, "s": 5}, {"m": "BMW", "s": Decimal("7.5")}],
        ),
        (
            "SELECT y, MAX(c.vin) FROM Car AS c WHERE false GROUP BY c.age AS y",
            [],
        ),
        (
            "SELECT y % 2 odd, COUNT(*) n FROM Car c GROUP BY c.age AS y HAVING COUNT(*) > 1",
            [{"odd": 1, "n": 2}],
        ),
        (
            "SELECT VALUE [age % 2, COUNT(*)] FROM Car GROUP BY age % 2 ORDER BY COUNT(*) DESC",
            [[1, 3], [0, 2]],
        ),
        (
            "SELECT VALUE make FROM Car GROUP BY make, price ORDER BY make DESC NULLS LAST LIMIT 2",
            ["BMW", "Audi"],
        ),
        (
            "SELECT (SELECT VALUE m.c.vin FROM g AS m) AS vins FROM Car c GROUP BY null GROUP AS g",
            [{"vins": ["A", "B", "C", "D", "E"]}],
        ),
        ("SELECT COUNT(*) AS n FROM Car HAVING COUNT(*) > 5", []),
        ("SELECT 1 AS one FROM Car HAVING true", [{"one": 1}]),
        ("SELECT DISTINCT make FROM Car", [{"make": "Audi"}, {"make": "BMW"}, {"make": None}, {}]),
        ("SELECT DISTINCT VALUE v FROM << 1, 1.0, `a::1`, 'b', `b`, null >> AS v", [1, "b", None]),
        ("SELECT DISTINCT VALUE v FROM << 3, 1, 3, 2 >> AS v ORDER BY v LIMIT 2", [1, 2]),
        ("SELECT COUNT(DISTINCT price) AS n FROM Car", [{"n": 2}]),
        ("SELECT VALUE SUM(DISTINCT v) FROM << 1, 1, 2.5, null >> AS v", [Decimal("3.5")]),
        ("SELECT VALUE AVG(ALL v) FROM << 1, 1, 4 >> AS v", [Decimal(2)]),
        (
            "SELECT p.name, COUNT(*) n FROM Person p, @p.cars AS c GROUP BY p.name ORDER BY n",
            [{"name": "Bob", "n": 1}, {"name": "Ann", "n": 2}],
        ),
        (
            "SELECT VALUE (SELECT VALUE c FROM p.cars c ORDER BY c DESC LIMIT 1) FROM Person p",
            [["B"], ["D"]],
        ),
        (
            "SELECT VALUE (SELECT VALUE COUNT(*) FROM p.cars c GROUP BY p.name) FROM Person p",
            [[2], [1]],
        ),
        (
            "SELECT * FROM (SELECT make, COUNT(*) AS n FROM Car GROUP BY make) AS s WHERE s.n = 1",
            [{"make": "BMW", "n": 1}],
        ),
    ],
)
def test_groups(text: str, expected: list[Any]) -> None:
    """GROUP BY, HAVING, GROUP AS and DISTINCT; NULL and MISSING are one key."""
    assert expected == extended(text)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "CASE WHEN v = 1 THEN 'one' WHEN v = 2 THEN 'two' ELSE 'many' END",
            ["one", "two", "many"],
        ),
        ("CASE v WHEN 1 THEN 'one' WHEN 2.0 THEN 'two' END", ["one", "two", None]),
        ("CASE WHEN null THEN 1 WHEN missing THEN 2 ELSE v END", [1, 2, 3]),
        ("CASE WHEN v > 1 THEN CASE v WHEN 2 THEN 'x' ELSE 'y' END END", [None, "x", "y"]),
        ("CASE null WHEN null THEN 1 ELSE 0 END", [0, 0, 0]),
        ("CASE WHEN v = 1 THEN `a::2017T` ELSE {'a': v} END.a", [None, 2, 3]),
    ],
)
def test_case(expression: str, expected: list[Any]) -> None:
    """The first branch that is true counts; without any, ELSE or NULL."""
    text = f"SELECT {expression} AS a FROM << 1, 2, 3 >> AS v"
    assert expected == [row.get("a") for row in extended(text)]


def test_case_may_change_documents() -> None:
    """The extensions that are expressions stand wherever an expression may."""
    (row,) = extended("SELECT VALUE SIZE((SELECT VALUE v FROM [3, 1] AS v LIMIT 1)) FROM << 0 >>")
    assert 1 == row


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("SELECT * FROM T ORDER BY a", Clauses(order_by=(SortKey(Identifier("a")),))),
        (
            "select * from T order by a desc nulls first, b asc limit 1 offset 2",
            Clauses(
                order_by=(
                    SortKey(Identifier("a"), descending=True, nulls_first=True),
                    SortKey(Identifier("b")),
                ),
                limit=Literal(1),
                offset=Literal(2),
            ),
        ),
        (
            "SELECT DISTINCT * FROM T GROUP BY a AS x, b GROUP AS g HAVING c",
            Clauses(
                distinct=True,
                group_by=(GroupKey(Identifier("a"), "x"), GroupKey(Identifier("b"))),
                group_as="g",
                having=Identifier("c"),
            ),
        ),
        ("SELECT ALL * FROM T", None),
    ],
)
def test_clauses_become_trees(text: str, clauses: Clauses | None) -> None:
    """Each clause is read to where the next one begins."""
    select = parse_statement(text, extensions=True).statement
    assert isinstance(select, Select)
    assert clauses == select.clauses


def test_case_becomes_a_tree() -> None:
    """Both forms of CASE are one node."""
    select = parse_statement("SELECT VALUE CASE a WHEN 1 THEN 2 END FROM T", extensions=True)
    assert isinstance(select.statement, Select)
    assert Case(Identifier("a"), ((Literal(1), Literal(2)),)) == select.statement.value


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("SELECT * FROM T ORDER a", 23, "expected keyword by, IDENTIFIER : a"),
        ("SELECT * FROM T ORDER BY a NULLS", 33, "expected keyword first or last, EOF"),
        ("SELECT * FROM T LIMIT 1 ORDER BY a", 25, "unexpected token found, KEYWORD : order"),
        ("SELECT * FROM T GROUP AS g", 23, "expected keyword by, KEYWORD : as"),
        ("UPDATE T SET a = 1 LIMIT 1", 20, "unexpected token found, KEYWORD : limit"),
        ("SELECT CASE END FROM T", 13, "expected expression, KEYWORD : end"),
        ("SELECT CASE a END FROM T", 15, "expected keyword when, KEYWORD : end"),
        ("SELECT CASE WHEN a THEN b FROM T", 27, "expected keyword end, KEYWORD : from"),
        ("SELECT COUNT(DISTINCT *) FROM T", 23, "expected expression, OPERATOR : *"),
    ],
)
def test_a_clause_that_goes_wrong(text: str, column: int, problem: str) -> None:
    """A clause that cannot be read is an error where it goes wrong."""
    with pytest.raises(PartiqlParseError) as caught:
        parse_statement(text, extensions=True)
    assert (1, column) == (caught.value.line, caught.value.column)
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("SELECT * FROM T UNION SELECT * FROM T", "UNION"),
        ("SELECT * FROM T LEFT JOIN U ON a", "LEFT JOIN"),
        ("SELECT * FROM T FETCH FIRST 1 ROWS ONLY", "FETCH"),
        ("SELECT SUM(a) OVER (b) FROM T", "window function (OVER)"),
        ("SELECT * FROM UNPIVOT T", "UNPIVOT"),
    ],
)
def test_extensions_are_not_everything(text: str, feature: str) -> None:
    """Set operations, outer joins and windows are refused by name all the same."""
    with pytest.raises(UnsupportedPartiqlError) as caught:
        parse_statement(text, extensions=True)
    assert feature == caught.value.feature


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT c.vin FROM Car AS c GROUP BY c.make", "'c' is neither a key of GROUP BY nor in"),
        ("SELECT vin FROM Car GROUP BY make", "'vin' is neither a key of GROUP BY nor in"),
        ("SELECT * FROM Car GROUP BY make", "`SELECT *` cannot stand for groups"),
        ("SELECT * FROM Car HAVING true", "`SELECT *` cannot stand for groups"),
        ("SELECT * FROM Car ORDER BY COUNT(*)", "`SELECT *` cannot stand for groups"),
        ("SELECT COUNT(*) FROM Car ORDER BY make", "'make' stands beside an aggregate"),
        ("SELECT COUNT(*) FROM Car HAVING make = 1", "'make' stands beside an aggregate"),
        ("SELECT make FROM Car HAVING true", "'make' stands beside an aggregate"),
        ("SELECT make FROM Car GROUP BY COUNT(*)", "aggregate COUNT is only allowed in a SELECT"),
        ("SELECT * FROM Car ORDER BY 1", "ORDER BY takes names and expressions, not positions"),
        ("SELECT * FROM Car LIMIT vin", "No such variable named 'vin'"),
        ("SELECT * FROM Car LIMIT COUNT(*)", "aggregate COUNT is only allowed in a SELECT"),
    ],
)
def test_what_makes_no_sense(text: str, problem: str) -> None:
    """A name that a group does not have, a star for groups, a position: refused before it runs."""
    with pytest.raises(PartiqlSemanticError) as caught:
        extended(text)
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize("count", ["-1", "1.5", "'a'", "null", "true", "missing"])
def test_a_count_is_a_whole_number(count: str) -> None:
    """LIMIT and OFFSET take whole numbers from 0 on."""
    for word in ("LIMIT", "OFFSET"):
        with pytest.raises(PartiqlEvaluationError, match=f"{word} expects a whole number"):
            extended(f"SELECT * FROM Car {word} {count}")


class Endless(Tables):
    """A table without end, which counts how far it was read."""

    def __init__(self) -> None:
        super().__init__({})
        self.read = 0

    def iter_rows(self, *_: Any) -> Iterable[tuple[str | None, Any]]:
        """Give row after row."""
        while True:
            self.read += 1
            yield f"d{self.read}", {"n": self.read}


def test_a_limit_stops_reading() -> None:
    """Without ORDER BY no row is read that LIMIT does not let through."""
    endless = Endless()
    assert [{"n": 3}, {"n": 4}] == extended("SELECT * FROM T LIMIT 2 OFFSET 2", tables=endless)
    assert 4 == endless.read


# --- the order of all values ---------------------------------------------------------------------

IN_ORDER = """
false true nan -inf -1 0 5e-1 1.5 2 1d400 +inf 2016T 2017-01T 2017-01-01T00:00:00.5Z '' a "b" {{}}
{{AAEC}} {{"b"}} [] [null] [1] [1,2] [2] () (a) {} {a:1} {a:1,b:2} {a:2} {b:1}
"""


def test_the_order_of_types() -> None:
    """Values of all types have one order, shorter containers first."""
    values = [value.decode() for value in ion.iter_text(" ".join(IN_ORDER.split()))]
    keys = [sort_key(value) for value in values]
    assert sorted(keys) == keys
    assert len(keys) == len({repr(key) for key in keys})


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a:", "}")])
def test_the_deepest_values_have_an_order(opening: str, closing: str) -> None:
    """As deep as Ion values may nest, they can be ordered and told apart."""
    deep = ion.MAX_DEPTH - 1
    first, last = (next(ion.iter_text(opening * deep + number + closing * deep)) for number in "12")
    found = extended(
        "SELECT DISTINCT VALUE v FROM << ?, ?, ? >> AS v ORDER BY v", last, first, last
    )
    assert [first.hash(), last.hash()] == [ion.ion_hash(value) for value in found]


@given(st.lists(ion_values(max_leaves=4), max_size=6))
def test_any_values_can_be_ordered(values: list[Any]) -> None:
    """Order is total: values sort, and equal ones are exactly those with equal keys."""
    found = extended("SELECT VALUE v FROM ? AS v ORDER BY v", values)
    keys = [(is_unknown(value), [] if is_unknown(value) else sort_key(value)) for value in found]
    assert sorted(keys) == keys
    assert found[::-1] == found[::-1]
    for a in values:
        for b in values:
            if not is_unknown(a) and not is_unknown(b) and index_key(a) == index_key(b):
                assert is_equal(a, b)
                assert sort_key(a) == sort_key(b)


@given(st.lists(st.integers(0, 9) | st.none(), max_size=12), st.integers(0, 12), st.integers(0, 4))
def test_a_limit_is_the_beginning_of_the_whole(values: list[Any], limit: int, offset: int) -> None:
    """What LIMIT and OFFSET let through is that part of the whole answer, in either direction."""
    for direction in ("ASC", "DESC", "ASC NULLS FIRST", "DESC NULLS LAST"):
        text = f"SELECT i, v FROM ? AS v AT i ORDER BY v {direction}"
        whole = extended(text, values)
        part = extended(f"{text} LIMIT ? OFFSET ?", values, limit, offset)
        assert whole[offset : offset + limit] == part

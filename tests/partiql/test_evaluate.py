from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qldb_stream import ion
from qldb_stream.errors import (
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    UnsupportedPartiqlError,
)
from qldb_stream.partiql import Context, SelectPlan, compile_statement, parse_statement
from tests.partiql.tables import Tables, decode, rows, value_of

MISSING_PATH = "{'a': 1}.b"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2", 3),
        ("1 - 2", -1),
        ("2 * 3", 6),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("1 + 0.50", Decimal("1.50")),
        ("1.0 / 3", Decimal("0.33333333333333333333333333333333333333")),
        ("`1e0` + 1", 2.0),
        ("`1e0` / 2", 0.5),
        ("`-5e0` % 3", -2.0),
        ("`1e0` + 1.5", Decimal("2.5")),
        ("`a::1` + 1", 2),
        ("- 5", -5),
        ("-1.50", Decimal("-1.50")),
        ("-0.0", Decimal("-0.0")),
        ("- ?", None),
        ("+ 5", 5),
        ("- `1.5`", Decimal("-1.5")),
        ("- `2e0`", -2.0),
        ("1 + null", None),
        (f"1 + {MISSING_PATH}", None),
        ("'a' || 'b'", "ab"),
        ("'a' || `b`", "ab"),
        ("'a' || null", None),
    ],
)
def test_arithmetic(expression: str, expected: Any) -> None:
    """Arithmetic keeps its types' rules, decimals their digits, NULL stays NULL."""
    parameters = [None] * expression.count("?")
    found = value_of(expression, *parameters)
    assert expected == found
    assert type(expected) is type(found)
    assert str(expected) == str(found)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 = 1.0", True),
        ("1 = '1'", False),
        ("1 <> 2", True),
        ("[1] = [1]", True),
        ("{'a': 1} = {'a': `1e0`}", True),
        ("1 = null", None),
        (f"1 = {MISSING_PATH}", None),
        ("null = null", None),
        ("`null.int` = 1", None),
        ("1 < 2", True),
        ("2 <= 2.0", True),
        ("3 > `4e0`", False),
        ("'b' >= `a`", True),
        ("`2017T` < `2017-01-02T`", True),
        ("1 < 'a'", None),
        ("[1] < [2]", None),
        ("1 < null", None),
        ("2 BETWEEN 1 AND 3", True),
        ("2 NOT BETWEEN 1 AND 3", False),
        ("5 BETWEEN 1 AND 3", False),
        ("5 BETWEEN null AND 3", False),
        ("2 BETWEEN null AND 3", None),
        ("'a' BETWEEN 1 AND 3", None),
        ("1 IN (1, 2)", True),
        ("1 NOT IN (1, 2)", False),
        ("3 IN (1, 2)", False),
        ("3 IN (1, null)", None),
        ("3 NOT IN (1, null)", None),
        ("null IN (1, null)", None),
        ("1 IN [1.0]", True),
        ("1 IN << 2, 1 >>", True),
        ("1 IN ()", False),
        ("1 IN 5", None),
        ("1 IN null", None),
        ("1 IN `(2 1)`", True),
        ("1 IN (SELECT VALUE x FROM << 1, 2 >> AS x)", True),
        ("null IS NULL", True),
        ("`null.int` IS NULL", True),
        (f"{MISSING_PATH} IS NULL", True),
        (f"{MISSING_PATH} IS MISSING", True),
        ("null IS MISSING", False),
        ("null IS NOT NULL", False),
        ("1 IS INT", True),
        ("1 IS NOT DECIMAL", True),
        ("'a' IS STRING", True),
        ("`a` IS SYMBOL", True),
        ("`{{aGk=}}` IS BLOB", True),
        ("`(1)` IS SEXP", True),
        ("{} IS STRUCT", True),
        ("{} IS TUPLE", True),
        ("[] IS LIST", True),
        ("<< >> IS BAG", True),
        ("true IS BOOL", True),
        ("`2017T` IS TIMESTAMP", True),
        ("1 IS ANY", True),
        ("'abc' LIKE 'a%'", True),
        ("'abc' LIKE '_b_'", True),
        ("'abc' LIKE 'b%'", False),
        ("'abc' NOT LIKE 'b%'", True),
        ("'a.c' LIKE 'a.c'", True),
        ("'abc' LIKE 'a.c'", False),
        ("'line\nend' LIKE 'line%end'", True),
        ("'xaxbxcx' LIKE '%a%b%c%'", True),
        ("'ab' LIKE '%b%b'", False),
        ("'50%' LIKE '50\\%' ESCAPE '\\'", True),
        ("'505' LIKE '50\\%' ESCAPE '\\'", False),
        ("'' LIKE '%'", True),
        ("'a' LIKE null", None),
        ("1 LIKE 'a'", None),
        ("true AND true", True),
        ("true AND null", None),
        ("false AND null", False),
        ("true OR null", True),
        ("false OR null", None),
        (f"false OR {MISSING_PATH}", None),
        ("NOT true", False),
        ("NOT null", None),
        ("NOT `a::false`", True),
        ("`a::true` AND true", True),
        ("1 = 1 AND 2 = 2 AND 3 = 4", False),
        ("false AND 1 = 1 OR true", True),
        ("false AND 'no boolean'", False),
    ],
)
def test_condition(expression: str, expected: Any) -> None:
    """Comparisons and logic are three-valued, across numeric types, as facts 5.4 say."""
    assert expected is value_of(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{'a': {'b': [1, 2]}}.a.b[1]", 2),
        ("{'a': {'B': 1}}.A.b", 1),
        ("{'a': 1}['a']", 1),
        ("{'a': 1}['A']", None),
        ("[1, 2][?]", 2),
        ("{'a': 1, 'b': null.x, 'c': 3}.c", 3),
        ("{'a' || 'b': 1}", {"ab": 1}),
        ("{'a': {'b': 1}.c}", {}),
        ("[1, {'b': 1}.c]", [1, None]),
        ("<< 1, 2 >>", [1, 2]),
        ("{'a': << 1 >>}", {"a": [1]}),
        ("(1, 2)", [1, 2]),
        ("(SELECT VALUE x FROM [1, 2] AS x)", [1, 2]),
    ],
)
def test_paths_and_constructors(expression: str, expected: Any) -> None:
    """Paths read members and elements; constructors leave MISSING out, a bag becomes a list."""
    parameters = [1] * expression.count("?")
    assert expected == value_of(expression, *parameters)


def test_repeated_names_are_kept() -> None:
    """A struct constructor that repeats a name makes a struct that has it twice."""
    struct = value_of("{'a': 1, 'a': 2}")
    assert [("a", 1), ("a", 2)] == list(struct.items())


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SIZE([1, 2])", 2),
        ("SIZE({'a': 1})", 1),
        ("SIZE(<< >>)", 0),
        ("EXISTS([])", False),
        ("EXISTS({'a': 1})", True),
        ("COALESCE(null, {'a': 1}.b, 3)", 3),
        ("COALESCE(null)", None),
        ("NULLIF(1.0, 1)", None),
        ("NULLIF(1, '1')", 1),
        ("NULLIF([1], [1])", None),
        ("NULLIF(null, 1)", None),
        ("NULLIF(1, null)", 1),
        ("CHAR_LENGTH('äöü')", 3),
        ("CHARACTER_LENGTH('')", 0),
        ("LOWER('AbC')", "abc"),
        ("UPPER(`AbC`)", "ABC"),
        ("UPPER(null)", None),
        ("UPPER({'a': 1}.b)", None),
        ("SUBSTRING('123456789', 0, 2)", "1"),
        ("SUBSTRING('123456789', 1, 2)", "12"),
        ("SUBSTRING('123456789', -4)", "123456789"),
        ("SUBSTRING('123456789', -4, 3)", ""),
        ("SUBSTRING('123456789', 8, 100)", "89"),
        ("SUBSTRING('123', 5)", ""),
        ("TRIM('  a\t ')", "a\t"),
        ("TRIM(LEADING FROM ' a ')", "a "),
        ("TRIM(TRAILING FROM ' a ')", " a"),
        ("TRIM(BOTH '12' FROM '1112211foobar22211122')", "foobar"),
        ("TXID()", "tx"),
        ("UTCNOW()", "now"),
    ],
)
def test_function(expression: str, expected: Any) -> None:
    """Functions do what facts 5.5 say; an unknown argument gives NULL."""
    assert expected == value_of(expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 + 'a'", "expected a number, found string"),
        ("true + 1", "expected a number, found bool"),
        ("- 'a'", "expected a number, found string"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("1.0 / 0", "division by zero"),
        ("`1e0` / 0", "division by zero"),
        ("`1e300` * `1e300` * 1.5", "number out of range"),
        ("1 || 'a'", "|| expects text, found int"),
        ("'yes' AND true", "expected a boolean, found string"),
        ("NOT 5", "expected a boolean, found int"),
        ("{1: 2}", "a struct's key must be text"),
        ("SIZE(1)", "SIZE expects a container, found int"),
        ("EXISTS(1)", "EXISTS expects a container, found int"),
        ("LOWER(1)", "expected text, found int"),
        ("SUBSTRING('a', 'b')", "SUBSTRING expects whole numbers for start and length"),
        ("SUBSTRING('a', 1, -1)", "SUBSTRING expects a length that is not negative"),
        ("'a' LIKE 'a' ESCAPE 'xy'", "ESCAPE must be one character"),
        (
            "'a' LIKE 'xa' ESCAPE 'x'",
            "LIKE pattern has an escape character before an ordinary one",
        ),
        ("'a' LIKE 'ax' ESCAPE 'x'", "LIKE pattern has an escape character"),
        ("?" + " * ?" * 40, "number out of range"),
        ("? * `1e0`", "number out of range"),
    ],
)
def test_evaluation_error(expression: str, problem: str) -> None:
    """An expression that fails on the values it meets says what and where."""
    parameters = [2**2000] * expression.count("?")
    with pytest.raises(PartiqlEvaluationError) as caught:
        value_of(expression, *parameters)
    assert caught.value.problem.startswith(problem)
    assert 1 == caught.value.line
    assert 1 < caught.value.column


@pytest.mark.parametrize(
    ("expression", "column", "feature"),
    [
        ("foo(1)", 15, "function FOO"),
        ("1 + POSITION('a', 'b')", 19, "function POSITION"),
        ("{'a': 1}.*.b", 23, "a wildcard in a path"),
        ("[1][*]", 18, "a wildcard in a path"),
    ],
)
def test_unsupported_before_anything_runs(expression: str, column: int, feature: str) -> None:
    """A function or form that is not known is refused by name when it is compiled."""
    parsed = parse_statement(f"SELECT VALUE [{expression}] FROM T")
    with pytest.raises(UnsupportedPartiqlError) as caught:
        compile_statement(parsed)
    assert UnsupportedPartiqlError(1, column, feature) == caught.value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT VALUE TXID(1) FROM << 0 >>", "TXID takes no arguments"),
        ("SELECT VALUE SIZE(1, 2) FROM << 0 >>", "SIZE does not take 2 arguments"),
        ("SELECT VALUE x FROM << x >>", "No such variable named 'x'; No such variable named 'x'"),
        ("SELECT VALUE @y FROM << 0 >> AS x", "No such variable named 'y'; "),
        (
            "SELECT x FROM << 0 >> AS x WHERE COUNT(*) = 1",
            "aggregate COUNT is only allowed in a SELECT list",
        ),
        (
            "SELECT SUM(MAX(x)) FROM << 0 >> AS x",
            "aggregate MAX is only allowed in a SELECT list",
        ),
        ("SELECT x FROM << 0 >> AS x BY y", "BY is only allowed with a table"),
        ("SELECT COUNT(*), x FROM << 0 >> AS x", "'x' stands beside an aggregate"),
        ("SELECT VALUE COUNT(*) + x FROM << 0 >> AS x", "'x' stands beside an aggregate"),
    ],
)
def test_semantic_error(text: str, problem: str) -> None:
    """A name or a call that makes no sense is refused when it is compiled."""
    with pytest.raises(PartiqlSemanticError) as caught:
        compile_statement(parse_statement(text))
    assert caught.value.problem.startswith(problem)


def test_number_of_parameters_is_checked() -> None:
    """Too few or too many parameters are an error before anything is read."""
    for parameters in [(), (1, 2)]:
        with pytest.raises(PartiqlSemanticError, match="expected 1 parameter, found"):
            rows("SELECT VALUE ? FROM << 0 >>", *parameters)


def test_parameters_stay_slices_until_somebody_looks_inside() -> None:
    """A parameter that is only passed on is the very slice; one that is compared is decoded."""
    given = ion.to_slice({"a": 1})
    plan = compile_statement(parse_statement("SELECT VALUE ? FROM << 0 >> WHERE ?.a = 1"))
    assert isinstance(plan, SelectPlan)
    (row,) = plan.iter_rows(Context(Tables({}), (given, given)))
    assert row is given
    assert {"a": 1} == decode(row)


def test_ion_literals_keep_everything() -> None:
    """Annotations, symbols, typed nulls and precision of a back-tick literal reach the row."""
    text = "x::{a: y, b: null.int, c: 2017T, d: 1.50, e: {{aGk=}}}"
    plan_rows = rows(f"SELECT VALUE `{text}` FROM << 0 >>")
    (expected,) = ion.iter_text(text)
    assert expected.hash() == ion.ion_hash(plan_rows[0])


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("[", "]"),
        ("{'a': ", "}"),
        ("NOT ", " IS NULL"),
        ("COALESCE(", ")"),
        ("1 + (", ")"),
        ("(SELECT VALUE ", " FROM << 0 >>)"),
        ("CASE WHEN true THEN ", " END"),
        ("CASE ", " WHEN 1 THEN 2 END"),
        ("CAST(", " AS ANY)"),
        ("(SELECT DISTINCT VALUE COUNT(", ") FROM << 0 >> HAVING true ORDER BY COUNT(*) LIMIT 1)"),
        ("(SELECT VALUE k FROM << 0 >> GROUP BY ", " AS k HAVING true ORDER BY k DESC LIMIT 1)"),
        ("(SELECT VALUE 1 FROM << 0 >> ORDER BY ", " LIMIT 1)"),
    ],
)
def test_the_deepest_statements_can_be_executed(opening: str, closing: str) -> None:
    """What the parser lets pass never exceeds Python's own bound when it is carried out."""
    deepest = 0
    for depth in range(1, 70):
        chain = " + 1" * 60
        text = f"SELECT VALUE {opening * depth}1{chain}{closing * depth} FROM << 0 >>"
        try:
            plan = compile_statement(parse_statement(text, extensions=True))
        except PartiqlParseError:
            break
        assert isinstance(plan, SelectPlan)
        list(plan.iter_rows(Context(Tables({}))))
        deepest = depth
    assert deepest >= 15


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("", ".b"),
        ("", "[0]"),
        ("[0][", "]" + ".b" * 10),
        ("(SELECT VALUE ", " FROM" + " << 0 >>," * 9 + " << 0 >>)"),
        ("(SELECT VALUE 0 FROM" + " << 0 >>," * 9, ")"),
    ],
)
def test_long_paths_and_froms_can_be_executed_or_are_refused(opening: str, closing: str) -> None:
    """However steps and sources are nested, the parser refuses before Python's bound."""
    for depth in range(1, 200):
        text = f"SELECT VALUE {opening * depth}{{'a': 0}}{closing * depth} FROM << 0 >>"
        try:
            plan = compile_statement(parse_statement(text))
        except PartiqlParseError:
            break
        assert isinstance(plan, SelectPlan)
        list(plan.iter_rows(Context(Tables({}))))
    assert 3 <= depth <= 128

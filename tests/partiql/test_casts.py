"""CAST: the rules of facts 5.5, and every pair of types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream import ion
from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql import MISSING
from qldb_stream.testing.strategies.ion_values import ion_values
from tests.partiql.tables import rows, value_of

TYPES = [
    *("ANY", "BAG", "BLOB", "BOOL", "CLOB", "DECIMAL", "FLOAT", "INT", "LIST", "MISSING"),
    *("NULL", "SEXP", "STRING", "STRUCT", "SYMBOL", "TIMESTAMP"),
]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CAST(null AS null)", "null"),
        ("CAST(missing AS null)", "null"),
        ("CAST(null AS boolean)", "null"),
        ("CAST('a' AS boolean)", "false"),
        ("CAST('true' AS boolean)", "true"),
        ("CAST('TRUE' AS boolean)", "true"),
        ("CAST(0 AS boolean)", "false"),
        ("CAST(0.5 AS boolean)", "true"),
        ("CAST(1.45 AS integer)", "1"),
        ("CAST(1.75 AS integer)", "1"),
        ("CAST(-1.75 AS integer)", "-1"),
        ("CAST('12' AS integer)", "12"),
        ("CAST('-12' AS integer)", "-12"),
        ("CAST(true AS int)", "1"),
        ("CAST(`1e1` AS int)", "10"),
        ("CAST(`a::5` AS int)", "a::5"),
        ("CAST(5 AS decimal)", "5."),
        ("CAST(`1.5e0` AS decimal)", "1.5"),
        ("CAST('1.50' AS decimal)", "1.50"),
        ("CAST('1.5d2' AS decimal)", "15d1"),
        ("CAST(false AS decimal)", "0."),
        ("CAST(1 AS float)", "1e0"),
        ("CAST('2.5' AS double precision)", "2.5e0"),
        ("CAST(true AS float)", "1e0"),
        ("CAST(1 AS string)", '"1"'),
        ("CAST(1.50 AS varchar(10))", '"1.50"'),
        ("CAST(`1e0` AS string)", '"1.0"'),
        ("CAST(true AS string)", '"true"'),
        ("CAST(`2017T` AS string)", '"2017T"'),
        ("CAST(`2017-02T` AS string)", '"2017-02T"'),
        ("CAST(`2017-02-03T` AS string)", '"2017-02-03"'),
        ("CAST(`2017-02-03T04:05Z` AS string)", '"2017-02-03T04:05Z"'),
        ("CAST(`2017-02-03T04:05:06.70-00:00` AS string)", '"2017-02-03T04:05:06.70-00:00"'),
        ("CAST(`sym` AS string)", '"sym"'),
        ("CAST('text' AS symbol)", "text"),
        ("CAST(5 AS symbol)", "'5'"),
        ("CAST('2017-02T' AS timestamp)", "2017-02T"),
        ('CAST(`{{"x"}}` AS blob)', "{{eA==}}"),
        ("CAST(`{{eA==}}` AS clob)", '{{"x"}}'),
        ("CAST(<< 1 >> AS list)", "[1]"),
        ("CAST(`(a b)` AS list)", "[a, b]"),
        ("CAST([1, 'a'] AS sexp)", '(1 "a")'),
        ("CAST([1] AS bag)", "[1]"),
        ("CAST({'a': 1} AS struct)", "{a: 1}"),
        ("CAST(1 AS any)", "1"),
    ],
)
def test_cast(expression: str, expected: str) -> None:
    """A value of another type is converted, one that has the type stays as it is."""
    assert next(ion.iter_text(expected)) == ion.to_slice(value_of(expression))


@pytest.mark.parametrize(
    "expression", ["CAST(missing AS missing)", "CAST(null AS missing)", "CAST(missing AS boolean)"]
)
def test_a_cast_may_give_missing(expression: str) -> None:
    """MISSING stays MISSING, and NULL can be made it (facts 5.5)."""
    assert [{}] == rows(f"SELECT {expression} AS a FROM << 0 >>")


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("CAST('aa' AS integer)", "Cast failed: cannot convert string to int"),
        ("CAST('1.5' AS integer)", "Cast failed: cannot convert string to int"),
        ("CAST(1 AS null)", "Cast failed: cannot convert int to null"),
        ("CAST(true AS missing)", "Cast failed: cannot convert bool to missing"),
        ("CAST([1] AS boolean)", "Cast failed: cannot convert list to bool"),
        ("CAST(1 AS timestamp)", "Cast failed: cannot convert int to timestamp"),
        ("CAST('x' AS timestamp)", "the text is no timestamp in Ion's syntax"),
        ("CAST('x' AS float)", "Cast failed: cannot convert string to float"),
        ("CAST('x' AS blob)", "Cast failed: cannot convert string to blob"),
        ("CAST([] AS struct)", "Cast failed: cannot convert list to struct"),
        ("CAST([1] AS string)", "Cast failed: cannot convert list to string"),
        ("CAST('1e99999' AS decimal)", "number out of range"),
        ("CAST(`1d99999` AS int)", "number out of range"),
        ("CAST(`1d99999` AS string)", "number out of range"),
        ("CAST(`nan` AS int)", "number out of range"),
        ("CAST(? AS float)", "number out of range"),
        ("CAST(1e400 AS float)", "number out of range"),
        ("CAST('1e400' AS float)", "number out of range"),
        ("CAST([1] AS float)", "Cast failed: cannot convert list to float"),
        ("CAST([1] AS decimal)", "Cast failed: cannot convert list to decimal"),
    ],
)
def test_a_cast_that_fails(expression: str, problem: str) -> None:
    """A failed conversion is an error that names both types, and never the value."""
    parameters = [2**2000] * expression.count("?")
    with pytest.raises(PartiqlEvaluationError) as caught:
        value_of(expression, *parameters)
    assert problem == caught.value.problem


@given(ion_values(), st.sampled_from(TYPES))
def test_any_cast_gives_a_value_or_our_error(value: Any, type_name: str) -> None:
    """Each type is converted to each or refused; to its own it changes nothing."""
    try:
        found = value_of(f"CAST(? AS {type_name})", value)
    except PartiqlEvaluationError as exc:
        assert exc.problem  # noqa: PT017 - either outcome will do
        return
    assert found is not MISSING
    if type_name == "ANY":
        assert ion.to_slice(value) == ion.to_slice(found)
    ion.dumps(found)

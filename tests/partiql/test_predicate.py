"""Conditions on one document, without tables."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.errors import (
    LedgerError,
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
)
from qldb_stream.ion import to_slice
from qldb_stream.partiql import compile_predicate

DOCUMENT = {"a": 1, "b": {"c": [1, 2, {"x": "s"}]}, "country": "SE", "T": 5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", True),
        ("A = 1", True),
        ('"A" = 1', False),
        ("a = 2", False),
        ("a = 'x'", False),
        ("nothing = 1", False),
        ("nothing IS MISSING", True),
        ("Person.a = 1", True),
        ("b.c[2].x = 's' AND country IN ('SE', 'NO')", True),
        ("EXISTS(SELECT * FROM Person.b.c AS element WHERE element = 2)", True),
        ("CASE WHEN a IS INT THEN a < 2 ELSE false END", True),
        ("NULL", False),
        ("T = 5", True),
    ],
)
@pytest.mark.parametrize("bind", [dict, to_slice])
def test_truth(text: str, expected: Any, bind: Any) -> None:
    """A condition admits a document of which it is true, decoded or in its bytes."""
    assert expected is compile_predicate(text, "Person").admits(bind(DOCUMENT))


@pytest.mark.parametrize(
    ("text", "error", "problem"),
    [
        ("", PartiqlParseError, "expected expression"),
        ("a = 1; DROP TABLE T", PartiqlParseError, "unexpected token"),
        ("a = 1)", PartiqlParseError, "unexpected token"),
        ("(" * 300 + "a" + ")" * 300, PartiqlParseError, "nested deeper"),
        ("a" + ".b" * 600 + " = 1", PartiqlParseError, "nested deeper"),
        ("a = ?", PartiqlSemanticError, "no parameters"),
        ("TXID() = 'x'", PartiqlSemanticError, "TXID() is another"),
        ("t < utcnow()", PartiqlSemanticError, "UTCNOW() is another"),
        ("EXISTS(SELECT * FROM Other)", PartiqlSemanticError, "'Other'"),
        ("EXISTS(SELECT * FROM history(Other) AS h)", PartiqlSemanticError, "'Other'"),
        ("SUM(a) = 1", PartiqlSemanticError, "aggregate"),
        ("NO_SUCH(a)", LedgerError, "NO_SUCH"),
    ],
)
def test_what_is_no_condition(text: str, error: type[LedgerError], problem: str) -> None:
    """What is no condition on one document is refused when it is compiled."""
    with pytest.raises(error) as caught:
        compile_predicate(text, "Person")

    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["a", "CAST(country AS INT) = 1"])
def test_failures_are_located(text: str) -> None:
    """A condition that fails on a document says where, and quotes nothing of it."""
    with pytest.raises(PartiqlEvaluationError) as caught:
        compile_predicate(text, "Person").admits(DOCUMENT)

    assert (1, 1) == (caught.value.line, caught.value.column)
    assert "SE" not in str(caught.value)


def test_work_and_memory_are_told() -> None:
    """Rows of sub-queries are counted for the caller, and what they hold."""
    counted: list[int] = []
    held: list[int] = []
    text = "EXISTS(SELECT x FROM Person.n AS x, Person.n AS y WHERE x + y = 1000 ORDER BY x)"
    predicate = compile_predicate(text, "Person")

    def check(rows: int = 1) -> None:
        counted.append(rows)

    assert not predicate.admits({"n": list(range(20))}, check=check, hold=held.append) or held
    assert sum(counted) >= 400
    assert 0 == sum(held)


def test_what_a_bound_raises_passes_through() -> None:
    """What `check` raises ends the evaluation."""
    predicate = compile_predicate("EXISTS(SELECT * FROM Person.n AS x WHERE x = 5)", "Person")

    def check(rows: int = 1) -> None:
        raise KeyError(rows)

    with pytest.raises(KeyError):
        predicate.admits({"n": [1, 2]}, check=check)

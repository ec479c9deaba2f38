"""Rows that a statement must hold until it knows all of them: bounded with QLDB's limits."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qldb_stream.errors import StatementError
from qldb_stream.ion import to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.ledger._limits import Limits
from qldb_stream.partiql import Bag, size_of
from tests.ledger.support import ask, memory, run

LIMIT = 30_000


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger with QLDB's limits, of which this one is small, and 200 documents."""
    monkeypatch.setattr(Limits, "held_bytes", LIMIT)
    ledger = memory(limits="qldb", extensions="on")
    fill(ledger)
    return ledger


def fill(ledger: Ledger) -> None:
    """200 documents of about 100 bytes."""
    run(ledger, "CREATE TABLE T")
    for start in range(0, 200, 40):
        documents = [{"n": n, "note": "x" * 80} for n in range(start, start + 40)]
        run(ledger, "INSERT INTO T ?", documents)


HOLDING = [
    "SELECT * FROM T AS t ORDER BY t.n",
    "SELECT * FROM T AS t ORDER BY t.n LIMIT 190",
    "SELECT DISTINCT a.n, b.n AS m FROM T AS a, T AS b",
    "SELECT t.n, COUNT(*) FROM T AS t GROUP BY t.n",
    "SELECT x, g FROM T AS t GROUP BY t.n > 0 AS x GROUP AS g",
    "SELECT COUNT(DISTINCT a.n * 1000 + b.n) FROM T AS a, T AS b",
    "SELECT SIZE((SELECT VALUE u FROM T AS u)) AS s FROM T AS t WHERE t.n = 1",
    "UPDATE T SET note = ''",
    "DELETE FROM T",
]


@pytest.mark.parametrize("statement", HOLDING)
def test_what_is_held_is_limited(limited: Ledger, statement: str) -> None:
    """The statement is refused, its rows are let go, and the transaction goes on."""
    transaction = limited.start_transaction()
    for _ in range(3):
        with pytest.raises(StatementError, match=f"more than {LIMIT} bytes of rows are held"):
            ask(transaction, statement)
    assert 20 == len(ask(transaction, "SELECT VALUE t.n FROM T AS t ORDER BY t.n LIMIT 20"))
    assert [200] == ask(transaction, "SELECT VALUE COUNT(*) FROM T")
    transaction.commit()


DOUBLED = "(SELECT VALUE {} FROM {} AS x)"


def doubled(expression: str, times: int) -> str:
    """Nest a query that doubles its source's value."""
    source = "<<?>>"
    for _ in range(times):
        source = DOUBLED.format(expression, source)
    return DOUBLED.format("SIZE([x])", source)[1:-1]


def repeated(statement: str, expressions: list[str]) -> str:
    """Put a list of expressions into a statement."""
    return statement.format(", ".join(expressions))


BUILDING = [
    (doubled("x || x", 13), "x" * 100),
    (doubled("[x, x]", 13), "x" * 10),
    (doubled("{'a': x, 'b': x}", 13), "x" * 10),
    (doubled("<<x, x>>", 13), "x" * 10),
    (repeated("SELECT {} FROM <<?>> AS x", [f"x AS c{n}" for n in range(40)]), "x" * 1000),
    (repeated("SELECT x.*, {} FROM <<?>> AS x", ["x"] * 40), "x" * 1000),
    (repeated("SELECT VALUE [{}] FROM <<?>> AS x", ["x || x"] * 40), "x" * 500),
    (repeated("SELECT VALUE [{}] FROM <<?>> AS x", ["x"] * 40), 1 << 8000),
    (repeated("SELECT VALUE [{}] FROM <<?>> AS x", ["x"] * 40), Decimal("1." + "7" * 3000)),
    (repeated("SELECT VALUE [{}] FROM <<?>> AS x", ["x.a", "[x]"] * 20), {"a": "x" * 1000}),
]


@pytest.mark.parametrize(("statement", "value"), BUILDING)
def test_what_expressions_build_is_limited(limited: Ledger, statement: str, value: object) -> None:
    """Texts and lists that double, or have one value often, end the statement and no more."""
    transaction = limited.start_transaction()
    for _ in range(3):
        with pytest.raises(StatementError, match=f"more than {LIMIT} bytes of rows are held"):
            ask(transaction, statement, value)
    assert 190 == len(ask(transaction, "SELECT VALUE [t.note, t.note || t.note] FROM T AS t")[10:])
    transaction.commit()


def test_what_goes_by_is_not_held(limited: Ledger) -> None:
    """Any number of rows may be looked at, sorted for their first ones, or read one by one."""
    for text, expected in (
        ("SELECT * FROM T", 200),
        ("SELECT t.n FROM T AS t ORDER BY t.n LIMIT 10", 10),
        ("SELECT COUNT(*) FROM T AS a, T AS b", 1),
        ("SELECT DISTINCT t.note FROM T AS t", 1),
        ("SELECT t.n FROM T AS t WHERE EXISTS (SELECT u.n FROM T AS u WHERE u.n = t.n)", 200),
    ):
        transaction = limited.start_transaction()
        rows = ask(transaction, text)
        assert expected == len(rows)
        transaction.commit()


def test_unread_results_are_held_before_a_change(limited: Ledger) -> None:
    """A change computes what is unread; too much of it is refused, and can still be read."""
    transaction = limited.start_transaction()
    text = "SELECT a.n FROM T AS a, T AS b WHERE b.n < 2"
    unread = [transaction.execute_statement(text) for _ in range(3)]
    with pytest.raises(StatementError, match="bytes of rows are held"):
        ask(transaction, "UPDATE T SET n = 7 WHERE n = 1")
    assert [400] * 3 == [len(list(cursor)) for cursor in unread]
    transaction.abort()


def test_without_limits_nothing_is_counted() -> None:
    """A ledger without QLDB's limits holds what it is asked to."""
    with memory(extensions="on") as ledger:
        fill(ledger)
        for statement in HOLDING:
            assert [] != run(ledger, statement)


def test_rows_read_once_are_let_go(limited: Ledger) -> None:
    """A result that is read once keeps no row that was given."""
    transaction = limited.start_transaction()
    cursor = transaction.execute_statement("SELECT * FROM T")
    rows = cursor.iter_slices(once=True)
    first = next(rows)
    assert {"n", "note"} == first.decode().keys()
    assert 199 == len(list(rows))
    assert [] == list(cursor)


def test_sizes() -> None:
    """A slice counts with the document that it keeps in memory, once for each value."""
    document = to_slice({"a": "x" * 1000})
    assert 1000 < size_of(document) < 1200
    assert size_of({"a": document, "b": document}) < 1500
    assert 2000 < size_of(Bag([b"x" * 1000, "y" * 1000, (None, 1, 2.5)])) < 2600

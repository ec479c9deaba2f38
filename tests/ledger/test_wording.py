"""Errors in the service's words, as real clients saw them (facts 6.4)."""

from __future__ import annotations

import pytest

from qldb_stream.errors import LedgerError, LedgerFileError, OccConflictError, StatementError
from qldb_stream.ledger import service_message
from tests.ledger.support import Clock, ask, make_cars, memory, run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SELECT * FROM Vehicles",
            (
                "Semantic Error: at line 1, column 15: No such variable named 'Vehicles'; "
                "No such variable named 'Vehicles'"
            ),
        ),
        (
            "SELECT * FROM Car\nWHERE vin = 'A'\nand",
            (
                "Parser Error: at line 3, column 1: expected expression, OPERATOR : and; "
                "Missing right-hand side expression of infix operator"
            ),
        ),
        (
            "hello",
            (
                "Unsupported PartiQL Statement, Errors at:\nline 1, column 1: "
                "an expression as a statement is not supported"
            ),
        ),
        (
            "FROM Car AS c SET c.parts[0] = 1",
            (
                "Document path cannot be resolved: the remaining path was not found: "
                "DocumentPath(path=[Field(name=parts), Index(index=0)])"
            ),
        ),
        (
            "SELECT\n  1 / c.miles FROM Car AS c",
            "Evaluator Error: at line 2, column 5: division by zero",
        ),
        ("CREATE TABLE Car", "Table with name: USER.Car already exists"),
    ],
)
def test_statements(text: str, message: str) -> None:
    """A statement that fails says what the service said."""
    with memory() as ledger:
        make_cars(ledger, "A")
        with pytest.raises(LedgerError) as caught:
            run(ledger, text)
        assert message == service_message(caught.value)


def test_transactions() -> None:
    """Only expiry is told; the drivers know no other end of a transaction."""
    clock = Clock()
    with memory(clock, limits="qldb") as ledger:
        transaction = ledger.start_transaction()
        clock.now_ms += 31_000
        with pytest.raises(LedgerError) as caught:
            ask(transaction, "SELECT * FROM << 1 >>")
        expected = f"Transaction {transaction.transaction_id} has expired"
        assert expected == service_message(caught.value)
        transaction = ledger.start_transaction()
        transaction.abort()
        with pytest.raises(LedgerError) as caught:
            transaction.commit()
        assert "No open transaction" == service_message(caught.value)


def test_the_rest() -> None:
    """A conflict and wrong digests have the service's sentences; storage stays unnamed."""
    conflict = (
        "Optimistic concurrency control (OCC) failure encountered while committing the transaction"
    )
    assert conflict == service_message(OccConflictError("t"))
    assert "Digests don't match" == service_message(StatementError("Digests don't match"))
    told = service_message(LedgerFileError("/secret/path", "disk full"))
    assert "Internal failure: the ledger's storage cannot be used" == told

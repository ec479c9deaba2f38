"""The in-process driver does what pyqldb's does."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.errors import LambdaAbortedError, OccConflictError
from qldb_stream.ledger import Driver, Executor, Ledger
from tests.ledger.support import Sleeps, check_journal, environment, make_cars, memory, run

UPDATE_A = "UPDATE Car SET miles = 9 WHERE vin = 'A'"


def disturbed(ledger: Ledger, times: int) -> Any:
    """A function that another transaction gets in the way of so many times."""
    left = [times]

    def work(txn: Executor) -> str:
        txn.execute_statement(UPDATE_A)
        if left[0]:
            left[0] -= 1
            run(ledger, UPDATE_A)
        return txn.transaction_id

    return work


def test_it_gives_what_the_function_returns() -> None:
    """Any value; a cursor can be read after the commit."""
    with memory() as ledger, ledger.driver() as driver:
        make_cars(ledger, "A", "B")
        assert 5 == driver.execute_lambda(lambda _: 5)
        cursor = driver.execute_lambda(lambda txn: txn.execute_statement("SELECT vin FROM Car"))
        assert [{"vin": "A"}, {"vin": "B"}] == sorted(cursor, key=lambda row: str(row["vin"]))
        assert ["Car"] == driver.list_tables()


@pytest.mark.parametrize("times", [1, 4])
def test_a_conflict_is_retried(times: int) -> None:
    """In a new transaction, after 10 ms, 20 ms, ..., each with jitter."""
    sleeps = Sleeps()
    with Ledger.open(":memory:", environment=environment(sleep=sleeps)) as ledger:
        make_cars(ledger, "A")
        ledger.driver().execute_lambda(disturbed(ledger, times))
        assert [0.01 * 2**n for n in range(times)] == sleeps.seconds
        check_journal(ledger)


def test_after_the_last_retry_the_conflict_comes_out() -> None:
    """Four retries by default, else as many as are asked for; waits end at five seconds."""
    sleeps = Sleeps()
    with Ledger.open(":memory:", environment=environment(sleep=sleeps)) as ledger:
        make_cars(ledger, "A")
        driver = ledger.driver()
        with pytest.raises(OccConflictError):
            driver.execute_lambda(disturbed(ledger, 5))
        assert 4 == len(sleeps.seconds)
        with pytest.raises(OccConflictError):
            driver.execute_lambda(disturbed(ledger, 1), 0)
        driver.execute_lambda(disturbed(ledger, 12), retry_limit=12)
        assert 5.0 == max(sleeps.seconds)


def test_an_exception_aborts() -> None:
    """Nothing is written, and the exception comes out as it is."""

    def work(txn: Executor) -> None:
        txn.execute_statement(UPDATE_A)
        raise KeyError(txn.transaction_id)

    with memory() as ledger:
        make_cars(ledger, "A")
        before = ledger.digest()
        with pytest.raises(KeyError):
            ledger.driver().execute_lambda(work)
        assert before == ledger.digest()


def test_a_function_can_abort() -> None:
    """`abort()` leaves the function with an error that names the transaction."""

    def work(txn: Executor) -> None:
        txn.execute_statement(UPDATE_A)
        txn.abort()

    with memory() as ledger:
        make_cars(ledger, "A")
        before = ledger.digest()
        driver: Driver = ledger.driver()
        with pytest.raises(LambdaAbortedError, match="aborted by its own function"):
            driver.execute_lambda(work)
        assert before == ledger.digest()

"""
The ledger in this process, through the interface that pyqldb's driver has.

Code written for `pyqldb.driver.QldbDriver` runs on it: `execute_lambda` calls a function
with an executor, commits, and begins anew when another transaction was in the way.
Waiting follows the drivers (facts 6.5): 10 ms, doubled each time up to 5 s, with jitter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

from qldb_stream.errors import LambdaAbortedError, OccConflictError
from qldb_stream.ledger._cursor import Cursor
from qldb_stream.ledger._environment import Environment
from qldb_stream.ledger._transaction import Transaction

__all__ = ["Driver", "Executor"]

T = TypeVar("T")

_RETRY_LIMIT: Final = 4
_FIRST_WAIT_S: Final = 0.01
_LONGEST_WAIT_S: Final = 5.0

_TABLE_NAMES: Final = (
    "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'ACTIVE'"
)


class Executor:
    """What a function given to `execute_lambda` works with: one open transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction: Final = transaction

    @property
    def transaction_id(self) -> str:
        """Give the transaction's id, 22 characters."""
        return self._transaction.transaction_id

    def execute_statement(self, statement: str, *parameters: Any) -> Cursor:
        """
        Run a PartiQL statement; see `Transaction.execute_statement`.

        Raises:
            LedgerError: it could not be run; the transaction is as it was.
        """
        return self._transaction.execute_statement(statement, *parameters)

    def abort(self) -> None:
        """
        Drop what the transaction did, and leave `execute_lambda`.

        Raises:
            LambdaAbortedError: always; let it pass through.
        """
        self._transaction.abort()
        raise LambdaAbortedError(self._transaction.transaction_id)


class Driver:
    """Runs functions in transactions; for any number of threads at once."""

    def __init__(self, begin: Callable[[], Transaction], environment: Environment) -> None:
        self._begin: Final = begin
        self._environment: Final = environment

    def execute_lambda(
        self, query_lambda: Callable[[Executor], T], retry_limit: int = _RETRY_LIMIT
    ) -> T:
        """
        Run a function in a transaction, commit it, and give what it returned.

        Args:
            query_lambda: called with an `Executor`; again from the start, in a new
                transaction, after a conflict, so it should have no other effects.
            retry_limit: how often it is called again.

        Returns:
            What the function returned; a cursor stays readable.

        Raises:
            OccConflictError: the conflict came again after the last retry.
            LambdaAbortedError: the function called `abort()`.
            LedgerError: a statement or the commit failed; nothing was written.
            Exception: whatever else the function raised; nothing was written.
        """
        retries = 0
        while True:
            transaction = self._begin()
            try:
                result = query_lambda(Executor(transaction))
                if isinstance(result, Cursor):
                    result.fill()
                transaction.commit()
                return result
            except OccConflictError:
                if retries >= retry_limit:
                    raise
            finally:
                transaction.abort()
            self._environment.sleep(self._wait_s(retries))
            retries += 1

    def list_tables(self) -> list[str]:
        """List the names of the active tables."""
        return self.execute_lambda(lambda txn: list(txn.execute_statement(_TABLE_NAMES)))

    def close(self) -> None:
        """Do nothing: the ledger is what holds the file, and is closed by itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _wait_s(self, retries: int) -> float:
        longest = min(_FIRST_WAIT_S * 2.0**retries, _LONGEST_WAIT_S)
        return longest * self._environment.jitter()

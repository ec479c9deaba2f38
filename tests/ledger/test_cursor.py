"""Results that fail behind their first page: nothing is cut short in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qldb_stream.errors import PartiqlEvaluationError, StatementError
from qldb_stream.ledger import Cursor, Executor, Ledger
from tests.ledger.support import ask, make_cars, memory

# 10 / (250 - a) for a from 0 to 299: row 250 divides by zero, on the second page.
FAILING = f"SELECT VALUE 10 / (250 - a) FROM <<{','.join(map(str, range(300)))}>> AS a"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A ledger with a table."""
    with memory() as opened:
        make_cars(opened, "A")
        yield opened


def read_rows(cursor: Cursor) -> int:
    """Count the rows before the one that fails."""
    seen: list[object] = []
    with pytest.raises(PartiqlEvaluationError, match="division by zero"):
        seen.extend(cursor)
    return len(seen)


def test_a_failing_row_is_told_each_time(ledger: Ledger) -> None:
    """All rows before it are given, and then its error, however often one reads."""
    cursor = ledger.start_transaction().execute_statement(FAILING)

    assert [250, 250] == [read_rows(cursor), read_rows(cursor)]


def test_a_write_is_not_at_fault(ledger: Ledger) -> None:
    """A write that comes before the rest was read succeeds; the result still ends in its error."""
    transaction = ledger.start_transaction()
    cursor = transaction.execute_statement(FAILING)
    ask(transaction, "INSERT INTO Car {'vin': 'B'}")
    transaction.commit()

    assert 250 == read_rows(cursor)
    assert ["A", "B"] == sorted(ask(ledger.start_transaction(), "SELECT VALUE c.vin FROM Car AS c"))


def test_a_driver_does_not_commit_behind_a_failing_result(ledger: Ledger) -> None:
    """A function that returns such a result fails, and nothing that it wrote is there."""

    def work(txn: Executor) -> Cursor:
        cursor = txn.execute_statement(FAILING)
        txn.execute_statement("INSERT INTO Car {'vin': 'B'}")
        return cursor

    with pytest.raises(PartiqlEvaluationError):
        ledger.driver().execute_lambda(work)

    assert ["A"] == ask(ledger.start_transaction(), "SELECT VALUE c.vin FROM Car AS c")


class Meter:
    """Counts nothing."""

    read_ios = 0
    write_ios = 0


def test_what_interrupts_a_result_does_not_shorten_it() -> None:
    """After something else stopped the reading, the rows that came are given, then an error."""

    def rows() -> Iterator[int]:
        yield from range(205)
        raise KeyboardInterrupt

    cursor = Cursor.start(rows(), Meter())
    with pytest.raises(KeyboardInterrupt):
        list(cursor)
    seen: list[int] = []
    with pytest.raises(StatementError, match="broke off"):
        seen.extend(cursor)

    assert list(range(205)) == seen

"""Optimistic concurrency: who conflicts with whom (facts 5.9)."""

from __future__ import annotations

import pytest

from qldb_stream.errors import OccConflictError
from qldb_stream.ledger import Ledger, Transaction
from tests.ledger.support import ask, check_journal, make_cars, memory, run

UPDATE_A = "UPDATE Car SET miles = 9 WHERE vin = 'A'"


def conflicts(transaction: Transaction) -> bool:
    """Commit; tell whether that was a conflict."""
    try:
        transaction.commit()
    except OccConflictError:
        return True
    return False


@pytest.mark.parametrize(
    ("expected", "reading", "writing"),
    [
        (True, "SELECT * FROM Car WHERE vin = 'A'", UPDATE_A),
        (False, "SELECT * FROM Car WHERE vin = 'B'", UPDATE_A),
        (True, "SELECT * FROM Car WHERE vin IN ('A', 'B')", UPDATE_A),
        (True, "SELECT * FROM _ql_committed_Car AS c WHERE c.data.vin = 'A'", UPDATE_A),
        (True, "SELECT * FROM Car AS c WHERE c.miles = 77", UPDATE_A),
        (True, "SELECT * FROM Car WHERE vin LIKE 'B'", UPDATE_A),
        (True, "SELECT COUNT(*) FROM Car", "INSERT INTO Car {'vin': 'D'}"),
        (True, "SELECT * FROM Car WHERE vin = 'D'", "INSERT INTO Car {'vin': 'D'}"),
        (False, "SELECT * FROM Car WHERE vin = 'E'", "INSERT INTO Car {'vin': 'D'}"),
        (True, "SELECT * FROM Car WHERE vin = 'D'", "UPDATE Car SET vin = 'D' WHERE vin = 'A'"),
        (True, "SELECT * FROM Car WHERE vin = 'A'", "UPDATE Car SET vin = 'D' WHERE vin = 'A'"),
        (True, "SELECT * FROM Car WHERE vin = 'A'", "DELETE FROM Car AS c WHERE c.vin = 'A'"),
        (True, "SELECT * FROM history(Car)", UPDATE_A),
        (False, "SELECT * FROM Bike", UPDATE_A),
        (False, "SELECT * FROM information_schema.user_tables", UPDATE_A),
        (True, "SELECT * FROM information_schema.user_tables", "CREATE TABLE Van"),
        (True, "SELECT * FROM Car WHERE vin = 'A'", "CREATE INDEX ON Car (miles)"),
        (True, "SELECT * FROM Car WHERE vin = 'A'", "DROP TABLE Car"),
        (False, "SELECT * FROM Bike", "DROP TABLE Car"),
        (True, UPDATE_A, UPDATE_A),
        (False, "INSERT INTO Car {'vin': 'A'}", "INSERT INTO Car {'vin': 'A'}"),
        (True, "CREATE TABLE Van", "CREATE TABLE Van"),
        (False, "CREATE TABLE Van", "CREATE TABLE Bus"),
        (True, "INSERT INTO Car {'vin': 'D'}", "DROP TABLE Car"),
        (True, "INSERT INTO Car {'vin': 'D'}", "CREATE INDEX ON Car (miles)"),
        (False, "CREATE INDEX ON Car (miles)", "INSERT INTO Car {'vin': 'D', 'miles': 3}"),
    ],
)
def test_who_conflicts(*, expected: bool, reading: str, writing: str) -> None:
    """What a transaction read and another committed since decides, not who began first."""
    with memory() as ledger:
        make_cars(ledger, "A", "B", "C")
        run(ledger, "CREATE TABLE Bike")
        transaction = ledger.start_transaction()
        ask(transaction, reading)
        run(ledger, writing)
        assert expected is conflicts(transaction)
        check_journal(ledger)


@pytest.mark.parametrize("view", ["Car", "_ql_committed_Car", "history(Car)"])
def test_a_look_up_by_id_conflicts_on_that_document(view: str) -> None:
    """Whether there or not; another document does not matter."""
    with memory() as ledger:
        first, second = make_cars(ledger, "A", "B")
        condition = "BY id WHERE id = ?" if view == "Car" else "WHERE c.metadata.id = ?"
        for expected, document_id in [(True, first), (False, second), (False, "nothing")]:
            transaction = ledger.start_transaction()
            ask(transaction, f"SELECT * FROM {view} AS c {condition}", document_id)
            run(ledger, UPDATE_A)
            assert expected is conflicts(transaction)


def test_a_table_that_was_not_there_is_read_too() -> None:
    """A transaction that failed to find a table conflicts with its making."""
    with memory() as ledger:
        transaction = ledger.start_transaction()
        with pytest.raises(Exception, match="No such variable"):
            ask(transaction, "SELECT * FROM Car")
        run(ledger, "CREATE TABLE Car")
        assert conflicts(transaction)


def test_check_then_insert_is_safe() -> None:
    """Of two that saw no row with a key and inserted one, the second conflicts."""
    with memory() as ledger:
        make_cars(ledger)
        both = [ledger.start_transaction(), ledger.start_transaction()]
        for transaction in both:
            assert [] == ask(transaction, "SELECT * FROM Car WHERE vin = 'X'")
            ask(transaction, "INSERT INTO Car ?", {"vin": "X"})
        assert [False, True] == [conflicts(transaction) for transaction in both]
        assert 1 == len(run(ledger, "SELECT * FROM Car WHERE vin = 'X'"))


def test_a_conflicting_transaction_leaves_nothing() -> None:
    """It is over, without a block, and the ledger goes on."""
    with memory() as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        ask(transaction, UPDATE_A)
        run(ledger, UPDATE_A)
        before = ledger.digest()
        assert conflicts(transaction)
        assert before == ledger.digest()
        run(ledger, UPDATE_A)
        check_journal(ledger)


SNAPSHOT_QUERIES = (
    "SELECT VALUE [c.vin, c.miles] FROM Car AS c",
    "SELECT VALUE [c.vin, c.miles] FROM Car AS c WHERE c.vin = 'A'",
    "SELECT VALUE [c.vin, c.miles] FROM Car AS c WHERE c.vin IN ('A', 'B', 'Z')",
    "SELECT VALUE [c.data.vin, c.metadata.version] FROM _ql_committed_Car AS c",
    "SELECT VALUE h.metadata.version FROM history(Car) AS h",
    "SELECT VALUE t FROM information_schema.user_tables AS t",
)


def answers(transaction: Transaction) -> list[list[str]]:
    """The rows of all queries, in an order of their own."""
    return [sorted(map(repr, ask(transaction, query))) for query in SNAPSHOT_QUERIES]


def change_everything(ledger: Ledger) -> None:
    """Update, delete, insert, change keys, change the catalog."""
    run(ledger, "UPDATE Car SET vin = 'Z', miles = 5 WHERE vin = 'A'")
    run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'B'")
    run(ledger, "INSERT INTO Car {'vin': 'A', 'miles': 8}")
    run(ledger, "UPDATE Car SET miles = 6 WHERE vin = 'Z'")
    run(ledger, "CREATE TABLE Van")


@pytest.mark.parametrize("drop", ["", "index", "table"])
def test_a_snapshot_does_not_move(drop: str) -> None:
    """What a transaction sees stays, through every view, whatever others commit."""
    with memory() as ledger:
        make_cars(ledger, "A", "B", "C")
        old, read_before = ledger.start_transaction(), ledger.start_transaction()
        expected = answers(read_before)
        change_everything(ledger)
        if drop == "index":
            (row,) = run(
                ledger, "SELECT * FROM information_schema.user_tables AS t WHERE t.name = 'Car'"
            )
            index_id = row["indexes"][0]["indexId"]
            run(ledger, f'DROP INDEX "{index_id}" ON Car WITH (purge = true)')
        elif drop == "table":
            run(ledger, "DROP TABLE Car")
        assert expected == answers(old)
        assert expected == answers(read_before)
        assert conflicts(old)
        assert conflicts(read_before)


def test_changes_are_forgotten_when_nobody_needs_them() -> None:
    """The log of changes is as long as the oldest open transaction needs, no longer."""
    with memory() as ledger:
        make_cars(ledger, "A")
        log = ledger._journal._log  # type: ignore[union-attr]  # noqa: SLF001 - the one place that could grow
        old = ledger.start_transaction()
        for _ in range(3):
            run(ledger, UPDATE_A)
        young = ledger.start_transaction()
        run(ledger, UPDATE_A)
        assert 4 == len(log)
        old.abort()
        assert 1 == len(log)
        del young  # forgotten by its owner, never closed
        run(ledger, UPDATE_A)
        assert 0 == len(log)


@pytest.mark.parametrize(
    "reading",
    [
        "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = 'A'",
        "SELECT VALUE c.miles FROM Car AS c WHERE c.miles = 0",
    ],
)
def test_a_transaction_that_begins_during_a_commit(reading: str) -> None:
    """A transaction that begins while another one is written conflicts with what that changed."""
    begun: list[Transaction] = []
    with memory() as ledger:
        make_cars(ledger, "A")
        run(ledger, "UPDATE Car SET miles = 0")

        def begin(sql: str) -> None:
            if sql.startswith("BEGIN") and not begun:
                begun.append(ledger.start_transaction())

        first = ledger.start_transaction()
        ask(first, "UPDATE Car SET miles = 1")
        connection = ledger._journal.store.connection  # noqa: SLF001 - to begin in its midst
        connection.set_trace_callback(begin)
        first.commit()
        connection.set_trace_callback(None)
        (second,) = begun

        assert [0] == ask(second, reading)
        ask(second, "UPDATE Car SET miles = 5 WHERE vin = 'A'")
        assert conflicts(second)
        check_journal(ledger)


@pytest.mark.parametrize(("limits", "expected"), [("qldb", True), ("off", False)])
def test_tables_made_at_once_do_not_pass_the_limit(limits: str, *, expected: bool) -> None:
    """Whoever makes a table under QLDB's limits counted them all, so another one conflicts."""
    with Ledger.open(":memory:", limits=limits) as ledger:
        for number in range(19):
            run(ledger, f"CREATE TABLE T{number}")
        both = [ledger.start_transaction(), ledger.start_transaction()]
        for name, transaction in zip("AB", both, strict=True):
            ask(transaction, f"CREATE TABLE {name}")
        assert [False, expected] == [conflicts(transaction) for transaction in both]
        tables = run(ledger, "SELECT * FROM information_schema.user_tables")
        assert (20 if expected else 21) == len(tables)

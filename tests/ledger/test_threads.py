"""Several threads and many open transactions on one ledger."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qldb_stream.ledger import Executor, Ledger
from tests.ledger.support import ask, check_journal, make_cars, run


def test_no_update_is_lost(tmp_path: Path) -> None:
    """Threads that add to one counter, each in its own transactions, add up."""
    with Ledger.open(tmp_path / "threads.ledger") as ledger:
        make_cars(ledger, "A", "B")

        def add(txn: Executor) -> None:
            (row,) = txn.execute_statement("SELECT c.miles FROM Car AS c WHERE c.vin = 'A'")
            text = "UPDATE Car AS c SET c.miles = ? WHERE c.vin = 'A'"
            txn.execute_statement(text, row["miles"] + 1)

        def work(_: int) -> None:
            driver = ledger.driver()
            for _ in range(10):
                driver.execute_lambda(add, retry_limit=1000)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert [40] == run(ledger, "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = 'A'")
        assert 4 + 40 == check_journal(ledger)


def test_readers_see_whole_transactions(tmp_path: Path) -> None:
    """While a thread moves miles from one car to another, every snapshot has the same sum."""
    with Ledger.open(tmp_path / "threads.ledger") as ledger:
        make_cars(ledger, "A", "B")
        stop = threading.Event()

        def move() -> None:
            for number in range(60):
                transaction = ledger.start_transaction()
                text = "UPDATE Car AS c SET c.miles = ? WHERE c.vin = ?"
                ask(transaction, text, number, "A")
                ask(transaction, text, -number, "B")
                transaction.commit()
            stop.set()

        def read() -> list[int]:
            sums: list[int] = []
            while not stop.is_set():
                transaction = ledger.start_transaction()
                parts = [
                    ask(transaction, "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = ?", vin)[0]
                    for vin in ("A", "B")
                ]
                (scanned,) = ask(transaction, "SELECT SUM(c.miles) AS s FROM Car AS c")
                sums += [sum(parts), scanned["s"]]
                transaction.abort()
            return sums

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read), pool.submit(read)]
            pool.submit(move).result()
            assert {0} == {found for reader in readers for found in reader.result()}
        check_journal(ledger)


def test_the_journal_can_be_read_while_it_grows(tmp_path: Path) -> None:
    """An iteration ends with the blocks that were there when it began."""
    with Ledger.open(tmp_path / "threads.ledger") as ledger:
        make_cars(ledger, *[str(number) for number in range(120)])
        blocks = ledger.blocks()
        first = next(blocks)
        assert 0 == first.address.sequence_no
        run(ledger, "INSERT INTO Car ?", {"vin": "late"})
        assert 121 == list(blocks)[-1].address.sequence_no


def test_many_transactions_are_open_at_once(tmp_path: Path) -> None:
    """A hundred snapshots, each of another moment, each still what it was."""
    with Ledger.open(tmp_path / "many.ledger") as ledger:
        make_cars(ledger, "A")
        opened = []
        with ledger.group_commit():
            for number in range(100):
                run(ledger, "UPDATE Car AS c SET c.miles = ? WHERE c.vin = 'A'", number)
                opened.append(ledger.start_transaction())
        for number, transaction in enumerate(opened):
            text = "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = 'A'"
            assert [number] == ask(transaction, text)
            transaction.abort()

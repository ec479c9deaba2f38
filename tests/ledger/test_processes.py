"""One file, many processes: one writes, any number read."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from qldb_stream.ledger import Executor, Ledger
from tests.ledger.support import check_journal, make_cars, run

READERS = 3
TRANSFERS = 60

# Reads until it is told to stop: in each transaction, by look-up and by scan, the sum of what
# moves from car to car; and the journal, which must begin as it did before.
READER = """
import sys, threading
from qldb_stream.ledger import Ledger
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
seen, last, rounds = [], [], 0
print("ready", flush=True)
while not stop.is_set() or not rounds:
    with Ledger.open(sys.argv[1], read_only=True) as ledger:
        transaction = ledger.start_transaction()
        text = "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = ?"
        found = [list(transaction.execute_statement(text, vin)) for vin in ("A", "B")]
        scanned = list(transaction.execute_statement("SELECT VALUE c.miles FROM Car AS c"))
        transaction.abort()
        assert sorted(sum(found, [])) == sorted(scanned), (found, scanned)
        assert sum(scanned) == 0, scanned
        hashes = [block.block_hash for block in ledger.blocks()]
        assert hashes[:len(last)] == last, "the journal only grows"
        last, rounds = hashes, rounds + 1
print(rounds)
"""

WRITER = """
import sys
from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger import Ledger
try:
    Ledger.open(sys.argv[1])
except LedgerFileError as exc:
    print(exc)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with two cars."""
    path = tmp_path / "shared.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A", "B")
    return path


def start(code: str, path: Path) -> subprocess.Popen[str]:
    """Start a process that works on the ledger."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def transfer(miles: int, txn: Executor) -> None:
    """Let one car have what the other lacks."""
    text = "UPDATE Car AS c SET c.miles = ? WHERE c.vin = ?"
    txn.execute_statement(text, miles, "A")
    txn.execute_statement(text, -miles, "B")


def test_processes_read_whole_transactions_while_one_writes(path: Path) -> None:
    """Each snapshot of each reader has the same sum, and the journal that it saw only grows."""
    readers = [start(READER, path) for _ in range(READERS)]
    for reader in readers:
        assert reader.stdout is not None
        assert "ready\n" == reader.stdout.readline()
    with Ledger.open(path) as ledger:
        driver = ledger.driver()
        for miles in range(TRANSFERS):
            driver.execute_lambda(partial(transfer, miles))
        answers = [reader.communicate(input="stop") for reader in readers]
        assert [""] * READERS == [errors for _, errors in answers]
        assert all(int(rounds) > 0 for rounds, _ in answers)
        assert 4 + TRANSFERS == check_journal(ledger)


def test_a_second_writing_process_is_told_who_is_in_the_way(path: Path) -> None:
    """It gets an error that names the file and what to do; the first writer goes on."""
    with Ledger.open(path) as ledger:
        said, errors = start(WRITER, path).communicate()
        assert "" == errors
        assert str(path) in said
        assert "another writer has it open; close that one, then repeat (to read beside" in said
        run(ledger, "UPDATE Car AS c SET c.miles = 1 WHERE c.vin = 'A'")
    assert ("", "") == start(WRITER, path).communicate()

"""
Several clients at once on one ledger, for as long as is wanted.

    python -m tests.soak.clients --seconds 600 --clients 4

Each client adds to one counter (all of them meet there), moves money between accounts,
inserts documents of its own and reads sums. Afterwards the counter has every answered
addition, the money is all there, each inserted document too, the chain verifies, no client
met an error but conflicts, and memory was flat.

A client needs no more than `execute`, which runs a function in a transaction until it is
committed: here that is the in-process driver's in threads, of one process that holds the
ledger; `http_clients` gives it pyqldb's, in processes that meet at a server.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from qldb_stream.ledger import Ledger
from tests.ledger.support import check_journal, run

__all__ = [
    "CLIENTS",
    "SAMPLES",
    "Executor",
    "Run",
    "Tally",
    "is_over",
    "parse_options",
    "prepare",
    "report",
    "resident_mb",
    "run_client",
    "run_threads",
]

CLIENTS: Final = 4
_ACCOUNTS: Final = 12
SAMPLES: Final = 40
# What is compared is a quarter of the run from then on, and its last one.
_WARM_UP_S: Final = 60.0
# Allocators keep a little here and there.
_MOST_GROWTH_MB: Final = 8.0
# A ledger's page cache has 16 MiB at most; over HTTP it was full after three minutes, so a shorter
# run may see it fill.
_CACHE_MB: Final = 17.0
_FULL_AFTER_S: Final = 300.0

_READ: Final = "SELECT VALUE a.amount FROM Account AS a WHERE a.name = ?"
_SET: Final = "UPDATE Account AS a SET a.amount = ? WHERE a.name = ?"


class Executor(Protocol):
    """A transaction, as pyqldb hands it to a function."""

    def execute_statement(self, statement: str, *parameters: Any) -> Any:
        """Run a statement."""


Execute = Callable[[Callable[[Executor], Any]], Any]


@attrs.define
class Tally:
    """What one client was answered: additions, inserted documents, moves, sums."""

    added: int = 0
    inserted: int = 0
    moved: int = 0
    read: int = 0


def prepare(ledger: Ledger) -> None:
    """Make the tables, the counter and the accounts."""
    for table, field in (("Account", "name"), ("Entry", "client")):
        run(ledger, f"CREATE TABLE {table}")
        run(ledger, f"CREATE INDEX ON {table} ({field})")
    accounts = [{"name": f"account {number}", "amount": 0} for number in range(_ACCOUNTS)]
    run(ledger, "INSERT INTO Account ?", [{"name": "counter", "amount": 0}, *accounts])


def run_client(execute: Execute, name: str, seed: int, until: Callable[[], bool]) -> Tally:
    """
    Be one client until it is time; count what was answered.

    Raises:
        Exception: whatever `execute` raises: it retries conflicts itself, nothing else may come.
    """
    chance = random.Random(seed)
    tally = Tally()
    while not until():
        kind = chance.random()
        if kind < 0.2:
            execute(_add)
            tally.added += 1
        elif kind < 0.6:
            one, other = chance.sample(range(_ACCOUNTS), 2)
            execute(partial(_move, f"account {one}", f"account {other}", chance.randrange(100)))
            tally.moved += 1
        elif kind < 0.9:
            execute(partial(_insert, name, tally.inserted))
            tally.inserted += 1
        else:
            assert 0 == execute(_sum), "money came or went"
            tally.read += 1
    return tally


def _amount(txn: Executor, name: str) -> int:
    (amount,) = txn.execute_statement(_READ, name)
    return int(amount)


def _add(txn: Executor) -> None:
    txn.execute_statement(_SET, _amount(txn, "counter") + 1, "counter")


def _move(one: str, other: str, amount: int, txn: Executor) -> None:
    left, right = _amount(txn, one), _amount(txn, other)
    txn.execute_statement(_SET, left - amount, one)
    txn.execute_statement(_SET, right + amount, other)


def _insert(client: str, number: int, txn: Executor) -> None:
    txn.execute_statement("INSERT INTO Entry ?", {"client": client, "number": number})


def _sum(txn: Executor) -> int:
    text = "SELECT VALUE a.amount FROM Account AS a WHERE a.name <> 'counter'"
    return sum(map(int, txn.execute_statement(text)))


@attrs.frozen
class Run:
    """
    What all clients came to.

    Attributes:
        tallies: of each client.
        resident_mb: what the ledger's process had in memory, over time, in MB.
        seconds: how long they worked.
    """

    tallies: Sequence[Tally]
    resident_mb: Sequence[float]
    seconds: float

    @property
    def warm_up(self) -> int:
        """Give the number of the sample from which on memory is compared with the last."""
        quarter = len(self.resident_mb) // 4
        return min(quarter, round(_WARM_UP_S * len(self.resident_mb) / self.seconds))

    def check(self, ledger: Ledger) -> None:
        """
        Make sure that all that was answered is in the ledger, once.

        Raises:
            AssertionError: it is not.
        """
        (counter,) = run(ledger, _READ, "counter")
        assert sum(tally.added for tally in self.tallies) == counter, "an update was lost"
        assert 0 == ledger.driver().execute_lambda(_sum)
        for number, tally in enumerate(self.tallies):
            text = "SELECT VALUE e.number FROM Entry AS e WHERE e.client = ?"
            assert list(range(tally.inserted)) == sorted(run(ledger, text, f"client {number}"))
        check_journal(ledger)

    def check_memory(self) -> None:
        """
        Make sure that memory did not grow after the first minute, or quarter.

        Raises:
            AssertionError: it did.
        """
        quarter = len(self.resident_mb) // 4
        before = max(self.resident_mb[self.warm_up : self.warm_up + quarter])
        after = max(self.resident_mb[-quarter:])
        most = _MOST_GROWTH_MB + (_CACHE_MB if self.seconds < _FULL_AFTER_S else 0.0)
        assert after - before < most, f"from {before:.1f} MB to {after:.1f} MB"


def run_threads(ledger: Ledger, seconds: float, clients: int = CLIENTS) -> Run:
    """
    Let clients work in threads of this process.

    Raises:
        Exception: the first error that a client met.
    """
    prepare(ledger)
    driver = ledger.driver()
    # Nobody gives up: that is what "no error but conflicts" means here.
    execute = partial(driver.execute_lambda, retry_limit=sys.maxsize)
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        futures = [
            pool.submit(run_client, execute, f"client {number}", number, lambda: is_over(end))
            for number in range(clients)
        ]
        seen_mb = _watch(futures, seconds)
        return Run([future.result() for future in futures], seen_mb, seconds)


def is_over(end: float) -> bool:
    """Tell whether it is later than a moment of the monotonic clock."""
    return time.monotonic() > end


def _watch(futures: Sequence[Future[Tally]], seconds: float) -> list[float]:
    """Look at this process's memory from time to time, until all are done."""
    seen_mb: list[float] = []
    waiting = set(futures)
    while waiting:
        _, waiting = wait(waiting, timeout=seconds / SAMPLES)
        seen_mb.append(resident_mb())
    return seen_mb


def resident_mb(process: int | str = "self") -> float:
    """Ask Linux for what a process has in memory, in MB; 0 elsewhere."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def report(done: Run, ledger: Ledger) -> int:
    """Check what clients leave, and say what it came to."""
    first, last = done.resident_mb[done.warm_up], done.resident_mb[-1]
    done.check_memory()
    done.check(ledger)
    blocks = ledger.digest().tip.sequence_no + 1
    sys.stdout.write(
        f"{len(done.tallies)} clients for {done.seconds:.0f} s: {blocks} blocks verify, no update "
        f"lost, no error but conflicts, memory {first:.1f} MB when warm, {last:.1f} MB at the end\n"
    )
    return 0


def parse_options(arguments: list[str] | None) -> tuple[float, int]:
    """Read for how many seconds how many clients work."""
    parser = argparse.ArgumentParser(description="Let clients work at once, then check.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args(arguments)
    return options.seconds, options.clients


def main(arguments: list[str] | None = None) -> int:
    """Run clients for some time, and check what they leave."""
    seconds, clients = parse_options(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger.open(Path(folder) / "clients.ledger") as ledger,
    ):
        return report(run_threads(ledger, seconds, clients), ledger)


if __name__ == "__main__":
    sys.exit(main())

"""
Kill a ledger's writer at random moments, reopen the ledger, and check it.

    python -m tests.soak.kill_writer --rounds 1000

In each round a process writes transactions of all kinds, alone and in groups, and says on
a pipe what is durable (`tests.soak.workload`). It is killed with SIGKILL after a random
number of answers and a random moment more; some rounds kill it while it makes the ledger.
The ledger is then opened, at times by a reader first: every answered commit is there to
the bit, the chain verifies, and documents, indexes and history are what the journal comes
to. The next writer goes on with what was left; after some rounds a new ledger is begun.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Final

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger import Ledger
from tests.ledger import published
from tests.ledger.support import check_answers, check_state
from tests.soak.killing import run_and_kill
from tests.soak.workload import answer_of, iter_commits

_ROUNDS_A_LEDGER: Final = 5
# Often none, so that processes are killed while they make or recover the ledger.
_ANSWERS: Final = (0, 0, 1, 10, 40)
_PADS: Final = (10, 2_000, 30_000)


def run_ledger(folder: Path, seed: int, rounds: int = _ROUNDS_A_LEDGER) -> int:
    """
    Kill the writers of one ledger, one after the other, and check it after each.

    Args:
        folder: an empty folder for the ledger.
        seed: chooses what is written and when it is killed, but for the moment itself.
        rounds: how many writers.

    Returns:
        How many commits were answered.

    Raises:
        AssertionError: a round's ledger is not what it must be; the message names seed and
            round.
    """
    chance = random.Random(seed)
    path = folder / "killed.ledger"
    pad_bytes = chance.choice(_PADS)
    told: list[str] = []
    for number in range(rounds):
        write = partial(_write, path, chance.randrange(2**32), pad_bytes)
        killed = run_and_kill(write, chance, chance.choice(_ANSWERS))
        assert killed.killed
        told += killed.told
        try:
            if chance.random() < 0.5:
                _check_as_reader(path, told)
            _check_as_writer(path, told)
        except Exception as exc:
            raise AssertionError(f"seed {seed}, round {number}, pad {pad_bytes}") from exc
    return len(told)


def _write(path: Path, seed: int, pad_bytes: int, told: IO[str]) -> None:
    ledger = Ledger.open(path)
    for _ in iter_commits(ledger, random.Random(seed), pad_bytes):
        told.write(f"{answer_of(ledger)}\n")
        told.flush()


def _check_as_reader(path: Path, told: list[str]) -> None:
    """Check what a reader sees before any writer has come."""
    try:
        ledger = Ledger.open(path, read_only=True)
    except LedgerFileError:
        assert [] == told, "a ledger that was answered from can be read"
        return
    with ledger:
        check_answers(ledger, told)
        check_state(ledger)


def _check_as_writer(path: Path, told: list[str]) -> None:
    with Ledger.open(path) as ledger:
        check_answers(ledger, told)
        check_state(ledger)
        published.check_journal(ledger.stream_records(aggregated=False))


def main(arguments: list[str] | None = None) -> int:
    """Run rounds until their number is reached or one fails."""
    parser = argparse.ArgumentParser(description="Kill a writer at random moments, and check.")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1, help="the first ledger's seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="ledgers at one time")
    options = parser.parse_args(arguments)
    started, answered = time.monotonic(), 0
    seeds = range(options.first, options.first + -(-options.rounds // _ROUNDS_A_LEDGER))
    # Started afresh, not forked: rounds fork, and what forks must have no threads.
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for commits in pool.map(_run_in_folder, seeds):
            answered += commits
    seconds = time.monotonic() - started
    sys.stdout.write(
        f"{len(seeds) * _ROUNDS_A_LEDGER} kills of a writer, {answered} answered commits: all "
        f"there, every chain verifies, every state is its journal's ({seconds:.0f} s)\n"
    )
    return 0


def _run_in_folder(seed: int) -> int:
    """Run and check one ledger in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return run_ledger(Path(folder), seed)


if __name__ == "__main__":
    sys.exit(main())

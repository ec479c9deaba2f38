"""
Kill a replay at random moments, start it again until it is done, and compare.

    python -m tests.soak.kill_replay --rounds 200

Each round makes a journal of its own (inserts, updates, deletes, redactions, references
between documents), writes its records to a file, and lets a process replay it into a
ledger file. The process is killed with SIGKILL after a random number of applied runs and a
random moment more, and started again, until one run ends by itself. Then the destination
must equal the source by the definition at the end of the design's replay section, each
source block must have been applied once, and the destination's own chain must verify.

A round is its seed: what it replays and after which runs it is killed can be repeated, the
moment inside a run cannot.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final

import attrs

from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import Comparison, compare_ledgers
from qldb_stream.replay import POSITION_TABLE
from qldb_stream.testing import Journal, JournalShape, make_journal
from qldb_stream.verification import ChainVerifier

REPOSITORY: Final = Path(__file__).resolve().parents[2]

_BATCHES: Final = (1, 1, 7, 100)
_RULES: Final = ("any", "keep")
# Turns of an empty loop: up to some milliseconds, so that kills fall anywhere in a transaction.
_MOST_TURNS: Final = 100_000


@attrs.frozen
class Round:
    """What one round came to."""

    seed: int
    batch_blocks: int
    ids: str
    kills: int
    applied: tuple[int, ...]
    comparison: Comparison
    chain_ok: bool

    def check(self, blocks: int) -> None:
        """
        Make sure that the destination equals the source, each block applied once.

        Raises:
            AssertionError: it does not; the message names the round and the differences.
        """
        where = f"round {self.seed} (batch {self.batch_blocks}, ids {self.ids})"
        assert () == self.comparison.differences, f"{where}: {self.comparison.differences[:5]}"
        assert blocks == self.comparison.blocks, where
        assert tuple(range(blocks)) == self.applied, f"{where}: {len(self.applied)} applied"
        assert self.chain_ok, f"{where}: the destination's own chain does not verify"


def run_round(folder: Path, seed: int, *, blocks: int = 2_000, kills: int = 8) -> Round:
    """
    Replay one journal through about `kills` kills, and compare.

    Args:
        folder: an empty folder for the records and the ledger.
        seed: chooses the journal and when to kill.
        blocks: of the journal.
        kills: how often the process is killed, more or less.

    Raises:
        AssertionError: the process ended by itself with an error.
    """
    chance = random.Random(seed)
    journal = _journal(seed, blocks)
    records, ledger = folder / "records.bin", folder / "copy.ledger"
    with records.open("wb") as file:
        file.writelines(journal.iter_records())
    batch_blocks, ids = chance.choice(_BATCHES), chance.choice(_RULES)
    command = [sys.executable, "-m", "tests.soak.replayer", records, ledger, batch_blocks, ids]
    most_runs = max(1, 2 * blocks // (kills * batch_blocks))
    killed = 0
    while _run_and_kill([str(part) for part in command], chance, chance.randint(0, most_runs)):
        killed += 1
    return _compare(
        journal, ledger, Round(seed, batch_blocks, ids, killed, (), Comparison(), False)
    )


def _journal(seed: int, blocks: int) -> Journal:
    shape = JournalShape(most_revisions=3, document_bytes=0, redactions=0.05, erased=bool(seed % 2))
    return make_journal(seed, blocks=blocks, shape=shape)


def _run_and_kill(command: list[str], chance: random.Random, runs: int) -> bool:
    """Start the process, kill it after some runs; False when it was done before that."""
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = _read_lines(process.stdout, runs)
        for _ in range(chance.randrange(_MOST_TURNS)):
            pass
        process.kill()
        said = process.stderr.read()
    if process.returncode < 0:
        return True
    assert 0 == process.returncode, f"the replay failed after {seen} runs: {said}"
    return False


def _read_lines(stream: IO[str], lines: int) -> int:
    seen = 0
    while seen < lines and stream.readline():
        seen += 1
    return seen


def _compare(journal: Journal, path: Path, found: Round) -> Round:
    with Ledger.open(path) as ledger:
        comparison = compare_ledgers(journal, ledger)
        applied: list[int] = []
        verifier = ChainVerifier()
        chain_ok = True
        for block in ledger.blocks():
            chain_ok &= verifier.feed(block).ok
            applied += _positions(block)
        chain_ok &= ledger.digest().digest == verifier.digest(ledger.strand_id)
    return attrs.evolve(found, comparison=comparison, applied=tuple(applied), chain_ok=chain_ok)


def _positions(block: Block) -> list[int]:
    """Give the numbers of the source blocks that a block of the destination repeats."""
    info = block.summary.transaction_info
    documents = {} if info is None else info.documents
    return [
        revision.data["sequence_no"]
        for revision in block.revisions
        if revision.document_id is not None
        and documents[revision.document_id].table.table_name == POSITION_TABLE
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run rounds until their number is reached or one fails."""
    parser = argparse.ArgumentParser(description="Kill a replay at random moments, then compare.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1, help="the first round's seed")
    parser.add_argument("--blocks", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=8, help="kills in a round, about")
    options = parser.parse_args(arguments)
    started, killed = time.monotonic(), 0
    for seed in range(options.first, options.first + options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            done = run_round(Path(folder), seed, blocks=options.blocks, kills=options.kills)
        done.check(options.blocks)
        killed += done.kills
        sys.stdout.write(
            f"round {seed}: {done.kills} kills, batch {done.batch_blocks}, ids {done.ids}: "
            f"{done.comparison.revisions} revisions, "
            f"{done.comparison.documents} documents equal\n"
        )
        sys.stdout.flush()
    seconds = time.monotonic() - started
    sys.stdout.write(
        f"{options.rounds} rounds of {options.blocks} blocks, {killed} kills: "
        f"every destination equals its source, every block applied once ({seconds:.0f} s)\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

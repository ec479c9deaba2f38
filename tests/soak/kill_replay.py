"""
Kill a replay at random moments, start it again until it is done, and compare.

    python -m tests.soak.kill_replay --rounds 200

Each round makes a journal of its own (inserts, updates, deletes, redactions, references
between documents) and lets a process replay it into a ledger file. The process is killed
with SIGKILL after a random number of applied runs and a random moment more, and another is
started, until one ends by itself. Then the destination must equal the source by the
definition at the end of the design's replay section, each source block must have been
applied once, and what the source redacted must be redacted, its words gone from the files.

Every tenth round goes the whole way: records in a file, read, verified and replayed by the
pipeline, and the destination's own chain verified at the end. The others hand the blocks to
the sink, so that more of the time is spent where a kill can do harm.

A round is its seed: what it replays and after which runs it is killed can
be repeated, the moment inside a run cannot.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Final

import attrs

from qldb_stream.events import Block, RevisionKind
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline
from qldb_stream.reconcile import Comparison, compare_ledgers
from qldb_stream.replay import POSITION_TABLE
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sources import open_source
from qldb_stream.testing import Journal, JournalShape, make_journal
from qldb_stream.verification import ChainVerifier
from tests.replay.erased import erased_words
from tests.soak.killing import run_and_kill

_BATCHES: Final = (1, 1, 7, 100)
_RULES: Final = ("any", "keep")
_WHOLE_WAY: Final = 10  # each so many rounds


@attrs.frozen
class Setting:
    """What a round does, all of it chosen by its seed."""

    seed: int
    blocks: int
    kills: int
    batch_blocks: int
    ids: str
    whole_way: bool

    def __str__(self) -> str:
        way = "whole way" if self.whole_way else "sink"
        return f"round {self.seed} ({way}, batch {self.batch_blocks}, ids {self.ids})"


@attrs.frozen
class Round:
    """What one round came to; `applied` are source blocks in the destination's order."""

    setting: Setting
    kills: int
    applied: tuple[int, ...]
    comparison: Comparison
    chain_ok: bool
    redacted: int  # revisions of the destination
    asked: int  # how many of its revisions were to be redacted
    left: tuple[bytes, ...]  # words of redacted documents that its files still have

    def check(self) -> None:
        """
        Make sure that the destination equals the source, each block applied once.

        Raises:
            AssertionError: it does not; the message names the round and the differences.
        """
        where, blocks = str(self.setting), self.setting.blocks
        assert () == self.comparison.differences, f"{where}: {self.comparison.differences[:5]}"
        assert blocks == self.comparison.blocks, where
        assert tuple(range(blocks)) == self.applied, f"{where}: {len(self.applied)} applied"
        assert self.chain_ok, f"{where}: the destination's own chain does not verify"
        assert self.asked == self.redacted, f"{where}: {self.redacted} of {self.asked} redacted"
        assert () == self.left, f"{where}: {len(self.left)} words of redacted documents are left"


class TellingSink(LedgerSink):
    """A ledger sink that says on a stream what is durable."""

    told: IO[str]

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, then write the position reached on a line of its own."""
        reached = super().apply(blocks, position, token)
        self.told.write(f"{reached.sequence_no}\n")
        self.told.flush()
        return reached


def run_round(folder: Path, seed: int, *, blocks: int = 2_000, kills: int = 8) -> Round:
    """
    Replay one journal through about `kills` kills, and compare.

    Args:
        folder: an empty folder for the records and the ledger.
        seed: chooses the journal, how it is replayed, and when it is killed.
        blocks: of the journal.
        kills: how often the process is killed, more or less.

    Raises:
        AssertionError: the process ended by itself with an error.
    """
    chance = random.Random(seed)
    whole_way = seed % _WHOLE_WAY == 0
    setting = Setting(
        seed, blocks, kills, chance.choice(_BATCHES), chance.choice(_RULES), whole_way
    )
    shape = JournalShape(most_revisions=2, redactions=0.2, erased=seed % 4 == 1)
    journal = make_journal(seed, blocks=blocks, shape=shape)
    source = list(journal)
    replay = _make_replay(setting, journal, source, folder)
    most_runs = max(1, 2 * blocks // (kills * setting.batch_blocks))
    killed = 0
    while run_and_kill(replay, chance, chance.randint(0, most_runs)).killed:
        killed += 1
    return _compare(setting, killed, source, folder / "copy.ledger", journal)


def _make_replay(
    setting: Setting, journal: Journal, source: Sequence[Block], folder: Path
) -> Callable[[IO[str]], None]:
    """Make what the process does: replay until done, telling how far it is."""
    ledger = folder / "copy.ledger"
    records = folder / "records.bin"
    if setting.whole_way:
        with records.open("wb") as file:
            file.writelines(journal.iter_records())

    def replay(told: IO[str]) -> None:
        sink = TellingSink.open(ledger, ids=setting.ids)
        sink.told = told
        if setting.whole_way:
            report = Pipeline(sink, batch_blocks=setting.batch_blocks).run(open_source([records]))
            assert report.ok, report.verification.problems
        else:
            _apply_all(sink, source, setting.batch_blocks)
        sink.close()

    return replay


def _apply_all(sink: LedgerSink, blocks: Sequence[Block], batch_blocks: int) -> None:
    reached = sink.position(blocks[0].address.strand_id)
    rest = blocks if reached is None else blocks[reached.sequence_no + 1 :]
    for first in range(0, len(rest), batch_blocks):
        run = rest[first : first + batch_blocks]
        address = run[-1].address
        sink.apply(run, Position(address.strand_id, address.sequence_no, run[-1].block_hash), 1)


def _compare(
    setting: Setting, kills: int, source: Sequence[Block], path: Path, journal: Journal
) -> Round:
    with Ledger.open(path) as ledger:
        comparison = compare_ledgers(source, ledger)
        applied = [number for block in ledger.blocks() for number in _positions(block)]
        chain_ok = not setting.whole_way or _verify_chain(ledger)
        redacted = _count_redacted(ledger.blocks())
    # What came redacted has a placeholder, which is no redaction.
    asked = _count_redacted(journal.with_erased()) - _count_redacted(source)
    files = b"".join(each.read_bytes() for each in path.parent.glob("copy.ledger*"))
    left = tuple(word for word in erased_words(journal) if word in files)
    return Round(setting, kills, tuple(applied), comparison, chain_ok, redacted, asked, left)


def _count_redacted(blocks: Iterable[Block]) -> int:
    kinds = [revision.kind for block in blocks for revision in block.revisions]
    return kinds.count(RevisionKind.REDACTED)


def _verify_chain(ledger: Ledger) -> bool:
    """Say whether every block of a ledger verifies, up to its digest."""
    verifier = ChainVerifier()
    verified = [verifier.feed(block).ok for block in ledger.blocks()]
    return all(verified) and ledger.digest().digest == verifier.digest(ledger.strand_id)


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
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="rounds at one time")
    options = parser.parse_args(arguments)
    started, killed = time.monotonic(), 0
    seeds = range(options.first, options.first + options.rounds)
    # Started afresh, not forked: rounds fork, and what forks must have no threads.
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        work = partial(_run_in_folder, blocks=options.blocks, kills=options.kills)
        for done in pool.map(work, seeds):
            killed += done.kills
            found = done.comparison
            _say(f"{done.setting}: {done.kills} kills, {found.revisions} revisions equal")
    seconds = time.monotonic() - started
    _say(
        f"{options.rounds} rounds of {options.blocks} blocks, {killed} kills: every destination "
        f"equals its source, every block was applied once, what was redacted is gone "
        f"({seconds:.0f} s)"
    )
    return 0


def _run_in_folder(seed: int, *, blocks: int, kills: int) -> Round:
    """Run and check one round in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        done = run_round(Path(folder), seed, blocks=blocks, kills=kills)
    done.check()
    return done


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

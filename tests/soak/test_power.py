"""
A loss of power takes no answered commit: what SIGKILL cannot show.

A process writes under strace. Each commit must be synced before it is answered; and of
every moment between two syncs, a folder is made as a loss of power may leave it
(`tests.soak.power`), opened, and checked.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger import Ledger
from tests.ledger.support import check_answers, check_state
from tests.soak.power import Disk
from tests.soak.traced import Call, trace

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "traced.ledger"
LOG = f"{NAME}-wal"

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, which is on Linux only"
)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What a process did that made a ledger and wrote to it, with checkpoints on the way."""
    folder = tmp_path_factory.mktemp("traced")
    module = ["-m", "tests.soak.workload", str(folder / NAME)]
    options = ["--seed", "5", "--commits", "100", "--pad", "150000"]
    log = tmp_path_factory.mktemp("log") / "strace"
    found = trace([sys.executable, *module, *options], REPOSITORY, folder, log)
    log.unlink()
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where copies are opened: in memory where there is such a place, for they need no disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def test_each_commit_is_synced_before_its_answer(calls: list[Call]) -> None:
    """Nothing that a loss of power could undo is left when a commit is answered."""
    disk = Disk()
    blocks: set[bytes] = set()
    written = 0
    for call in calls:
        disk.do(call)
        written += (call.kind, call.name) == ("write", LOG)
        # An answer that says again what was durable before has nothing to wait for.
        if call.kind == "answer" and call.data not in blocks:
            assert [] == disk.unsynced()
            assert written
            blocks.add(call.data)
            written = 0
    assert len(blocks) > 60


def test_the_log_is_synced_between_its_last_write_and_the_answer(calls: list[Call]) -> None:
    """The call that makes a commit durable is a sync of the write-ahead log."""
    last = ""
    for call in calls:
        if call.name == LOG and call.kind in {"write", "sync"}:
            last = call.kind
        elif call.kind == "answer":
            assert "sync" == last


def test_a_new_ledgers_name_is_synced(calls: list[Call]) -> None:
    """The folder is synced after file and log were made, before anything is answered."""
    first_answer = next(at for at, call in enumerate(calls) if call.kind == "answer")
    made = [at for at, call in enumerate(calls[:first_answer]) if call.kind == "make"]
    assert {NAME, LOG} <= {calls[at].name for at in made}
    assert Call("sync", "") in calls[made[-1] : first_answer]


def iter_losses(calls: Sequence[Call], chance: random.Random) -> Iterator[tuple[Disk, list[str]]]:
    """Stop at some call after each sync and before the next; give disk and answers so far."""
    syncs = [at for at, call in enumerate(calls) if call.kind == "sync"]
    stops = {chance.randint(*between) for between in pairwise([0, *syncs, len(calls) - 1])}
    disk = Disk()
    answers: list[str] = []
    for at, call in enumerate(calls):
        disk.do(call)
        if call.kind == "answer":
            answers.append(call.data.decode())
        if at in stops:
            yield disk, answers


def check_loss(
    left: dict[str, bytes], answers: list[str], folder: Path, *, read_first: bool
) -> None:
    """Open what is left, as a reader does before any writer, as a writer does, and check it."""
    folder.mkdir()
    for name, contents in left.items():
        (folder / name).write_bytes(contents)
    if read_first:
        check_reading(folder / NAME, answers)
    with Ledger.open(folder / NAME) as ledger:
        check_answers(ledger, answers)
        check_state(ledger)
    shutil.rmtree(folder)


def check_reading(path: Path, answers: list[str]) -> None:
    """Check what a reader makes of what is left."""
    try:
        with Ledger.open(path, read_only=True) as reader:
            check_answers(reader, answers)
    except LedgerFileError:
        assert [] == answers, "a ledger that was answered from can be read"


def check_losses(calls: list[Call], seed: int, folder: Path) -> int:
    """Lose the power once after each sync; give how often."""
    chance = random.Random(seed)
    losses = 0
    for disk, answers in iter_losses(calls, chance):
        try:
            left = disk.left(chance)
            check_loss(left, answers, folder / str(losses), read_first=chance.random() < 0.5)
        except Exception as exc:
            raise AssertionError(f"seed {seed}, loss {losses}, {len(answers)} answers") from exc
        losses += 1
    return losses


def test_a_loss_of_power_takes_no_answered_commit(calls: list[Call], folder: Path) -> None:
    """After each sync, whatever was not synced: answers are there, the chain verifies."""
    assert any(call.name == NAME for call in calls[len(calls) // 4 :]), "needs a checkpoint"
    assert sum(check_losses(calls, seed, folder) for seed in (1, 2, 3)) > 200


def test_a_ledger_that_did_not_sync_would_be_found_out(calls: list[Call], folder: Path) -> None:
    """The same calls without syncs of the log fail the check."""
    unsafe = [call for call in calls if (call.kind, call.name) != ("sync", LOG)]
    with pytest.raises(AssertionError, match="seed 1"):
        check_losses(unsafe, 1, folder)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_many_losses_of_power_take_no_answered_commit(calls: list[Call], folder: Path) -> None:
    """The same holds for QLDB_STREAM_SOAK_LOSSES losses of power, 5,000 by default."""
    wanted = int(os.environ.get("QLDB_STREAM_SOAK_LOSSES", "5000"))
    done, seed = 0, 1
    while done < wanted:
        seed += 1
        done += check_losses(calls, seed, folder)
    sys.stdout.write(f"{done} losses of power: every answered commit is there\n")

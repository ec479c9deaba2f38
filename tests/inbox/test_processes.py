"""Several processes and threads on one inbox; one of them killed at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qldb_stream.inbox import SqliteInbox
from qldb_stream.report import Lease
from tests.inbox.support import EVENTS, STRANDS

REPOSITORY = Path(__file__).resolve().parents[2]

# Puts every event alone, some of them before others, and says so when it was answered.
PUT = """
import random, sys
from qldb_stream.inbox import open_inbox
from tests.inbox.support import EVENTS
inbox = open_inbox(sys.argv[1])
order = random.Random(int(sys.argv[2])).sample(range(len(EVENTS)), len(EVENTS))
for number in order:
    inbox.put([EVENTS[number]], 1.0)
    print(number, flush=True)
"""

# Adds one to a number in a file, under the lease, as often as it is told.
COUNT = """
import sys, time
from pathlib import Path
from qldb_stream.inbox import open_inbox
inbox, counter, done = open_inbox(sys.argv[1]), Path(sys.argv[2]), 0
while done < 25:
    lease = inbox.lease("counter", 60.0, time.time())
    if lease is not None:
        counter.write_text(str(int(counter.read_text()) + 1))
        done += 1
        print(lease.token)
        assert inbox.release(lease)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that runs code on the inbox."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_writers_meet(tmp_path: Path) -> None:
    """Three processes that make and fill one inbox at once store every record once."""
    path = tmp_path / "a.inbox"
    processes = [start(PUT, path, seed) for seed in range(3)]
    for process in processes:
        process.communicate(timeout=120)
    inbox = SqliteInbox(path)

    assert [0, 0, 0] == [process.returncode for process in processes]
    assert len(EVENTS) == sum(strand.records for strand in inbox.status().strands)
    assert STRANDS == inbox.strands()
    inbox.close()


def test_what_was_answered_is_there(tmp_path: Path) -> None:
    """After kill -9 everything that `put` answered is stored, and the file is sound."""
    path = tmp_path / "a.inbox"
    for seed, lines in enumerate((1, 4, 9)):
        process = start(PUT, path, seed)
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        answered += [int(line) for line in process.communicate(timeout=120)[0].splitlines() if line]
        inbox = SqliteInbox(path)
        assert 0 == inbox.put([EVENTS[number] for number in answered], 2.0)
        inbox.close()


def test_a_lease_has_one_holder(tmp_path: Path) -> None:
    """What processes do under one lease they do one after the other, with rising tokens."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [start(COUNT, tmp_path / "a.inbox", counter) for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    tokens = [[int(token) for token in output] for output in outputs]

    assert "75" == counter.read_text()
    assert all(mine == sorted(mine) for mine in tokens)
    assert 75 == len({token for mine in tokens for token in mine})


def test_threads_share_one_object(tmp_path: Path) -> None:
    """Threads that put and lease through one object get in nobody's way."""
    inbox = SqliteInbox(tmp_path / "a.inbox")

    def work(number: int) -> tuple[int, Lease | None]:
        return inbox.put(EVENTS[number::8], 1.0), inbox.lease("one", 60.0, 1.0)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    assert len(EVENTS) == sum(new for new, _ in answers)
    assert 1 == sum(lease is not None for _, lease in answers)
    inbox.close()

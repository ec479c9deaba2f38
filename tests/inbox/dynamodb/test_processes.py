"""Several processes and threads on one table; one of them killed at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qldb_stream.inbox import open_inbox
from qldb_stream.report import Lease
from tests.inbox.dynamodb.faults import open_table
from tests.inbox.support import EVENTS, STRANDS

REPOSITORY = Path(__file__).resolve().parents[3]

# Puts the events four by four, in an order of its own, and says so when each was answered.
PUT = """
import random, sys
from qldb_stream.inbox import open_inbox
from tests.inbox.support import EVENTS
inbox = open_inbox(sys.argv[1])
order = random.Random(int(sys.argv[2])).sample(range(len(EVENTS)), len(EVENTS))
for at in range(0, len(order), 4):
    inbox.put([EVENTS[number] for number in order[at:at + 4]], 1.0)
    print(*order[at:at + 4], flush=True)
"""

# Adds one to a number in a file, under the lease, as often as it is told.
COUNT = """
import sys, time
from pathlib import Path
from qldb_stream.inbox import open_inbox
inbox, counter, done = open_inbox(sys.argv[1]), Path(sys.argv[2]), 0
while done < 6:
    lease = inbox.lease("counter", 60.0, time.time())
    if lease is not None:
        counter.write_text(str(int(counter.read_text()) + 1))
        done += 1
        print(lease.token)
        assert inbox.release(lease, strand_id="none", arrivals=0)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that runs code on the inbox."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_writers_meet_and_one_is_killed(dynamodb: str, table: str) -> None:
    """What `put` answered is there after kill -9, and what several put is there once."""
    name = f"dynamodb:{table}?endpoint_url={dynamodb}"
    processes = [start(PUT, name, seed) for seed in range(2)]
    assert processes[0].stdout is not None
    answered = processes[0].stdout.readline()
    processes[0].send_signal(signal.SIGKILL)
    answered += processes[0].communicate(timeout=120)[0]
    processes[1].communicate(timeout=120)
    inbox = open_inbox(name)

    assert [-signal.SIGKILL, 0] == [process.returncode for process in processes]
    assert 0 == inbox.put([EVENTS[int(number)] for number in answered.split()], 2.0)
    assert len(EVENTS) == sum(strand.records for strand in inbox.status().strands)
    assert STRANDS == inbox.strands()
    inbox.close()


def test_a_lease_has_one_holder(dynamodb: str, table: str, tmp_path: Path) -> None:
    """What processes do under one lease they do one after the other, with rising tokens."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    name = f"dynamodb:{table}?endpoint_url={dynamodb}"
    processes = [start(COUNT, name, counter) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    tokens = [[int(token) for token in output] for output in outputs]

    assert "12" == counter.read_text()
    assert all(mine == sorted(mine) for mine in tokens)
    assert 12 == len({token for mine in tokens for token in mine})


def test_threads_share_one_object(dynamodb: str, table: str) -> None:
    """Threads that put and lease through one object get in nobody's way."""
    inbox = open_table(dynamodb, table)

    def work(number: int) -> tuple[int, Lease | None]:
        return inbox.put(EVENTS[number::4], 1.0), inbox.lease("one", 60.0, 1.0)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(4)))

    assert len(EVENTS) == sum(new for new, _ in answers)
    assert 1 == sum(lease is not None for _, lease in answers)
    assert len(EVENTS) == sum(strand.records for strand in inbox.status().strands)
    inbox.close()

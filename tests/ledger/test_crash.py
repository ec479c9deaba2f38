"""A process that is killed at any moment loses nothing that it was told is durable."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from tests.ledger import published
from tests.ledger.support import check_journal, make_cars, run

# Writes the number of every transaction that was answered, after the answer; with a group
# size above one, the last number of each group.
WRITER = """
import os, sys
from qldb_stream.ledger import Ledger
path, group = sys.argv[1], int(sys.argv[2])
ledger = Ledger.open(path)
driver = ledger.driver()
count = driver.execute_lambda(lambda t: list(t.execute_statement("SELECT COUNT(*) FROM Car")))
number = count[0]["_1"]
def work(txn):
    txn.execute_statement("INSERT INTO Car ?", {"vin": str(number), "pad": "x" * (number % 700)})
    txn.execute_statement("UPDATE Car AS c SET c.newest = ? WHERE c.vin = '0'", number)
while True:
    with ledger.group_commit():
        for _ in range(group):
            driver.execute_lambda(work)
            number += 1
    os.write(1, b"%d\\n" % (number - 1))
"""


def write_until_killed(path: Path, group: int, delay_s: float) -> int:
    """Run the writer, kill it after it has begun and a delay; give its last answer."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(group)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        answers = process.stdout.readline()
        time.sleep(delay_s)  # when it is killed is the point
        os.kill(process.pid, signal.SIGKILL)
        rest, errors = process.communicate()
    assert b"" == errors
    whole = (answers + rest).rpartition(b"\n")[0]
    return int(whole.split()[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("group", [1, 5])
def test_killed_writers_leave_a_whole_journal(tmp_path: Path, group: int) -> None:
    """Every answered commit is there, the chain verifies, documents are the journal's."""
    chance = random.Random(group)
    path = tmp_path / "crashed.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger)
    for _ in range(4):
        last = write_until_killed(path, group, chance.random() * 0.1)
        with Ledger.open(path) as ledger:
            vins = sorted(map(int, run(ledger, "SELECT VALUE c.vin FROM Car AS c")))
            assert list(range(len(vins))) == vins
            assert last <= vins[-1]
            assert 0 == len(vins) % group
            assert 2 + len(vins) == check_journal(ledger)
            text = "SELECT VALUE c.newest FROM Car AS c WHERE c.vin = '0'"
            assert [vins[-1]] == run(ledger, text)
            published.check_journal(ledger.stream_records(aggregated=False))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_a_killed_writer_left_is_read_and_stays(tmp_path: Path) -> None:
    """A reader sees every answered commit in the left log, and changes neither log nor file."""
    path = tmp_path / "crashed.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger)
    last = write_until_killed(path, 1, 0.05)
    log = tmp_path / "crashed.ledger-wal"
    assert log.stat().st_size > 0
    names = {file.name for file in tmp_path.iterdir()}
    before = path.read_bytes(), log.read_bytes()
    with Ledger.open(path, read_only=True) as reader:
        vins = sorted(map(int, run(reader, "SELECT VALUE c.vin FROM Car AS c")))
        assert list(range(len(vins))) == vins
        assert last <= vins[-1]
        assert 2 + len(vins) == check_journal(reader)
    assert before == (path.read_bytes(), log.read_bytes())
    assert names == {file.name for file in tmp_path.iterdir()}
    with Ledger.open(path) as ledger:
        assert 2 + len(vins) == check_journal(ledger)


def test_a_ledger_that_was_never_finished_is_made_anew(tmp_path: Path) -> None:
    """A crash while the file is made leaves an empty database, which becomes a ledger."""
    path = tmp_path / "half.ledger"
    code = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('CREATE TABLE setting (name)')\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.exists()
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A")
        assert 3 == check_journal(ledger)

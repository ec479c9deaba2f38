"""A process that is killed while it delivers leaves whole blocks and their position."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from qldb_stream.testing import make_journal
from tests.sinks.relational.databases import Place
from tests.sinks.relational.support import opened

DELIVERER = """
import sys
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.testing import make_journal
journal = make_journal(3, blocks=400)
sink = open_sink(sys.argv[1])
stored = sink.position(journal.strand_id)
blocks = list(journal) if stored is None else list(stored.pending(list(journal)))
for first in range(0, len(blocks), 3):
    run = blocks[first : first + 3]
    sink.apply(run, Position(journal.strand_id, -1, b"", start=0).at(run[-1]), 1)
    print(run[-1].address.sequence_no, flush=True)
print("end", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_deliveries_end_in_one_clean_run(place: Place) -> None:
    """Killed at several moments and begun again, the tables are those of one run."""
    journal = make_journal(3, blocks=400)
    for delay_s in (0.0, 0.02, 0.07, 0.15, None):
        with subprocess.Popen(
            [sys.executable, "-c", DELIVERER, place.url], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            answered = process.stdout.readline()
            if delay_s is not None:
                time.sleep(delay_s)  # when it is killed is the point
                os.kill(process.pid, signal.SIGKILL)
            rest, _ = process.communicate()
        whole = [line for line in (answered + rest).split() if line != b"end"]
        with opened(place.url) as sink:
            position = sink.position(journal.strand_id)
            assert position is not None
            if whole:
                assert position.sequence_no >= int(whole[-1])
            done = [b for b in journal if b.address.sequence_no <= position.sequence_no]
            held = list(sink.history(journal.strand_id, 0, 2**62))
            # Redactions that were applied later than a block are expected of it too.
            assert list(sink.expect(done)) == held
    assert b"end" == (answered + rest).split()[-1]  # the last run was left alone

"""Inbox and sequencer: what an event costs while ten thousand wait, and while a million do."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import attrs

from benchmarks._ledgers import FOLDER as BENCH
from benchmarks._timing import Row, ceiling_row
from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import NEED_MORE, BlockAddress, Event, Undecodable
from qldb_stream.inbox import open_inbox
from qldb_stream.ordering import Sequencer
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Position
from qldb_stream.testing import make_journal, shuffled

SMALL = 10_000
# A million takes minutes, most of it the making of records: ask for it.
LARGE = int(os.environ.get("QLDB_STREAM_BENCH_EVENTS", "100000"))
WINDOW = 10_000
BATCH = 500
CEILING_MB = 200


def run() -> list[Row]:
    """Measure, each size in a process of its own, and give the table's rows."""
    small, large = _measure(SMALL), _measure(LARGE)
    rows: list[Row] = []
    for part in ("put", "take"):
        ratio = large[part] / small[part]
        value = f"{ratio:.2f}x  ({large[part]:.0f} us against {small[part]:.0f} us)"
        rows.append(Row(f"{part}, {LARGE:,} waiting, of {SMALL:,}", value, "<= 2x", ratio <= 2))
    rows += _sequencer_rows()
    rows.append(ceiling_row("  peak memory", large["peak_mb"], "MB", CEILING_MB))
    rows.append(Row("  of that, with 10,000 waiting", f"{small['peak_mb']:.0f} MB"))
    rows.append(Row("  on disk", f"{large['disk_mb']:.0f} MB"))
    return rows


def _sequencer_rows() -> list[Row]:
    """Say what a block costs in the sequencer, while all of them wait for the first one."""
    small, large = _sequence(SMALL), _sequence(LARGE)
    value = f"{large / small:.2f}x  ({large:.1f} us against {small:.1f} us)"
    return [Row(f"order, {LARGE:,} waiting, of {SMALL:,}", value, "<= 2x", large <= 2 * small)]


def _sequence(blocks: int) -> float:
    """Feed blocks shuffled in windows, the first one last; give microseconds of CPU a block."""
    pattern = next(iter(make_journal(7, blocks=1)))
    strand_id = pattern.address.strand_id
    numbers = [*shuffled(range(1, blocks), 7, window=WINDOW), 0]
    waiting = [
        attrs.evolve(
            pattern, summary=attrs.evolve(pattern.summary, address=BlockAddress(strand_id, number))
        )
        for number in numbers
    ]
    sequencer = Sequencer(0, limit=blocks)
    gc.collect()
    gc.disable()
    started = time.process_time()
    for block in waiting:
        sequencer.feed(block)
    for _ in range(blocks):
        assert sequencer.next_block() is not NEED_MORE
    seconds = time.process_time() - started
    gc.enable()
    return seconds / blocks * 1e6


def _measure(events: int) -> dict[str, float]:
    """Run this module with a number of events, and ask the kernel for its peak."""
    command = [sys.executable, "-m", "benchmarks.inbox", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answer: dict[str, float] = json.loads(process.stdout.read())
        _pid, _status, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return {**answer, "peak_mb": usage.ru_maxrss / 1024}


def _batches(events: int) -> Iterator[list[Event]]:
    """Give parsed records, shuffled in windows; all of a block may come in different batches."""
    records = islice(make_journal(7, blocks=events).iter_records(), events)
    order = shuffled(records, 7, window=WINDOW)
    while batch := list(islice(order, BATCH)):
        yield [parse_record(record) for record in batch]


def _work(events: int) -> dict[str, float]:
    """Put all events, then take every block out in order; give microseconds of CPU an event."""
    BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        path = Path(folder) / "bench.inbox"
        inbox = open_inbox(str(path))
        put_s = 0.0
        for batch in _batches(events):
            started = time.process_time()
            inbox.put(batch, 1.0)
            put_s += time.process_time() - started
        disk_mb = path.stat().st_size / 1e6
        (strand,) = inbox.status().strands
        started = time.process_time()
        taken = _take(path, strand.strand_id, strand.last or 0)
        take_s = time.process_time() - started
        inbox.close()
    assert taken >= strand.records - 10, taken  # the last block may be cut off
    return {"put": put_s / events * 1e6, "take": take_s / events * 1e6, "disk_mb": disk_mb}


def _take(path: Path, strand_id: str, last: int) -> int:
    """Assemble and order all blocks, and trim behind; give the number of their records."""
    inbox, sequencer, taken = open_inbox(str(path)), Sequencer(0), 0
    assembler = BlockAssembler()
    for number in range(last + 1):
        for item in inbox.block(strand_id, number):
            assert not isinstance(item, Undecodable)
            assembler.feed(item)
            taken += 1
        while (whole := assembler.next_block()) is not NEED_MORE:
            sequencer.feed(whole)
        while (block := sequencer.next_block()) is not NEED_MORE:
            if block.address.sequence_no % 1000 == 999:
                position = Position(strand_id, block.address.sequence_no, block.block_hash)
                inbox.store_position("bench", position, 1)
                inbox.trim(strand_id)
    inbox.close()
    return taken


if __name__ == "__main__":
    print(json.dumps(_work(int(sys.argv[1]))))

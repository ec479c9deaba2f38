"""Peak memory while a large, shuffled archive with a hole is verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks._timing import Row, ceiling_row
from qldb_stream.testing import JournalShape, make_journal, shuffled

ARCHIVE_BYTES = 300_000_000
FILE_BYTES = 5_000_000  # what Firehose's buffer holds before it writes an object
WINDOW = 10_000
MISSING_BLOCK = 1_000
DOCUMENT_BYTES = 1_000


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    with tempfile.TemporaryDirectory() as folder:
        size = _write(Path(folder))
        started = time.perf_counter()
        peak_mb, answer = _verify(folder)
        seconds = time.perf_counter() - started
    holes = [strand["missing"] for strand in answer["strands"]]
    assert holes == [[[MISSING_BLOCK, MISSING_BLOCK]]], holes
    return [
        ceiling_row(f"verify {size / 1e6:.0f} MB, peak memory", peak_mb, "MB", 200),
        Row("  throughput", f"{size / 1e6 / seconds:.1f} MB/s, {answer['blocks']:,} blocks"),
    ]


def _write(folder: Path) -> int:
    """Write the archive as Firehose does: records back to back, files of 5 MB."""
    size = 0
    out = None
    for number, record in enumerate(shuffled(_records(), 7, window=WINDOW)):
        if out is None or out.tell() > FILE_BYTES:
            if out is not None:
                out.close()
            out = (folder / f"{number:09}").open("wb")
        size += out.write(record)
    assert out is not None
    out.close()
    return size


def _records() -> Iterator[bytes]:
    """Give records until the archive is large enough, all but those of one block."""
    size = 0
    journal = make_journal(7, blocks=10_000_000, shape=JournalShape(document_bytes=DOCUMENT_BYTES))
    for number, written in enumerate(journal.iter_block_records()):
        if number != MISSING_BLOCK:
            yield from written
        size += sum(map(len, written))
        if size > ARCHIVE_BYTES:
            return


def _verify(folder: str) -> tuple[float, dict[str, list[dict[str, object]]]]:
    """Run the command as its users do, and ask the kernel for its peak."""
    command = [sys.executable, "-m", "qldb_stream", "verify", folder, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.read())
        _pid, _status, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_maxrss / 1024, answer

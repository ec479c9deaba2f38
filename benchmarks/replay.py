"""Replay into the embedded ledger, on a file with synchronous FULL, and over HTTP into a server."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks._disk import bare_commits
from benchmarks._timing import Row, rate_row
from benchmarks.server import serve
from qldb_stream import Pipeline, parse_record
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.report import Position
from qldb_stream.sinks._mirror import MirrorSink
from qldb_stream.sinks._session import SessionSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sinks.qldb import QldbSink
from qldb_stream.testing import JournalShape, make_journal

BLOCKS = 3_000
SHARED = 50
OVER_HTTP = 600
ROUNDS = 3


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    shape = JournalShape(least_revisions=1, most_revisions=1)
    blocks = list(make_journal(7, blocks=BLOCKS, shape=shape))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        commits = bare_commits(Path(folder) / "bare")
        alone = _replay(Path(folder) / "alone.ledger", blocks, 1)
        shared = _replay(Path(folder) / "shared.ledger", blocks, SHARED)
        whole = _whole_way(f"ledger:{folder}/whole.ledger")
        mirror = _mirror(Path(folder) / "mirror.ledger", blocks)
        mirrored = _whole_way(f"ledger:{folder}/mirrored.ledger?mode=mirror")
        over_http = _over_http(Path(folder) / "served", blocks[:OVER_HTTP])
    return [
        rate_row("replay, one commit per block", alone, 1_000),
        rate_row(f"replay, {SHARED} blocks to a commit", shared, 1_500),
        Row("  the whole way: records parsed, verified, replayed", f"{whole:,.0f}/s"),
        rate_row(f"mirror of verified blocks, {SHARED} to a commit", mirror, 2_500),
        Row("  the whole way: records parsed, verified, mirrored", f"{mirrored:,.0f}/s"),
        rate_row("replay over HTTP through pyqldb, one commit per block", over_http, 200),
        Row("  bare SQLite commits of 2 kB on this disk", f"{commits:,.0f}/s"),
    ]


def _over_http(folder: Path, blocks: list[Block]) -> float:
    """Apply verified blocks to a new ledger of a server in another process; the best round."""
    folder.mkdir()
    names = [f"copy-{number}" for number in range(ROUNDS)]
    for name in names:
        Ledger.open(folder / f"{name}.ledger", name=name).close()
    with serve(str(folder)) as (url, _process):
        return max(_apply(QldbSink.open(name, endpoint=url), blocks, 1) for name in names)


def _replay(path: Path, blocks: list[Block], at_once: int) -> float:
    """Apply verified blocks to a new ledger, so many at a time."""
    return _apply(LedgerSink.open(str(path)), blocks, at_once)


def _apply(sink: SessionSink | MirrorSink, blocks: list[Block], at_once: int) -> float:
    """Apply verified blocks to a sink, so many at a time, and close it."""
    started = time.perf_counter()
    for first in range(0, len(blocks), at_once):
        part = blocks[first : first + at_once]
        last = part[-1]
        sink.apply(part, Position(last.address.strand_id, -1, b"").at(last), 1)
    seconds = time.perf_counter() - started
    sink.close()
    return len(blocks) / seconds


def _mirror(path: Path, blocks: list[Block]) -> float:
    """Mirror verified blocks into new ledgers, so many to a commit; the best round."""
    names = [path.with_name(f"{number}-{path.name}") for number in range(ROUNDS)]
    return max(_apply(MirrorSink.open(name), blocks, SHARED) for name in names)


def _whole_way(url: str) -> float:
    """Run the pipeline from records to the ledger."""
    records = list(make_journal(7, blocks=BLOCKS).iter_records())
    started = time.perf_counter()
    report = Pipeline(url, start=0).run(map(parse_record, records))
    seconds = time.perf_counter() - started
    assert report.ok
    assert report.applied == BLOCKS
    return BLOCKS / seconds

"""
The process that the kill test kills: replays a file of records into a ledger.

    python -m tests.soak.replayer RECORDS LEDGER BATCH_BLOCKS IDS

Writes the last block's number on a line of its own each time that a run was applied, so that
whoever watches knows when to kill it. Exits with 1 when the replay found a problem.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from qldb_stream.events import Block
from qldb_stream.pipeline import Pipeline
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sources import open_source


class TellingSink(LedgerSink):
    """A ledger sink that says what is durable."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, then write the position reached to standard output."""
        reached = super().apply(blocks, position, token)
        sys.stdout.write(f"{reached.sequence_no}\n")
        sys.stdout.flush()
        return reached


def main(records: str, ledger: str, batch_blocks: str, ids: str) -> int:
    """Replay until done."""
    sink = TellingSink.open(ledger, ids=ids)
    try:
        pipeline = Pipeline(sink, batch_blocks=int(batch_blocks))
        report = pipeline.run(open_source([records]))
    finally:
        sink.close()
    for problem in report.verification.problems:
        sys.stderr.write(f"{problem}\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

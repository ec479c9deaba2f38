"""What `import qldb_stream` costs."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks._timing import Row, ceiling_row

TIMES = 15
ALL_NAMES = "import qldb_stream; [getattr(qldb_stream, name) for name in qldb_stream.__all__]"
SANS_IO = "from qldb_stream import parse_kinesis_event, BlockAssembler, Sequencer, ChainVerifier"


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    bare = _best_ms("pass")
    package = _best_ms("import qldb_stream") - bare
    stages = _best_ms(SANS_IO) - bare
    everything = _best_ms(ALL_NAMES) - bare
    return [
        ceiling_row("import qldb_stream", package, "ms", 100),
        Row("  and its stages up to verification", f"{stages:.0f} ms"),
        Row("  and every public name", f"{everything:.0f} ms"),
    ]


def _best_ms(code: str) -> float:
    best = float("inf")
    for _ in range(TIMES):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        best = min(best, time.perf_counter() - started)
    return best * 1000

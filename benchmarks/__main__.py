"""Print the benchmarks' table: `python -m benchmarks [PART ...]`, all parts when none is named."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable

from benchmarks import (
    archive,
    aws,
    imports,
    inbox,
    ledger,
    memory,
    observe,
    partiql,
    records,
    relational,
    replay,
    server,
)
from benchmarks._timing import Row

PARTS: dict[str, Callable[[], Iterable[Row]]] = {
    "records": records.run,
    "replay": replay.run,
    "partiql": partiql.run,
    "ledger": ledger.run,
    "server": server.run,
    "memory": memory.run,
    "inbox": inbox.run,
    "observe": observe.run,
    "relational": relational.run,
    "archive": archive.run,
    "aws": aws.run,
    "imports": imports.run,
}


def main(names: list[str]) -> int:
    """Run the named parts, or all; timings never decide the exit code."""
    unknown = set(names) - PARTS.keys()
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}")
    for name in names or PARTS:
        print(f"\n{name}")
        for row in PARTS[name]():
            print(_line(row), flush=True)
    return 0


def _line(row: Row) -> str:
    mark = {True: "ok", False: "SHORT", None: ""}[row.reached]
    return f"  {row.what:<52} {row.value:<42} {row.target:<12} {mark}".rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the disk allows: SQLite's own commits, with nothing of ours around them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path


def bare_commits(path: Path, commits: int = 1_000) -> float:
    """Commit rows of 2 kB, one at a time; give commits per second. The file may exist."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB)")
    started = time.perf_counter()
    for _ in range(commits):
        database.execute("BEGIN")
        database.execute("INSERT INTO t (b) VALUES (?)", (b"x" * 2_000,))
        database.execute("COMMIT")
    seconds = time.perf_counter() - started
    database.close()
    return commits / seconds
